//! TLS to HTTP backends, by the protocol that is offered.

use crate::endpoint::FactoryError;
use crate::tls;
use definition::connector::ssl::Ssl;
use rustls::ClientConfig;
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
        let mut http1 = tls::client(ssl, "ssl", seen)?;
        let mut http2 = http1.clone();
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        http2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Tls { http1: Arc::new(http1), http2: Arc::new(http2) })
    }
}
