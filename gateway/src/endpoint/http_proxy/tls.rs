//! TLS to backends: whom to trust, how strictly, and which certificate to show.

use super::keystore;
use crate::endpoint::FactoryError;
use definition::connector::http_proxy::Ssl;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::Sha256;
use std::sync::Arc;

/// Configurations by the protocol that is offered to the backend.
pub(super) struct Tls {
    pub(super) http1: Arc<ClientConfig>,
    /// Offers HTTP/1.1 too.
    pub(super) http2: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the stores. `seen` takes their bytes.
    pub(super) fn build(ssl: &Ssl, seen: &mut Sha256) -> Result<Tls, FactoryError> {
        let wrong = |member: &str, message: String| FactoryError { path: format!("ssl.{member}"), message };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        match &ssl.trust_store {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(store) => {
                let trusted = keystore::trusted(store, seen).map_err(|message| wrong("trustStore", message))?;
                for certificate in trusted {
                    roots.add(certificate).map_err(|error| {
                        wrong("trustStore", format!("a certificate cannot be used: {error}"))
                    })?;
                }
            }
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong("", error.to_string()))?;
        let trust = if ssl.trust_all {
            Trust::All(provider)
        } else {
            let strict = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let strict = strict.map_err(|error| wrong("trustStore", error.to_string()))?;
            if ssl.hostname_verifier { Trust::Strict(strict) } else { Trust::AnyName(strict) }
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(trust));
        let mut http1 = match &ssl.key_store {
            None => builder.with_no_client_auth(),
            Some(store) => {
                let (chain, key) = keystore::identity(store, seen).map_err(|message| wrong("keyStore", message))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| {
                    wrong("keyStore", format!("the certificate and the key cannot be used: {error}"))
                })?
            }
        };
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        http2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls { http1: Arc::new(http1), http2: Arc::new(http2) })
    }
}

/// How certificates of backends are judged.
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
            Trust::Strict(verifier) | Trust::AnyName(verifier) => verifier.verify_tls12_signature(message, cert, dss),
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
            Trust::Strict(verifier) | Trust::AnyName(verifier) => verifier.verify_tls13_signature(message, cert, dss),
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
