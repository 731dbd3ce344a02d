//! Proxies on the way to a backend: HTTP, SOCKS4 and SOCKS5, of the endpoint or of the node.
//!
//! Through an HTTP proxy, plain HTTP/1.1 goes in the absolute form and everything else through a tunnel (CONNECT), which
//! many proxies only open for TLS.

use super::fault::Fault;
use super::target::Origin;
use crate::endpoint::FactoryError;
use crate::seldom::warn_seldom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::connector::http_proxy::{ProxyType, UpstreamProxy};
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::str::FromStr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::Error as SocksError;
use tokio_socks::tcp::{Socks4Stream, Socks5Stream};
use url::Url;

/// Greatest answer of a proxy to CONNECT, bytes.
const CONNECT_ANSWER_MAX_BYTES: usize = 8 * 1024;

/// A proxy that connections go through.
#[derive(Clone)]
pub struct Upstream {
    protocol: ProxyType,
    host: String,
    port: u16,
    username: Option<String>,
    password: Option<String>,
}

/// `<protocol>://[user[:password]@]host:port`. Errors never repeat the text, which may hold a password.
impl FromStr for Upstream {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "is not of the form http://user:password@host:port, socks4://host:port or socks5://host:port";
        let url = Url::parse(text).map_err(|_| FORM)?;
        let protocol = ProxyType::parse(url.scheme()).ok_or(FORM)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(FORM)?;
        let port = url.port_or_known_default().ok_or(FORM)?;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Ok(Upstream {
            protocol,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port,
            username: Some(decoded(url.username())).filter(|user| !user.is_empty()),
            password: url.password().map(decoded),
        })
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.protocol, self.host, self.port)
    }
}

impl Upstream {
    /// The proxy of an endpoint's settings. `system`: the one of the node.
    pub(crate) fn of(settings: &UpstreamProxy, system: Option<&Upstream>) -> Result<Upstream, FactoryError> {
        let wrong = |member: &str, message: &str| FactoryError {
            path: format!("proxy.{member}"),
            message: message.to_owned(),
        };
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

    /// User and password in one text, to tell proxies apart.
    pub(super) fn credentials(&self) -> String {
        format!("{:?} {:?}", self.username, self.password)
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
            (ProxyType::Socks4, None) => {
                socks(Socks4Stream::connect_with_socket(tcp, place).await.map(Socks4Stream::into_inner))
            }
            (ProxyType::Socks4, Some(user)) => {
                let tunnel = Socks4Stream::connect_with_userid_and_socket(tcp, place, user).await;
                socks(tunnel.map(Socks4Stream::into_inner))
            }
            (ProxyType::Socks5, None) => {
                socks(Socks5Stream::connect_with_socket(tcp, place).await.map(Socks5Stream::into_inner))
            }
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
                warn_seldom!(proxy = self.host, %status, "the upstream proxy refused a tunnel");
                Err(Fault::Refused)
            }
            None => Err(Fault::Protocol),
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors; all others break the protocol")]
fn socks(tunnel: Result<TcpStream, SocksError>) -> Result<TcpStream, Fault> {
    tunnel.map_err(|error| {
        warn_seldom!(%error, "the upstream proxy refused a tunnel");
        match error {
            SocksError::Io(error) => Fault::of_connect(&error),
            SocksError::ConnectionRefused | SocksError::ConnectionNotAllowedByRuleset => Fault::Refused,
            SocksError::NetworkUnreachable | SocksError::HostUnreachable | SocksError::TtlExpired => {
                Fault::Unreachable
            }
            _ => Fault::Protocol,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_proxy_is_read_from_a_url() {
        let check = |text: &str, shown: &str, credentials: &str| {
            let proxy: Upstream = text.parse().unwrap();
            assert_eq!(
                (format!("{proxy:?}"), proxy.credentials()),
                (shown.to_owned(), credentials.to_owned())
            );
        };
        check("http://proxy:3128", "HTTP://proxy:3128", "None None");
        check("http://proxy", "HTTP://proxy:80", "None None");
        check("socks5://u:p%40ss@10.0.0.1:1080", "SOCKS5://10.0.0.1:1080", r#"Some("u") Some("p@ss")"#);
        check("socks4://[::1]:1080", "SOCKS4://::1:1080", "None None");
        for wrong in ["proxy:3128", "ftp://proxy:1", "socks5://proxy", "nonsense"] {
            wrong.parse::<Upstream>().unwrap_err();
        }
    }
}
