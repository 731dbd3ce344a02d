//! Whether a port speaks TLS, asked when a plain connection to it failed for no reason that anybody said.

use super::client;
use definition::connector::ssl::Ssl;
use rustls::pki_types::ServerName;
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A port that has not answered within this time is not known to speak TLS.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether something answers there in TLS, whatever it says. Nothing but a greeting is sent.
pub(crate) async fn speaks_tls(host: &str, port: u16) -> bool {
    let greeting = async {
        match greet(host, port).await {
            Ok(()) => true,
            Err(error) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                matches!(tls, Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)))
            }
        }
    };
    timeout(PATIENCE, greeting).await.unwrap_or(false)
}

async fn greet(host: &str, port: u16) -> io::Result<()> {
    let anybody = Ssl { trust_all: true, ..Ssl::default() };
    let config = client(&anybody, "", &mut Sha256::new()).map_err(|error| io::Error::other(error.message))?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let stream = TcpStream::connect((host, port)).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// Greets a listener that reads one greeting, says `answer` and closes.
    async fn met(answer: &'static [u8]) -> bool {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            assert!(stream.read(&mut [0; 2_048]).await.expect("a greeting") > 0);
            stream.write_all(answer).await.expect("the client reads");
        });
        speaks_tls("127.0.0.1", port).await
    }

    #[tokio::test]
    async fn an_alert_is_tls_and_other_bytes_are_none() {
        assert!(met(&[21, 3, 3, 0, 2, 2, 40]).await, "handshake failure, as TLS says it");
        assert!(!met(b"AMQP\x00\x00\x09\x01").await);
        assert!(!met(b"").await);
    }
}
