//! AMQP 1.0. One connection publishes for everybody with the same settings (`publish`); at QoS none one connection per
//! set of topics reads for everybody (`live`); at the other levels one reads for each client identifier (`durable`).

mod connection;
mod durable;
mod endpoint;
mod fault;
mod group;
mod line;
mod live;
mod message;
mod outage;
mod publish;

pub(super) use endpoint::{AmqpEndpoint, Clients};

use definition::connector::solace::{Credentials, Server};
use rustls::ClientConfig;
use std::sync::Arc;

/// A broker, and as whom to speak with it.
struct Remote {
    server: Server,
    vpn_name: Option<String>,
    credentials: Option<Credentials>,
    /// `None`: not encrypted.
    tls: Option<Arc<ClientConfig>>,
    /// Digest of all of the above, for clients that are shared.
    identity: [u8; 32],
}
