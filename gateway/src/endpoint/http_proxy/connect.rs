//! Connections to backends: names to addresses, sockets, upstream proxies and TLS, all within one time limit.

use super::fault::Fault;
use super::target::Origin;
use super::tls::Tls;
use super::transport::Transport;
use super::upstream::Upstream;
use crate::networks::CallbackNetworks;
use crate::seldom::warn_seldom;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Silence after which the backend's system is asked whether it is there, and the pause between two such questions,
/// milliseconds.
const KEEP_ALIVE_AFTER_MS: u64 = 30_000;
const KEEP_ALIVE_INTERVAL_MS: u64 = 10_000;
/// Questions without an answer after which the connection is given up.
const KEEP_ALIVE_TRIES: u32 = 3;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Http1,
    /// A backend with TLS may choose HTTP/1.1 all the same.
    Http2,
    /// It will leave HTTP.
    Upgrade,
}

/// Makes the connections of one client.
pub(super) struct Connector {
    pub(super) tls: Tls,
    pub(super) upstream: Option<Upstream>,
    /// `None`: as long as the system tries.
    pub(super) patience: Option<Duration>,
    /// For places that somebody outside chose. `None`: the author of the API chose it, who may name any.
    pub(super) networks: Option<Arc<CallbackNetworks>>,
}

impl Connector {
    /// Connects.
    pub(super) async fn connect(&self, origin: &Origin, purpose: Purpose) -> Result<Transport, Fault> {
        let connecting = self.establish(origin, purpose);
        match self.patience {
            None => connecting.await,
            Some(patience) => timeout(patience, connecting).await.unwrap_or(Err(Fault::ConnectTimeout)),
        }
    }

    /// Whether requests of HTTP/1.1 to `origin` are sent to a proxy in the absolute form.
    pub(super) fn absolute_form(&self, origin: &Origin) -> Option<&Upstream> {
        self.upstream.as_ref().filter(|upstream| upstream.is_http() && !origin.tls)
    }

    async fn establish(&self, origin: &Origin, purpose: Purpose) -> Result<Transport, Fault> {
        let tcp = match &self.upstream {
            None => dial((&origin.host, origin.port), self.networks.as_deref()).await?,
            Some(upstream) => {
                // The proxy resolves the name, and its rules decide about what it finds.
                if self.networks.as_ref().is_some_and(|networks| !networks.allow_unresolved(&origin.host)) {
                    return Err(Fault::Forbidden);
                }
                let tcp = dial(upstream.address(), None).await?;
                let direct = upstream.is_http() && !origin.tls && purpose == Purpose::Http1;
                if direct { tcp } else { upstream.tunnel(tcp, origin).await? }
            }
        };
        if !origin.tls {
            return Ok(Transport::Plain(tcp));
        }
        let config = if purpose == Purpose::Http2 { &self.tls.http2 } else { &self.tls.http1 };
        let name = ServerName::try_from(origin.host.clone()).map_err(|_| Fault::Tls)?;
        let handshake = TlsConnector::from(Arc::clone(config)).connect(name, tcp).await;
        let stream = handshake.map_err(|error| {
            warn_seldom!(host = origin.host, port = origin.port, %error, "the TLS handshake with a backend failed");
            Fault::Tls
        })?;
        Ok(Transport::Tls(Box::new(stream)))
    }
}

/// How a backend that is gone without a word is noticed, also by those who only wait for it.
fn keep_alive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_millis(KEEP_ALIVE_AFTER_MS))
        .with_interval(Duration::from_millis(KEEP_ALIVE_INTERVAL_MS))
        .with_retries(KEEP_ALIVE_TRIES)
}

/// The first address that answers, of those that may be connected to.
async fn dial(place: (&str, u16), networks: Option<&CallbackNetworks>) -> Result<TcpStream, Fault> {
    let addresses = tokio::net::lookup_host(place).await.map_err(|_| Fault::Dns)?;
    let mut last = Fault::Dns;
    for address in addresses {
        if networks.is_some_and(|networks| !networks.allow(address.ip())) {
            tracing::warn!(host = place.0, %address, "a callback leads to an address that may not be called");
            last = Fault::Forbidden;
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Requests are written in one piece; the last one of a body must not wait for an acknowledgement.
                let set =
                    tcp.set_nodelay(true).and_then(|()| SockRef::from(&tcp).set_tcp_keepalive(&keep_alive()));
                set.map_err(|error| Fault::of_connect(&error))?;
                return Ok(tcp);
            }
            Err(error) => last = Fault::of_connect(&error),
        }
    }
    Err(last)
}
