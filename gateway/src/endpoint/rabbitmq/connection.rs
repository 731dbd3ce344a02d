//! One connection to a broker: TCP, TLS and AMQP handshakes within one deadline.
//!
//! The client library runs every connection on a thread of its own and gives handshakes no deadline. The socket is
//! kept beside it, so that a connection to a broker that hangs can be ended without an answer.

use super::fault::Fault;
use crate::tls::look::speaks_tls;
use definition::connector::rabbitmq::{Exchange, RabbitMq};
use lapin::protocol::constants::REPLY_SUCCESS;
use lapin::tcp::{AsyncTcpStream, RustlsConnector};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use rustls::ClientConfig;
use std::collections::HashSet;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::timeout;
use uuid::Uuid;

/// A broker that has not let the gateway in after this time counts as unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A connection or channel that is no longer needed has this long to say goodbye.
pub(super) const GOODBYE: Duration = Duration::from_secs(2);
/// Heartbeats that are asked for, seconds. A broker that is silent for twice as long is given up.
const HEARTBEAT_S: u16 = 10;
/// Greatest frame, bytes; the broker's own default.
const FRAME_MAX_BYTES: u32 = 131_072;
/// Exchanges that are known to be declared on one connection; attributes can name any number of them.
const DECLARED_MAX: usize = 1_000;

/// Which broker, as whom. Two endpoints with equal targets share their connections. It holds a password, so it cannot
/// be printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Target {
    host: String,
    port: u16,
    virtual_host: String,
    username: String,
    password: String,
    /// Digest of what decides about TLS, the contents of the stores included.
    tls: Option<[u8; 32]>,
}

/// A target with what it takes to reach it.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) target: Target,
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    pub(super) fn new(settings: &RabbitMq, tls: Option<(ClientConfig, [u8; 32])>) -> Server {
        let (tls, digest) = tls.map(|(config, digest)| (Arc::new(config), digest)).unzip();
        let target = Target {
            host: settings.host.clone(),
            port: settings.port,
            virtual_host: settings.virtual_host.clone(),
            username: settings.username.clone(),
            password: settings.password.clone(),
            tls: digest,
        };
        Server { target, tls }
    }

    fn uri(&self) -> AMQPUri {
        let target = &self.target;
        let userinfo = AMQPUserInfo { username: target.username.clone(), password: target.password.clone() };
        AMQPUri {
            scheme: if self.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
            authority: AMQPAuthority { userinfo, host: target.host.clone(), port: target.port },
            vhost: target.virtual_host.clone(),
            query: AMQPQueryString {
                frame_max: Some(FRAME_MAX_BYTES),
                heartbeat: Some(HEARTBEAT_S),
                ..AMQPQueryString::default()
            },
        }
    }

    /// Connects. `role` becomes part of the name that the broker shows. With `look` a failure that nobody explains is looked into
    /// with a second connection.
    pub(super) async fn connect(&self, role: &str, look: bool) -> Result<Open, Fault> {
        let made = timeout(CONNECT_TIMEOUT, self.handshakes(role)).await.unwrap_or(Err(Fault::Unreachable));
        match made {
            // A listener for TLS ends a plain connection in a way of its own: with an alert, or without a word.
            Err(Fault::Unreachable | Fault::Protocol) if look && self.wants_tls().await => {
                Err(Fault::WantsTls)
            }
            made => made,
        }
    }

    async fn wants_tls(&self) -> bool {
        self.tls.is_none() && speaks_tls(&self.target.host, self.target.port).await
    }

    async fn handshakes(&self, role: &str) -> Result<Open, Fault> {
        let runtime = lapin::runtime::default_runtime().map_err(|_| Fault::Unreachable)?;
        let host = (self.target.host.as_str(), self.target.port);
        let addresses: Vec<SocketAddr> =
            tokio::net::lookup_host(host).await.map_err(|_| Fault::Unresolvable)?.collect();
        let stream = AsyncTcpStream::connect(&runtime, addresses).await;
        let stream = stream.map_err(|_| Fault::Unreachable)?;
        let AsyncTcpStream::Plain(plain) = &stream else { return Err(Fault::Unreachable) };
        let socket = Socket::beside(plain.get_ref()).map_err(|_| Fault::Unreachable)?;
        let stream = match &self.tls {
            None => stream,
            Some(config) => {
                let connector = RustlsConnector::from(Arc::clone(config));
                stream
                    .into_rustls(&connector, &self.target.host)
                    .await
                    .map_err(|error| Fault::of_io(&error))?
            }
        };
        let id = Uuid::new_v4().simple().to_string();
        let name = format!("gio-apim-{role}-{}", &id[..8]);
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        // Reconnecting is ours, so the library asks for a stream once.
        let ready = Mutex::new(Some(stream));
        let take = async move |_: AMQPUri, _| {
            let stream = ready.lock().unwrap_or_else(PoisonError::into_inner).take();
            stream.ok_or_else(|| lapin::Error::from(io::Error::from(io::ErrorKind::NotConnected)))
        };
        let connection = Connection::connector(self.uri(), runtime, take, properties).await;
        let connection = connection.map_err(|error| Fault::of_handshake(&error))?;
        Ok(Open { connection: Some(connection), socket: Some(socket), declared: Mutex::default() })
    }
}

/// A second handle of a connection's socket; dropping it ends the connection.
struct Socket(TcpStream);

impl Socket {
    fn beside(stream: &tokio::net::TcpStream) -> io::Result<Socket> {
        stream.set_nodelay(true)?;
        Ok(Socket(TcpStream::from(stream.as_fd().try_clone_to_owned()?)))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // An error only means that the connection has ended already.
        drop(self.0.shutdown(Shutdown::Both));
    }
}

/// A connection that was made; it may be lost by now.
pub(super) struct Open {
    /// Present until dropped.
    connection: Option<Connection>,
    socket: Option<Socket>,
    declared: Mutex<HashSet<Exchange>>,
}

impl Open {
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.status().connected())
    }

    /// The broker reads nothing from this connection until it has memory or disk space again.
    pub(super) fn is_blocked(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.status().blocked())
    }

    fn known(&self) -> MutexGuard<'_, HashSet<Exchange>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the exchange was declared on this connection.
    pub(super) fn has_declared(&self, exchange: &Exchange) -> bool {
        self.known().contains(exchange)
    }

    pub(super) fn declared(&self, exchange: &Exchange) {
        let mut known = self.known();
        if known.len() >= DECLARED_MAX {
            known.clear();
        }
        known.insert(exchange.clone());
    }

    /// The exchange is gone.
    pub(super) fn forget(&self, exchange: &Exchange) {
        self.known().remove(exchange);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (Some(connection), socket) = (self.connection.take(), self.socket.take()) else { return };
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(async move {
                // Whether the broker heard it or not: the socket goes afterwards.
                drop(timeout(GOODBYE, connection.close(REPLY_SUCCESS, "OK".into())).await);
                drop(socket);
            });
        }
    }
}
