//! AMQP 1.0. One connection publishes for everybody with the same settings (`publish`); at QoS none one connection per
//! set of topics reads for everybody (`live`); at the other levels one reads for each client identifier (`durable`).

mod connection;
mod durable;
mod group;
mod line;
mod live;
mod message;
mod outage;
mod publish;

pub(super) use durable::{Groups, join};
pub(super) use group::GroupKey;
pub(super) use live::read as read_live;
pub(super) use message::Outgoing;
pub(super) use publish::{Publisher, Publishers};

use super::fault::Fault;
use definition::connector::solace::{Credentials, Server};
use rustls::ClientConfig;
use std::sync::Arc;

/// A broker, and as whom to speak with it.
pub(super) struct Remote {
    pub(super) server: Server,
    pub(super) vpn_name: Option<String>,
    pub(super) credentials: Option<Credentials>,
    /// `None`: not encrypted.
    pub(super) tls: Option<Arc<ClientConfig>>,
    /// Digest of all of the above, for clients that are shared.
    pub(super) identity: [u8; 32],
}

/// Asks whether the broker lets the gateway in.
pub(super) async fn probe(remote: &Remote) -> Result<(), Fault> {
    connection::Connected::open(remote, &connection::passing_name()).await?.close().await;
    Ok(())
}
