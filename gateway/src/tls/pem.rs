//! Stores as PEM in memory, for a client library that has its own TLS and reads nothing else.

use super::keystore;
use crate::endpoint::FactoryError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::connector::ssl::Ssl;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::Sha256;
use std::fmt::Write as _;

/// Characters of one line.
const LINE: usize = 64;

/// What stores hold, as PEM.
#[derive(Clone, Default)]
pub(crate) struct Pem {
    /// `None`: the authorities that the machine trusts.
    pub(crate) trusted: Option<String>,
    /// The own certificate and those that lead from it to its authority.
    pub(crate) chain: Option<String>,
    /// Not encrypted.
    pub(crate) key: Option<String>,
}

impl Pem {
    /// Reads the stores. `seen` takes their bytes, so that a file that changed is known to be another one.
    ///
    /// # Errors
    /// The store that cannot be used, with a path that begins with `at`.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a key that is in none of the older forms is in that of PKCS#8"
    )]
    pub(crate) fn read(ssl: &Ssl, at: &str, seen: &mut Sha256) -> Result<Pem, FactoryError> {
        let wrong = |member: &str, message| FactoryError { path: format!("{at}{member}"), message };
        let mut pem = Pem::default();
        if let Some(store) = &ssl.trust_store {
            let trusted = keystore::trusted(store, seen).map_err(|message| wrong(".trustStore", message))?;
            pem.trusted = Some(certificates(&trusted));
        }
        if let Some(store) = &ssl.key_store {
            let (chain, key) =
                keystore::identity(store, seen).map_err(|message| wrong(".keyStore", message))?;
            pem.chain = Some(certificates(&chain));
            let label = match &key {
                PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
                PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
                _ => "PRIVATE KEY",
            };
            pem.key = Some(armoured(label, key.secret_der()));
        }
        Ok(pem)
    }
}

fn certificates(certificates: &[CertificateDer<'_>]) -> String {
    certificates.iter().map(|certificate| armoured("CERTIFICATE", certificate)).collect()
}

fn armoured(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = behind;
    }
    // Writing to a text cannot fail.
    writeln!(text, "-----END {label}-----").ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use definition::connector::ssl::{KeyStore, Material};
    use rcgen::{CertificateParams, KeyPair};
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use sha2::Digest as _;

    #[test]
    fn what_is_written_is_what_was_read() {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec!["a.example".into()]).unwrap().self_signed(&key).unwrap();
        let both = format!("{}{}", certificate.pem(), key.serialize_pem());
        let material = || Material::Content(both.clone().into_bytes());
        let store = KeyStore::Pem { certificates: material(), key: material(), key_password: None };
        let ssl = Ssl { key_store: Some(store), ..Ssl::default() };
        let pem = Pem::read(&ssl, "ssl", &mut Sha256::new()).unwrap();
        assert_eq!(pem.trusted, None);
        assert_eq!(pem.chain.unwrap().replace("\r\n", "\n"), certificate.pem().replace("\r\n", "\n"));
        let read = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        assert_eq!(pem.key.unwrap(), armoured("PRIVATE KEY", read.secret_der()));
    }
}
