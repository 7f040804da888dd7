//! TLS of the listeners. Files that are replaced, as certificates are, are read again.
#![allow(clippy::disallowed_methods, reason = "the runner measures how old what it read is")]

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use shared::config::listen::ListenSettings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::Mutex,
    time::Instant,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
    server::TlsStream,
};

/// How long files that were read are taken for what they hold.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// The first byte of a TLS connection: a record of kind handshake.
const HANDSHAKE: u8 = 22;
/// So much is read of a client that is refused.
const READ_WHEN_REFUSED_BYTES_MAX: u64 = 64 * 1024;
/// What a plain request from another machine is answered.
const USE_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 39\r\n\r\n\
    this listener speaks TLS: use https://\n";

/// A certificate chain and its key, in files.
pub struct Tls {
    certificate_file: PathBuf,
    key_file: PathBuf,
    loaded: Mutex<Loaded>,
}

struct Loaded {
    acceptor: TlsAcceptor,
    read_at: Instant,
}

/// A connection as its client speaks.
pub enum Connection {
    /// Without TLS: from this machine, or where no certificate is set.
    Plain(TcpStream),
    /// With TLS.
    Secured(Box<TlsStream<TcpStream>>),
}

/// Files that make no TLS.
#[derive(Debug, thiserror::Error)]
#[error(
    "{setting} is {}, which cannot be used: write {what} as PEM, and let the process read it", file.display()
)]
pub struct TlsError {
    setting: &'static str,
    file: PathBuf,
    what: &'static str,
    source: io::Error,
}

impl Tls {
    /// What the settings say; `None`: no TLS.
    ///
    /// # Errors
    /// When a file cannot be read, or the two do not belong together.
    pub async fn load(settings: &ListenSettings) -> Result<Option<Tls>, TlsError> {
        let (Some(certificate_file), Some(key_file)) = (&settings.tls_certificate_file, &settings.tls_key_file) else {
            return Ok(None);
        };
        let (certificate_file, key_file) = (certificate_file.clone(), key_file.clone());
        let loaded = read(&certificate_file, &key_file).await?;
        Ok(Some(Tls { certificate_file, key_file, loaded: Mutex::new(loaded) }))
    }

    /// Speaks TLS with who speaks it. Without it only this machine is listened to; others are told.
    ///
    /// # Errors
    /// When the connection cannot be secured, or must be.
    pub async fn accept(&self, stream: TcpStream, is_local: bool) -> io::Result<Connection> {
        let mut first = [0];
        stream.peek(&mut first).await?;
        if first[0] == HANDSHAKE {
            let acceptor = self.acceptor().await;
            return Ok(Connection::Secured(Box::new(acceptor.accept(stream).await?)));
        }
        if is_local {
            return Ok(Connection::Plain(stream));
        }
        refuse(stream).await?;
        Err(io::Error::other("a plain request from another machine"))
    }

    async fn acceptor(&self) -> TlsAcceptor {
        let mut loaded = self.loaded.lock().await;
        if loaded.read_at.elapsed() >= READ_AGAIN_AFTER {
            match read(&self.certificate_file, &self.key_file).await {
                Ok(again) => *loaded = again,
                Err(error) => {
                    loaded.read_at = Instant::now();
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the certificate that was read before stays in use: {error}"
                    );
                }
            }
        }
        loaded.acceptor.clone()
    }
}

/// Tells a client to use TLS. What it has sent is read: closing over it would reset the connection, and take the answer away.
async fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.write_all(USE_TLS).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(READ_WHEN_REFUSED_BYTES_MAX), &mut tokio::io::sink()).await?;
    Ok(())
}

async fn read(certificate_file: &PathBuf, key_file: &PathBuf) -> Result<Loaded, TlsError> {
    let of_certificate = |source| TlsError {
        setting: "listen.tls_certificate_file",
        file: certificate_file.clone(),
        what: "the certificate chain, the server's own certificate first,",
        source,
    };
    let of_key = |source| TlsError {
        setting: "listen.tls_key_file",
        file: key_file.clone(),
        what: "the private key of the first certificate",
        source,
    };
    let pem = tokio::fs::read(certificate_file).await.map_err(of_certificate)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(io::Error::other).map_err(of_certificate)?;
    if chain.is_empty() {
        return Err(of_certificate(io::Error::other("no certificate is in it")));
    }
    let pem = tokio::fs::read(key_file).await.map_err(of_key)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(io::Error::other).map_err(of_key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)
        .map_err(of_key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Loaded { acceptor: TlsAcceptor::from(Arc::new(config)), read_at: Instant::now() })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::net::TcpListener;
    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
    };

    use super::*;

    struct Files {
        folder: tempfile::TempDir,
        settings: ListenSettings,
    }

    impl Files {
        /// A folder with a certificate for `name`.
        fn of(name: &str) -> (Files, CertificateDer<'static>) {
            let folder = tempfile::tempdir().unwrap();
            let settings = ListenSettings {
                tls_certificate_file: Some(folder.path().join("server.pem")),
                tls_key_file: Some(folder.path().join("server.key")),
                ..ListenSettings::default()
            };
            let files = Files { folder, settings };
            let certificate = files.renew(name);
            (files, certificate)
        }

        fn renew(&self, name: &str) -> CertificateDer<'static> {
            let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
            std::fs::write(self.folder.path().join("server.pem"), cert.pem()).unwrap();
            std::fs::write(self.folder.path().join("server.key"), signing_key.serialize_pem()).unwrap();
            cert.der().clone()
        }
    }

    /// What a client reads that trusts `certificate` and asks for `name`; the server says "well".
    async fn ask(tls: &Tls, name: &'static str, certificate: CertificateDer<'static>) -> io::Result<String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = async {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from(name).unwrap();
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            let mut text = String::new();
            stream.read_to_string(&mut text).await?;
            Ok(text)
        };
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(Connection::Secured(mut stream)) = tls.accept(stream, false).await {
                stream.write_all(b"well").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        };
        tokio::join!(client, server).0
    }

    #[tokio::test]
    async fn a_client_that_trusts_the_certificate_is_answered_and_a_renewed_one_is_used() {
        let (files, certificate) = Files::of("backup.example.org");
        let tls = Tls::load(&files.settings).await.unwrap().unwrap();
        assert_eq!(ask(&tls, "backup.example.org", certificate.clone()).await.unwrap(), "well");
        ask(&tls, "other.example.org", certificate.clone()).await.unwrap_err();

        let renewed = files.renew("backup.example.org");
        ask(&tls, "backup.example.org", renewed.clone()).await.expect_err("it is not read at every connection");
        tls.loaded.lock().await.read_at -= READ_AGAIN_AFTER;
        assert_eq!(ask(&tls, "backup.example.org", renewed.clone()).await.unwrap(), "well");

        std::fs::write(files.folder.path().join("server.key"), "half a fi").unwrap();
        tls.loaded.lock().await.read_at -= READ_AGAIN_AFTER;
        assert_eq!(ask(&tls, "backup.example.org", renewed).await.unwrap(), "well", "the last that was whole stays");
    }

    /// What the server makes of a connection that begins in plain text, and what its client is answered.
    async fn plain(tls: &Tls, is_local: bool) -> (io::Result<Connection>, String) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let server = async {
            let mut accepted = tls.accept(stream, is_local).await;
            if let Ok(Connection::Plain(stream)) = &mut accepted {
                let mut begin = [0; 5];
                stream.read_exact(&mut begin).await.unwrap();
                stream.write_all(&begin).await.unwrap();
                stream.shutdown().await.unwrap();
            }
            accepted
        };
        let reading = async {
            let mut text = String::new();
            // Behind its answer the connection may be reset.
            let _ = client.read_to_string(&mut text).await;
            drop(client);
            text
        };
        tokio::join!(server, reading)
    }

    #[tokio::test]
    async fn only_this_machine_may_do_without_tls() {
        let (files, _) = Files::of("localhost");
        let tls = Tls::load(&files.settings).await.unwrap().unwrap();
        let (accepted, text) = plain(&tls, true).await;
        assert!(matches!(accepted, Ok(Connection::Plain(_))) && text == "GET /", "{text}");
        let (accepted, text) = plain(&tls, false).await;
        assert!(accepted.is_err() && text.starts_with("HTTP/1.1 400") && text.ends_with("https://\n"), "{text}");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_used_is_named_with_its_setting() {
        let (files, _) = Files::of("localhost");
        std::fs::write(files.folder.path().join("server.pem"), "nothing").unwrap();
        let error = Tls::load(&files.settings).await.err().unwrap().to_string();
        assert!(error.contains("listen.tls_certificate_file is ") && error.contains("server.pem"), "{error}");
        let (files, _) = Files::of("localhost");
        let (others, _) = Files::of("localhost");
        let settings = ListenSettings { tls_key_file: others.settings.tls_key_file.clone(), ..files.settings.clone() };
        let error = Tls::load(&settings).await.err().unwrap().to_string();
        assert!(error.contains("listen.tls_key_file is "), "{error}");
        assert!(Tls::load(&ListenSettings::default()).await.unwrap().is_none());
    }
}
