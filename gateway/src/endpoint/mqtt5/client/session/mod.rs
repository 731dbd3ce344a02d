//! A session per client identifier: the broker keeps for it what nobody read, and every connection of the identifier on this
//! gateway reads from it.
//!
//! It is a shared subscription (`$share/<identifier>/<filter>`) of a client whose id every gateway derives from the identifier and the
//! filter, so that whichever gateway a client comes to finds what was kept. Further gateways that serve the identifier at the same
//! time are further members of the group, with further client ids that every gateway knows: its seats (`seat`). Who sits there
//! and who has left is found out by sitting down (`serve`).
//!
//! At-least-once acknowledges what an entrypoint delivered. At-most-once acknowledges first and waits until the broker answered
//! something that was sent after the acknowledgements: only then nobody can get these messages again.

mod nothing;
mod reader;
mod refusal;
mod seat;
mod serve;
mod shared;

use super::fault::{Cause, closed};
use super::{Broker, BrokerKey, Clients};
use crate::failure::{Failure, key};
use crate::message::MessageStream;
use definition::api::Qos;
use futures::stream::{self, StreamExt as _};
use http::StatusCode;
use reader::Reader;
use sha2::{Digest as _, Sha256};
use shared::{Phase, Session};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;
use uuid::Uuid;

pub(super) use refusal::refusal;

/// A broker that did not let a reader in for this long does not answer.
pub(super) const START: Duration = Duration::from_millis(4_500);
/// Sessions of one gateway; each has a connection.
const SESSIONS_MAX: usize = 8_192;

/// What a reader wants.
pub(crate) struct Wish {
    /// A topic filter.
    pub(crate) filter: Arc<str>,
    /// The name that the session goes by.
    pub(crate) identifier: String,
    /// Seconds that the broker keeps the session of an absent reader; `u32::MAX`: for ever.
    pub(crate) expiry_s: u32,
    /// Whether it begins without what was kept.
    pub(crate) clean_start: bool,
}

type Key = (BrokerKey, String);

/// The sessions of a gateway.
pub(super) struct Sessions {
    open: Mutex<HashMap<Key, Arc<Session>>>,
    /// Tells this gateway from others.
    node: String,
}

impl Default for Sessions {
    fn default() -> Self {
        let id = Uuid::new_v4().simple().to_string();
        Sessions { open: Mutex::default(), node: id[..8].to_owned() }
    }
}

async fn run(sessions: Arc<Sessions>, key: Key, session: Arc<Session>, clean_start: bool) {
    let failure = session.serve(clean_start).await;
    if let Some(failure) = &failure {
        tracing::warn!(client_id = session.client_id, %failure, "an MQTT session ended");
    }
    let mut open = sessions.open();
    if open.get(&key).is_some_and(|known| Arc::ptr_eq(known, &session)) {
        open.remove(&key);
    }
    session.state().phase = Phase::Over(failure.unwrap_or_else(closed));
    drop(open);
    session.tell_all();
}

impl Sessions {
    fn open(&self) -> MutexGuard<'_, HashMap<Key, Arc<Session>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's reader, or the session that has to be gone first.
    fn join(
        self: &Arc<Self>,
        broker: &Broker,
        wish: &Wish,
        once: bool,
    ) -> Result<Result<Reader, Arc<Session>>, Failure> {
        let mut client_id = client_id(&wish.identifier, &wish.filter);
        let key = (broker.key, client_id.clone());
        if wish.expiry_s == 0 {
            // Nothing is kept that another gateway could find, so there is nothing to meet for.
            client_id = format!("{client_id}-{}", self.node);
        }
        let mut open = self.open();
        if let Some(session) = open.get(&key) {
            return Ok(session.join(once).ok_or_else(|| Arc::clone(session)));
        }
        if open.len() >= SESSIONS_MAX {
            let text = format!(
                "this gateway already reads from MQTT brokers as {SESSIONS_MAX} clients: try again later, use qos none, \
                 which shares one, or add gateways"
            );
            return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, text));
        }
        let shared_filter = format!("$share/{}/{}", group(&wish.identifier), wish.filter);
        let session = Arc::new(Session::new(broker.clone(), client_id, shared_filter, wish.expiry_s));
        let reader = session.join(once).ok_or_else(closed)?;
        tokio::spawn(run(Arc::clone(self), key.clone(), Arc::clone(&session), wish.clean_start));
        open.insert(key, session);
        Ok(Ok(reader))
    }
}

/// The name of a group of readers; it is a level of a topic filter.
fn group(identifier: &str) -> String {
    identifier.replace(['/', '+', '#', '\0'], "_")
}

/// The same on every gateway. Two topic filters of one identifier have a session each.
fn client_id(identifier: &str, filter: &str) -> String {
    let digest = Sha256::digest(filter.as_bytes());
    let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("gio-apim-client-{}-{short}", identifier.replace('\0', "_"))
}

impl Clients {
    /// The messages of a topic filter that nobody with the same identifier got.
    ///
    /// # Errors
    /// Why the broker cannot be read.
    pub(crate) async fn subscribe(
        &self,
        broker: &Broker,
        wish: &Wish,
        qos: Qos,
    ) -> Result<MessageStream, Failure> {
        let once = qos == Qos::AtMostOnce;
        let reader = async {
            loop {
                match self.sessions.join(broker, wish, once)? {
                    Ok(reader) => return Ok::<Reader, Failure>(reader),
                    Err(leaving) => leaving.gone().await,
                }
            }
        };
        let started = timeout(START, async {
            let mut reader = reader.await?;
            reader.started().await?;
            Ok(reader)
        });
        let reader = started.await.unwrap_or_else(|_| Err(Cause::Unreachable.failure()))?;
        let messages = stream::unfold(Some(reader), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(message) => Some((Ok(message), Some(reader))),
                Err(failure) => Some((Err(failure), None)),
            }
        });
        Ok(messages.boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_everywhere_and_tell_filters_apart() {
        assert_eq!(client_id("me", "a/#"), client_id("me", "a/#"));
        assert_ne!(client_id("me", "a/#"), client_id("me", "b/#"));
        assert_eq!(group("a/b+c#d"), "a_b_c_d", "a group is one level without wildcards");
    }
}
