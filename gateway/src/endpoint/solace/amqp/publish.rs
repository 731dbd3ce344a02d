//! Publishing: one connection for everybody with the same settings, one link per topic.
//!
//! Confirmed means that the broker answered `accepted` for that very message: with a persistent one after it was written
//! to disk, with a direct one after it was taken in.

use super::Remote;
use super::connection::{ANSWER, Connected, address, passing_name};
use super::fault::Fault;
use super::message::Outgoing;
use definition::limits::PUBLISH_TIMEOUT_MS;
use fe2o3_amqp::Sender;
use fe2o3_amqp::types::definitions::SenderSettleMode;
use fe2o3_amqp::types::messaging::{Body, Message, Outcome, Target};
use fe2o3_amqp::types::primitives::{Symbol, Value};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

/// A broker that could not be reached is asked again no sooner than this.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(250);

/// The publishers of a gateway by settings. One lives as long as an endpoint holds it.
#[derive(Default)]
pub(super) struct Publishers(StdMutex<HashMap<[u8; 32], Weak<Publisher>>>);

impl Publishers {
    /// The publisher for `remote`.
    pub(super) fn get(&self, remote: &Arc<Remote>) -> Arc<Publisher> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(publisher) = known.get(&remote.identity).and_then(Weak::upgrade) {
            return publisher;
        }
        known.retain(|_, publisher| publisher.strong_count() > 0);
        let publisher = Arc::new(Publisher { remote: Arc::clone(remote), state: Mutex::default() });
        known.insert(remote.identity, Arc::downgrade(&publisher));
        publisher
    }
}

/// Publishes to one broker.
pub(super) struct Publisher {
    remote: Arc<Remote>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channel: Option<Arc<Channel>>,
    /// When the last attempt to connect failed, and why.
    failed: Option<(Instant, Fault)>,
}

/// A connection with its links.
struct Channel {
    connected: Mutex<Connected>,
    senders: StdMutex<HashMap<String, Arc<Mutex<Sender>>>>,
    over: AtomicBool,
}

impl Publisher {
    /// Sends one message and waits for the broker's word. `again`: once more when the connection breaks before it comes,
    /// by which the message may be there twice.
    pub(super) async fn publish(&self, outgoing: &Outgoing<'_>, again: bool) -> Result<(), Fault> {
        let sending = async {
            match self.attempt(outgoing).await {
                Err(Fault::Closed) if again => self.attempt(outgoing).await,
                outcome => outcome,
            }
        };
        let limit = Duration::from_millis(PUBLISH_TIMEOUT_MS);
        timeout(limit, sending).await.unwrap_or(Err(Fault::NoAnswer))
    }

    async fn attempt(&self, outgoing: &Outgoing<'_>) -> Result<(), Fault> {
        let channel = self.channel().await?;
        let sent = channel.send(outgoing).await;
        if sent == Err(Fault::Closed) {
            // The link is gone and mostly the connection with it, which may not know it yet.
            channel.over.store(true, Ordering::Release);
        }
        sent
    }

    async fn channel(&self) -> Result<Arc<Channel>, Fault> {
        let arrived = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(channel) = &state.channel
            && !channel.is_over().await
        {
            return Ok(Arc::clone(channel));
        }
        state.channel = None;
        // Who waited while somebody else failed need not try the same, nor who comes right after.
        if let Some((at, fault)) = &state.failed
            && (*at >= arrived || at.elapsed() < BETWEEN_ATTEMPTS)
        {
            return Err(fault.clone());
        }
        match Connected::open(&self.remote, &passing_name()).await {
            Ok(connected) => {
                let channel = Arc::new(Channel {
                    connected: Mutex::new(connected),
                    senders: StdMutex::default(),
                    over: AtomicBool::new(false),
                });
                (state.channel, state.failed) = (Some(Arc::clone(&channel)), None);
                Ok(channel)
            }
            Err(fault) => {
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

impl Channel {
    async fn is_over(&self) -> bool {
        if self.over.load(Ordering::Acquire) {
            return true;
        }
        // Somebody who attaches a link finds out by itself.
        let over = self.connected.try_lock().is_ok_and(|connected| connected.is_over());
        if over {
            self.over.store(true, Ordering::Release);
        }
        over
    }

    fn senders(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Mutex<Sender>>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sender(&self, topic: &str) -> Result<Arc<Mutex<Sender>>, Fault> {
        if let Some(sender) = self.senders().get(topic) {
            return Ok(Arc::clone(sender));
        }
        let mut connected = self.connected.lock().await;
        if let Some(sender) = self.senders().get(topic) {
            return Ok(Arc::clone(sender));
        }
        let target =
            Target::builder().address(address(topic)).capabilities(vec![Symbol::from("topic")]).build();
        let attaching = Sender::builder()
            .name(Uuid::new_v4().to_string())
            .target(target)
            .sender_settle_mode(SenderSettleMode::Unsettled)
            .attach(&mut connected.session);
        let attached = match timeout(ANSWER, attaching).await {
            Ok(attached) => attached.map_err(Fault::from),
            Err(_) => Err(Fault::NoAnswer),
        };
        if attached.is_err() && connected.is_over() {
            self.over.store(true, Ordering::Release);
        }
        let sender = Arc::new(Mutex::new(attached?));
        self.senders().insert(topic.to_owned(), Arc::clone(&sender));
        Ok(sender)
    }

    async fn send(&self, outgoing: &Outgoing<'_>) -> Result<(), Fault> {
        let sender = self.sender(outgoing.topic).await?;
        let message: Message<Body<Value>> = outgoing.encode();
        // Only the sending is one after the other; answers are awaited together.
        let answer = sender.lock().await.send_batchable(message).await?;
        match answer.await? {
            Outcome::Accepted(_) => Ok(()),
            Outcome::Rejected(rejected) => Err(rejected.error.as_ref().map_or(Fault::Refused, Fault::said)),
            Outcome::Released(_) | Outcome::Modified(_) => Err(Fault::Full),
        }
    }
}
