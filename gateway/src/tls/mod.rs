//! TLS to brokers and backends: whom to trust, how strictly, and which certificate to show.

mod jks_form;
mod keystore;
pub(crate) mod look;
mod pem;
mod private_key;

use crate::endpoint::FactoryError;
use definition::connector::ssl::Ssl;
pub(crate) use pem::Pem;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::Sha256;
use std::sync::Arc;

/// A client's configuration, without any protocol to be offered (ALPN).
///
/// `seen` takes the bytes of the stores, so that a file that changed is known to be another one.
///
/// # Errors
/// The store that cannot be used, with a path that begins with `at`.
pub(crate) fn client(ssl: &Ssl, at: &str, seen: &mut Sha256) -> Result<ClientConfig, FactoryError> {
    let wrong = |member: &str, message: String| FactoryError { path: format!("{at}{member}"), message };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("", error.to_string()))?;
    let trust = if ssl.trust_all {
        Trust::All(provider)
    } else {
        let roots = Arc::new(roots(ssl, seen).map_err(|message| wrong(".trustStore", message))?);
        let strict = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        let strict = strict.map_err(|error| wrong(".trustStore", error.to_string()))?;
        if ssl.hostname_verifier { Trust::Strict(strict) } else { Trust::AnyName(strict) }
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trust));
    let Some(store) = &ssl.key_store else { return Ok(builder.with_no_client_auth()) };
    let (chain, key) = keystore::identity(store, seen).map_err(|message| wrong(".keyStore", message))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|error| wrong(".keyStore", format!("the certificate and the key cannot be used: {error}")))
}

/// The certificate authorities that are trusted.
fn roots(ssl: &Ssl, seen: &mut Sha256) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    match &ssl.trust_store {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(store) => {
            for certificate in keystore::trusted(store, seen)? {
                roots.add(certificate).map_err(|error| format!("a certificate cannot be used: {error}"))?;
            }
        }
    }
    Ok(roots)
}

/// How certificates of servers are judged.
#[derive(Debug)]
enum Trust {
    Strict(Arc<WebPkiServerVerifier>),
    /// A trusted certificate may name another host.
    AnyName(Arc<WebPkiServerVerifier>),
    All(Arc<CryptoProvider>),
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        match self {
            Trust::All(_) => Ok(ServerCertVerified::assertion()),
            Trust::Strict(verifier) => judged(verifier),
            // The name is judged last, so nothing else is wrong with the certificate.
            Trust::AnyName(verifier) => match judged(verifier) {
                Err(Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                )) => Ok(ServerCertVerified::assertion()),
                judged => judged,
            },
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Trust::Strict(verifier) | Trust::AnyName(verifier) => {
                verifier.verify_tls12_signature(message, cert, dss)
            }
            Trust::All(provider) => {
                verify_tls12_signature(message, cert, dss, &provider.signature_verification_algorithms)
            }
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self {
            Trust::Strict(verifier) | Trust::AnyName(verifier) => {
                verifier.verify_tls13_signature(message, cert, dss)
            }
            Trust::All(provider) => {
                verify_tls13_signature(message, cert, dss, &provider.signature_verification_algorithms)
            }
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self {
            Trust::Strict(verifier) | Trust::AnyName(verifier) => verifier.supported_verify_schemes(),
            Trust::All(provider) => provider.signature_verification_algorithms.supported_schemes(),
        }
    }
}
