//! Proxies on the way to a backend: HTTP, SOCKS4 and SOCKS5, of the endpoint or of the node.
//!
//! Through an HTTP proxy, plain HTTP/1.1 goes in the absolute form and everything else through a tunnel (CONNECT), which
//! many proxies only open for TLS.

use super::fault::Fault;
use super::target::Origin;
use crate::endpoint::FactoryError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::connector::http_proxy::{ProxyType, UpstreamProxy};
use http::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};

/// Greatest answer of a proxy to CONNECT, bytes.
const CONNECT_ANSWER_MAX_BYTES: usize = 8 * 1024;

/// A proxy that connections go through.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    protocol: ProxyType,
    host: String,
    port: u16,
    username: Option<String>,
    password: Option<String>,
}

impl Upstream {
    /// A proxy at an address. Without a user there are no credentials.
    pub(crate) fn new(protocol: ProxyType, host: String, port: u16, credentials: Option<(String, String)>) -> Self {
        let (username, password) = credentials.unzip();
        Upstream { protocol, host, port, username, password }
    }

    /// The proxy of an endpoint's settings. `system`: the one of the node.
    pub(super) fn of(settings: &UpstreamProxy, system: Option<&Upstream>) -> Result<Upstream, FactoryError> {
        let wrong = |member: &str, message: &str| FactoryError { path: format!("proxy.{member}"), message: message.to_owned() };
        if settings.use_system_proxy {
            let missing = "this gateway has no system proxy: configure one on the node or name a proxy here";
            return system.cloned().ok_or_else(|| wrong("useSystemProxy", missing));
        }
        let host = settings.host.as_deref().map(str::trim).filter(|host| !host.is_empty());
        Ok(Upstream {
            protocol: settings.protocol,
            host: host.ok_or_else(|| wrong("host", "is missing"))?.to_owned(),
            port: settings.port.ok_or_else(|| wrong("port", "is missing"))?,
            username: settings.username.clone().filter(|user| !user.is_empty()),
            password: settings.password.clone(),
        })
    }

    /// Where the proxy listens.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether plain HTTP/1.1 needs no tunnel.
    pub(super) fn is_http(&self) -> bool {
        self.protocol == ProxyType::Http
    }

    /// `Proxy-Authorization`, when there are credentials.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let pair = format!("{}:{}", self.username.as_ref()?, self.password.as_deref().unwrap_or_default());
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// A way to `origin` over a connection to the proxy.
    pub(super) async fn tunnel(&self, tcp: TcpStream, origin: &Origin) -> Result<TcpStream, Fault> {
        let place = (origin.host.as_str(), origin.port);
        let password = self.password.as_deref().unwrap_or_default();
        match (self.protocol, self.username.as_deref()) {
            (ProxyType::Http, _) => self.connect(tcp, origin).await,
            (ProxyType::Socks4, None) => socks(Socks4Stream::connect_with_socket(tcp, place).await.map(Socks4Stream::into_inner)),
            (ProxyType::Socks4, Some(user)) => {
                let tunnel = Socks4Stream::connect_with_userid_and_socket(tcp, place, user).await;
                socks(tunnel.map(Socks4Stream::into_inner))
            }
            (ProxyType::Socks5, None) => socks(Socks5Stream::connect_with_socket(tcp, place).await.map(Socks5Stream::into_inner)),
            (ProxyType::Socks5, Some(user)) => {
                let tunnel = Socks5Stream::connect_with_password_and_socket(tcp, place, user, password).await;
                socks(tunnel.map(Socks5Stream::into_inner))
            }
        }
    }

    async fn connect(&self, mut tcp: TcpStream, origin: &Origin) -> Result<TcpStream, Fault> {
        let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
        let place = format!("{host}:{}", origin.port);
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
        if let Some(authorization) = self.authorization() {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        tcp.write_all(&request).await.map_err(|error| Fault::of_connect(&error))?;
        let mut answer = Vec::with_capacity(256);
        // Byte by byte: what follows the head belongs to the backend.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() == CONNECT_ANSWER_MAX_BYTES {
                return Err(Fault::Protocol);
            }
            answer.push(tcp.read_u8().await.map_err(|error| Fault::of_connect(&error))?);
        }
        let status = answer.split(|byte| *byte == b' ').nth(1);
        match status {
            Some([b'2', ..]) => Ok(tcp),
            Some(status) => {
                let status = String::from_utf8_lossy(status);
                tracing::warn!(proxy = self.host, %status, "the upstream proxy refused a tunnel");
                Err(Fault::Refused)
            }
            None => Err(Fault::Protocol),
        }
    }
}

fn socks(tunnel: Result<TcpStream, SocksError>) -> Result<TcpStream, Fault> {
    tunnel.map_err(|error| {
        tracing::warn!(%error, "the upstream proxy refused a tunnel");
        match error {
            SocksError::Io(error) => Fault::of_connect(&error),
            SocksError::ConnectionRefused | SocksError::ConnectionNotAllowedByRuleset => Fault::Refused,
            SocksError::NetworkUnreachable | SocksError::HostUnreachable | SocksError::TtlExpired => Fault::Unreachable,
            _ => Fault::Protocol,
        }
    })
}
