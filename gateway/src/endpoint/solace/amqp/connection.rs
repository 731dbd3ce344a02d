//! A connection with one session and the links that read over it. Every step has a deadline: some brokers do not answer
//! what they do not like.

use super::Remote;
use super::fault::Fault;
use super::line::{Cut, Greeting, Line};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::delivery::{Delivery, DeliveryInfo};
use fe2o3_amqp::link::{Receiver, RecvError};
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::SenderSettleMode;
use fe2o3_amqp::types::messaging::{Body, Message, Source, TerminusDurability, TerminusExpiryPolicy};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use fe2o3_amqp::{Connection, Session};
use futures::future::{BoxFuture, FutureExt as _, select_all};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

/// A broker has this long to let the gateway in, or to attach its links.
pub(super) const ANSWER: Duration = Duration::from_secs(4);
/// Time for leaving.
const GOODBYE: Duration = Duration::from_secs(2);
/// A broker that says nothing for this long is gone, milliseconds. It is asked to say something twice as often.
const IDLE_MS: u32 = 20_000;
/// Largest frame, bytes; longer messages come in several.
const FRAME_MAX_BYTES: u32 = 64 * 1024;
/// Frames that wait between the layers of a connection.
const FRAMES_WAITING: usize = 2_048;
/// Longest name of a client or topic that is used as it is, bytes.
const PLAIN_NAME_MAX: usize = 64;

/// A message as it came, with what settles it.
pub(super) struct Incoming {
    /// Number of the link.
    pub(super) link: usize,
    pub(super) info: DeliveryInfo,
    pub(super) message: Message<Body<Value>>,
}

/// How a topic is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// What comes from now on, settled before it is sent.
    Live,
    /// A subscription that the broker keeps. `settled`: nothing is sent twice, not even what got lost on the way.
    Durable { settled: bool },
}

/// An open connection. The cut comes before the links: it is dropped first.
pub(super) struct Connected {
    cut: Cut,
    receivers: Vec<Receiver>,
    pub(super) session: SessionHandle<()>,
    connection: ConnectionHandle<()>,
    sharing: bool,
}

impl Connected {
    /// Connects as `container`.
    pub(super) async fn open(remote: &Remote, container: &str) -> Result<Connected, Fault> {
        let opening = async {
            let (line, cut, greeting) = Line::connect(&remote.server, remote.tls.as_ref()).await?;
            Connected::over(remote, container, line, cut, &greeting).await
        };
        timeout(ANSWER, opening).await.unwrap_or(Err(Fault::NoAnswer))
    }

    async fn over(
        remote: &Remote,
        container: &str,
        line: Line,
        cut: Cut,
        greeting: &Greeting,
    ) -> Result<Connected, Fault> {
        let profile = match &remote.credentials {
            None => SaslProfile::Anonymous,
            Some(credentials) => SaslProfile::Plain {
                username: credentials.username.clone(),
                password: credentials.password.clone(),
            },
        };
        let mut connection = Connection::builder()
            .container_id(container)
            .hostname(remote.vpn_name.as_deref())
            .sasl_hostname(remote.vpn_name.as_deref())
            .max_frame_size(FRAME_MAX_BYTES)
            .idle_time_out(IDLE_MS)
            .buffer_size(FRAMES_WAITING)
            .sasl_profile(profile)
            .open_with_stream(line)
            .await
            .map_err(|error| {
                let fault = Fault::from(error);
                if matches!(fault, Fault::Closed) { Fault::HungUp } else { fault }
            })?;
        let sharing = greeting.offers_sharing();
        let session = Session::builder().buffer_size(FRAMES_WAITING).begin(&mut connection).await?;
        Ok(Connected { cut, receivers: Vec::new(), session, connection, sharing })
    }

    /// Attaches a link that reads `topic`. It gets no message before it has credit.
    pub(super) async fn attach(&mut self, topic: &str, reading: Reading) -> Result<(), Fault> {
        let (name, settled) = match reading {
            Reading::Live => (Uuid::new_v4().to_string(), true),
            Reading::Durable { settled } => (plain_name(topic), settled),
        };
        let mut capabilities = vec![Symbol::from("topic")];
        if self.sharing && reading != Reading::Live {
            capabilities.push(Symbol::from("shared"));
        }
        let mut source = Source::builder().address(address(topic)).capabilities(capabilities);
        if reading != Reading::Live {
            source =
                source.durable(TerminusDurability::UnsettledState).expiry_policy(TerminusExpiryPolicy::Never);
        }
        let mode = if settled { SenderSettleMode::Settled } else { SenderSettleMode::Unsettled };
        let attaching = Receiver::builder()
            .name(name)
            .source(source.build())
            .sender_settle_mode(mode)
            .credit_mode(fe2o3_amqp::link::CreditMode::Manual)
            .attach(&mut self.session);
        let receiver = timeout(ANSWER, attaching).await.map_err(|_| Fault::NoAnswer)??;
        self.receivers.push(receiver);
        Ok(())
    }

    /// Whether the broker or the network ended it.
    pub(super) fn is_over(&self) -> bool {
        self.connection.is_closed()
    }

    /// The next message of any link. Nothing is lost when this is dropped.
    pub(super) async fn next(&mut self) -> Result<Incoming, Fault> {
        loop {
            let (link, received) = self.first().await;
            match received {
                Ok(delivery) => {
                    let (info, message) = delivery.into_parts();
                    return Ok(Incoming { link, info, message });
                }
                // Kept, it would come back for ever; nobody can read it.
                Err(RecvError::MessageDecode(error)) => {
                    tracing::warn!(%error, "a message from a broker cannot be read and is rejected");
                    self.receivers[link].reject(error.info, None).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    async fn first(&mut self) -> (usize, Result<Delivery<Body<Value>>, RecvError>) {
        if let [only] = self.receivers.as_mut_slice() {
            return (0, only.recv().await);
        }
        let each = self.receivers.iter_mut().map(|receiver| -> BoxFuture<'_, _> { receiver.recv().boxed() });
        let (received, link, _) = select_all(each).await;
        (link, received)
    }

    /// Tells the broker that a message is done with.
    pub(super) async fn accept(&self, link: usize, info: DeliveryInfo) -> Result<(), Fault> {
        Ok(self.receivers[link].accept(info).await?)
    }

    /// Lets `wanted` more messages come over every link that has used up half of what it had or all of it.
    pub(super) async fn allow(&mut self, wanted: u32, at_once: bool) -> Result<(), Fault> {
        for receiver in &mut self.receivers {
            let left = receiver.credit();
            if left < wanted && (at_once || left <= wanted / 2) {
                receiver.set_credit(wanted).await?;
            }
        }
        Ok(())
    }

    /// Leaves. What was accepted has arrived at the broker then; durable subscriptions stay, with everything else.
    pub(super) async fn close(self) {
        let Connected { cut, receivers, session, connection, .. } = self;
        let mut leaving = Leaving { cut, work: leave(receivers, session, connection).boxed() };
        if timeout(GOODBYE, leaving.work.as_mut()).await.is_err() {
            tracing::debug!("a broker did not say goodbye");
        }
    }
}

/// The same order again: cut first, then the links that were not detached.
struct Leaving {
    #[expect(dead_code, reason = "it is there to be dropped first")]
    cut: Cut,
    work: BoxFuture<'static, Vec<fe2o3_amqp::link::receiver::DetachedReceiver>>,
}

async fn leave(
    receivers: Vec<Receiver>,
    session: SessionHandle<()>,
    mut connection: ConnectionHandle<()>,
) -> Vec<fe2o3_amqp::link::receiver::DetachedReceiver> {
    let mut detached = Vec::new();
    for receiver in receivers {
        let outcome = receiver.detach().await;
        detached.push(outcome.unwrap_or_else(|(receiver, error)| {
            tracing::debug!(%error, "a broker did not detach a link as asked");
            receiver
        }));
    }
    // Brokers differ in how they answer this, and nothing depends on it.
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a broker did not close a connection as asked");
    }
    drop(session);
    detached
}

/// A name that no other connection has.
pub(super) fn passing_name() -> String {
    format!("tidegate-{}", Uuid::new_v4())
}

/// The name of everything that reads for a client identifier: the broker keeps subscriptions under it.
pub(super) fn lasting_name(client_identifier: &str) -> String {
    format!("tidegate-{}", plain_name(client_identifier))
}

/// The address of a topic.
pub(super) fn address(topic: &str) -> String {
    format!("topic://{topic}")
}

/// A name that brokers can use for what they keep: the text itself, or the begin of it with its digest.
fn plain_name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.len() <= PLAIN_NAME_MAX && text.chars().all(plain) {
        return text.to_owned();
    }
    let begin: String = text.chars().filter(|c| plain(*c)).take(PLAIN_NAME_MAX / 2).collect();
    let digest = Sha256::digest(text.as_bytes());
    let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("{begin}-{digest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_when_brokers_can_use_them_and_told_apart_otherwise() {
        assert_eq!(plain_name("orders/eu.1"), "orders/eu.1");
        let (all, one) = (plain_name("orders/>"), plain_name("orders/*"));
        assert!(all.starts_with("orders/-") && one.starts_with("orders/-"), "{all} {one}");
        assert_ne!(all, one);
        assert!(plain_name(&"é".repeat(300)).len() <= PLAIN_NAME_MAX);
        assert!(!plain_name("a|b").contains('|'));
    }
}
