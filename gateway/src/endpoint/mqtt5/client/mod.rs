//! Clients of MQTT 5 brokers, for every endpoint that speaks the protocol: one publisher per broker, one shared source
//! per topic filter for QoS none, one session per client identifier above it.
//!
//! The library is a state machine that one task polls (`line`); what comes goes into a buffer under a lock, and what is to be
//! sent goes through the library's own queue. Reconnecting, with its pauses and its end, is ours.

mod fault;
mod line;
mod publisher;
mod received;
mod session;
mod source;
mod window;

use crate::endpoint::fanout::Fanouts;
use crate::failure::Failure;
use line::Wire;
use rumqttc::{
    AckMode, BrokerSessionResumePolicy, ConnAck, IncomingPacketSizeLimit, MqttOptions, TlsConfiguration,
    Transport,
};
use sha2::{Digest as _, Sha256};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use uuid::Uuid;

pub(crate) use publisher::Outgoing;
pub(crate) use session::Wish;

/// An idle connection proves that it lives this often, seconds. One that is dead is noticed within twice the time.
const KEEP_ALIVE_S: u16 = 10;
/// A broker that does not accept a connection within this time is unreachable.
const CONNECT: Duration = Duration::from_secs(4);
/// Greatest packet that is received, bytes; brokers keep greater ones from this client.
const PACKET_MAX_BYTES: u32 = 2 * 1024 * 1024;
/// Messages that a broker sends without acknowledgement of those before: the back pressure of a session.
const RECEIVE_MAX: u16 = 32;
/// Requests that may wait for the polling task.
const REQUESTS_MAX: usize = 256;
/// Messages of a writer that are on their way at a time, if the broker allows as many; the library keeps room for all of them.
const WRITER_IN_FLIGHT_MAX: u16 = 1_024;
/// Packets of a reader (subscriptions, confirmations) that are on their way at a time.
const READER_IN_FLIGHT_MAX: u16 = 16;

const _: () = assert!(REQUESTS_MAX > 2 * RECEIVE_MAX as usize, "an acknowledgement always finds room");

/// Who uses a broker.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) username: String,
    pub(crate) password: Option<String>,
}

/// A broker, how it is reached and how hard it is tried again. Not printable: it holds secrets.
#[derive(Clone)]
pub(crate) struct Broker {
    host: String,
    port: u16,
    tls: Option<Arc<rustls::ClientConfig>>,
    credentials: Option<Credentials>,
    reconnect_attempts: u32,
    key: BrokerKey,
}

/// What makes two endpoints share their clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct BrokerKey([u8; 32]);

impl Broker {
    /// `host`: an IPv6 address without brackets. `tls`: absent for a plain connection. `seen`: the bytes of its stores and its
    /// settings. `reconnect_attempts`: after a connection was lost, before readers are told.
    pub(crate) fn new(
        host: &str,
        port: u16,
        (tls, mut seen): (Option<rustls::ClientConfig>, Sha256),
        credentials: Option<Credentials>,
        reconnect_attempts: u32,
    ) -> Broker {
        let user = credentials.as_ref().map(|user| (&user.username, &user.password));
        seen.update(format!("{host:?}\n{port}\n{}\n{user:?}\n{reconnect_attempts}", tls.is_some()));
        Broker {
            host: host.to_owned(),
            port,
            tls: tls.map(Arc::new),
            credentials,
            reconnect_attempts,
            key: BrokerKey(seen.finalize().into()),
        }
    }

    /// Options of a client that begins anew and leaves nothing behind.
    fn options(&self, client_id: &str) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, rumqttc::Broker::tcp(self.host.clone(), self.port));
        if let Some(tls) = &self.tls {
            options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::clone(tls))));
        }
        match &self.credentials {
            Some(Credentials { username, password: Some(password) }) => {
                options.set_credentials(username.clone(), password.clone().into_bytes());
            }
            Some(Credentials { username, password: None }) => {
                options.set_username(username.clone());
            }
            None => {}
        }
        let address = (self.host.clone(), self.port);
        options
            .set_socket_connector(move |_, _| connect(address.clone()))
            .set_keep_alive(KEEP_ALIVE_S)
            .set_connect_timeout(CONNECT)
            .set_request_channel_capacity(REQUESTS_MAX)
            .set_outgoing_inflight_upper_limit(WRITER_IN_FLIGHT_MAX)
            .set_incoming_packet_size_limit(IncomingPacketSizeLimit::Bytes(PACKET_MAX_BYTES))
            .set_broker_session_resume_policy(BrokerSessionResumePolicy::AllowBrokerOnly);
        options
    }

    /// Options of a reader: it acknowledges by hand.
    fn reader(&self, client_id: &str, expiry_s: u32, clean_start: bool) -> MqttOptions {
        let mut options = self.options(client_id);
        options
            .set_ack_mode(AckMode::Manual)
            .set_outgoing_inflight_upper_limit(READER_IN_FLIGHT_MAX)
            .set_session_expiry_interval(Some(expiry_s))
            .set_receive_maximum(Some(RECEIVE_MAX))
            .set_clean_start(clean_start);
        options
    }
}

/// A name that was not found is told apart from a host that does not answer.
async fn connect((host, port): (String, u16)) -> io::Result<TcpStream> {
    let unresolvable = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let addresses = lookup_host((host.as_str(), port)).await.map_err(|error| {
        tracing::debug!(%error, host, "an MQTT broker's name was not resolved");
        unresolvable()
    })?;
    let mut last = unresolvable();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A client id that nobody else has.
fn random_client_id(role: &str) -> String {
    let id = Uuid::new_v4().simple().to_string();
    format!("gio-apim-{role}-{}", &id[..8])
}

/// Clients of one gateway.
#[derive(Default)]
pub(crate) struct Clients {
    publishers: Arc<publisher::Publishers>,
    sources: Arc<Fanouts<source::Key>>,
    sessions: Arc<session::Sessions>,
}

/// Connects and leaves again.
struct Hello;

impl Wire for Hello {
    fn connected(&self, _: &ConnAck, _away: bool) {}

    fn lost(&self) {}
}

/// Asks the broker whether it lets this gateway in.
///
/// # Errors
/// Why it does not.
pub(crate) async fn probe(broker: &Broker) -> Result<(), Failure> {
    let (client, mut events) = line::client(broker.options(&random_client_id("probe")));
    // It waits in the queue until there is a connection to leave.
    let left = client.try_disconnect();
    match line::drive(&mut events, &Hello, 0).await.failure() {
        None if left.is_ok() => Ok(()),
        None => Err(fault::Cause::Unreachable.failure()),
        Some(failure) => Err(failure),
    }
}
