//! Certificates from an authority that no platform knows.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// A server's certificate, what its clients need, and the authority that signed both. All are PEM.
pub struct Certificates {
    /// The files of clients: `authority.pem`, and `client.pem` with `client.key` for one that is `CN=client`.
    pub folder: TempDir,
    /// The certificate of a server on this machine.
    pub server: String,
    /// The key that belongs to it.
    pub server_key: String,
    /// The authority.
    pub authority: String,
}

impl Certificates {
    /// An authority of its own, and what it signs.
    #[allow(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Certificates {
        let mut params = params("authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let signed = |name: &str, hosts: &[&str]| {
            let key = KeyPair::generate().expect("a key");
            let certificate = self::params(name, hosts).signed_by(&key, &authority).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        let (server, server_key) = signed("server", &["127.0.0.1", "localhost"]);
        let (client, client_key) = signed("client", &[]);
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("authority.pem", authority.pem()), ("client.pem", client), ("client.key", client_key)] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        Certificates { folder, server, server_key, authority: authority.pem() }
    }
}

fn params(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
