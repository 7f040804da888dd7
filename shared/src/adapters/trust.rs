//! Whose certificates are trusted over HTTPS: the platform's authorities, and where a setting names one, that one too.

use std::{fs, path::Path};

use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// A file of authorities that cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{setting} is {file}, which cannot be used: {reason}; name a PEM file with the authority's certificate, and let the process read it"
)]
pub struct TrustError {
    /// The setting's name, as in `storage.ca_file`.
    pub setting: String,
    /// What it says.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The platform's authorities, and those in the file that `setting` names.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub(super) fn trusting(setting: &str, ca_file: Option<&Path>) -> Result<TlsContext, TrustError> {
    let mut store = TrustStore::default();
    if let Some(file) = ca_file {
        let certificates = read(file).map_err(|reason| TrustError {
            setting: setting.to_owned(),
            file: file.display().to_string(),
            reason,
        })?;
        store.add_pem_certificate(certificates);
    }
    Ok(TlsContext::builder().with_trust_store(store).build().expect("nothing but a store is set"))
}

/// The file's text; the SDK would panic at one that is no certificate.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let text = fs::read(file).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_no_authority_is_named_with_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let told = |text: Option<&str>| {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            trusting("storage.ca_file", Some(&file)).err().map(|error| error.to_string())
        };
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        for (text, reason) in [(None, "No such file"), (Some("hello"), "holds no certificate"), (Some(broken), "")] {
            let error = told(text).expect("an error");
            assert!(error.starts_with("storage.ca_file is /") && error.contains(reason), "{error}");
        }
        assert!(trusting("storage.ca_file", None).is_ok());
    }
}
