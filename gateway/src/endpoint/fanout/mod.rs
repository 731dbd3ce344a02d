//! QoS none: however many clients read, one source at the broker per key (endpoint settings, topics) and node.
//!
//! A task reads the source and puts what comes into a ring; every reader has its own place in it, and one that falls
//! out of the ring's budget is told so, alone. The source ends a short while after its last reader left, so that a
//! client that reconnects finds it warm. Kafka's shared fetch works the same way on a thread of its own.

pub(crate) mod ring;

use crate::failure::Failure;
use crate::message::{Message, MessageStream};
use bytes::Bytes;
use definition::limits::SHARED_FETCH_BUFFER_MAX_BYTES;
use futures::stream::{self, StreamExt as _};
use ring::{Kept, Ring};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// A source outlives its last reader for this long.
const LINGER: Duration = Duration::from_secs(2);
/// A source that is no longer wanted has this long to say goodbye to its broker.
const GOODBYE: Duration = Duration::from_secs(5);
/// Bookkeeping counted for every message beside its bytes, bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// A message that came from a broker, before it is one client's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) content: Option<Bytes>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) metadata: Vec<(Cow<'static, str>, Value)>,
}

impl Kept for Received {
    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        MESSAGE_OVERHEAD_BYTES + headers + self.content.as_ref().map_or(0, Bytes::len)
    }

    fn message(&self) -> Message {
        let mut message = Message::new(self.content.clone());
        message.headers.clone_from(&self.headers);
        message.metadata.clone_from(&self.metadata);
        message
    }
}

/// The shared sources of one kind of endpoint, by what makes two clients share one.
pub(crate) struct Fanouts<K>(Mutex<HashMap<K, Arc<Fanout>>>);

impl<K> Default for Fanouts<K> {
    fn default() -> Self {
        Fanouts(Mutex::default())
    }
}

struct Fanout {
    state: Mutex<State>,
    /// Readers wait for messages.
    changed: watch::Sender<()>,
    /// The source waits for the last reader to go.
    readers: watch::Sender<usize>,
}

struct State {
    ring: Ring<Received>,
    phase: Phase,
}

enum Phase {
    /// The broker has not answered yet.
    Starting,
    Live,
    /// Nothing more comes; nobody may join.
    Over(Option<Failure>),
}

impl Fanout {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The count changes under the lock of the state, so that a source that ends has no reader that joined meanwhile.
    fn join(self: &Arc<Self>) -> Option<Reader> {
        let state = self.state();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        self.readers.send_modify(|readers| *readers += 1);
        let next = state.ring.end();
        drop(state);
        let changed = self.changed.subscribe();
        Some(Reader { fanout: Arc::clone(self), next, changed, batch: VecDeque::new() })
    }

    fn end(&self, outcome: Result<(), Failure>) {
        self.state().phase = Phase::Over(outcome.err());
        self.changed.send_replace(());
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Fanouts<K> {
    /// Joins the source of `key`; `start` makes it when there is none.
    ///
    /// The source calls `Feed::live` when what is sent from then on will come, hands over what comes, reconnects as it
    /// sees fit, and returns when `Feed::unwanted` does; an error is what its readers are told.
    pub(crate) fn join<F>(self: &Arc<Self>, key: K, start: impl FnOnce(Feed) -> F) -> Reader
    where
        F: Future<Output = Result<(), Failure>> + Send + 'static,
    {
        let mut fanouts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reader) = fanouts.get(&key).and_then(Fanout::join) {
            return reader;
        }
        let ring = Ring::new(SHARED_FETCH_BUFFER_MAX_BYTES);
        let fanout = Arc::new(Fanout {
            state: Mutex::new(State { ring, phase: Phase::Starting }),
            changed: watch::Sender::new(()),
            readers: watch::Sender::new(1),
        });
        let changed = fanout.changed.subscribe();
        let reader = Reader { fanout: Arc::clone(&fanout), next: 0, changed, batch: VecDeque::new() };
        let source = start(Feed(Arc::clone(&fanout)));
        tokio::spawn(run(Arc::clone(self), key.clone(), Arc::clone(&fanout), source));
        fanouts.insert(key, fanout);
        reader
    }
}

async fn run<K: Eq + Hash>(
    fanouts: Arc<Fanouts<K>>,
    key: K,
    fanout: Arc<Fanout>,
    source: impl Future<Output = Result<(), Failure>>,
) {
    let feed = Feed(Arc::clone(&fanout));
    let outcome = tokio::select! {
        outcome = source => outcome,
        () = async { feed.unwanted().await; tokio::time::sleep(GOODBYE).await } => Ok(()),
    };
    if let Err(failure) = &outcome {
        tracing::warn!(%failure, "a shared source ended");
    }
    fanout.end(outcome);
    let mut fanouts = fanouts.0.lock().unwrap_or_else(PoisonError::into_inner);
    if fanouts.get(&key).is_some_and(|known| Arc::ptr_eq(known, &fanout)) {
        fanouts.remove(&key);
    }
}

/// The source's side.
pub(crate) struct Feed(Arc<Fanout>);

impl Feed {
    /// What the broker gets from now on will come.
    pub(crate) fn live(&self) {
        let mut state = self.0.state();
        if matches!(state.phase, Phase::Starting) {
            state.phase = Phase::Live;
        }
        drop(state);
        self.0.changed.send_replace(());
    }

    /// Hands a message to every reader.
    pub(crate) fn push(&self, received: Received) {
        self.0.state().ring.push(received);
        self.0.changed.send_replace(());
    }

    /// Returns once nobody has read for a while. Nobody can join any more then.
    pub(crate) async fn unwanted(&self) {
        let mut readers = self.0.readers.subscribe();
        loop {
            if readers.wait_for(|readers| *readers == 0).await.is_err() {
                return;
            }
            let back = tokio::time::timeout(LINGER, readers.wait_for(|readers| *readers > 0)).await;
            if back.is_err() {
                let mut state = self.0.state();
                if *self.0.readers.borrow() == 0 {
                    if !matches!(state.phase, Phase::Over(_)) {
                        state.phase = Phase::Over(None);
                    }
                    return;
                }
            }
        }
    }
}

/// One client's place.
pub(crate) struct Reader {
    fanout: Arc<Fanout>,
    next: u64,
    changed: watch::Receiver<()>,
    batch: VecDeque<Arc<ring::Shared<Received>>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fanout.readers.send_modify(|readers| *readers -= 1);
    }
}

impl Reader {
    /// Waits until the source is live or over.
    pub(crate) async fn started(&mut self) {
        while matches!(self.fanout.state().phase, Phase::Starting) {
            if self.changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// The next message; `Ok(None)`: the source is over.
    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(shared) = self.batch.pop_front() {
                return Ok(Some(shared.message()));
            }
            self.changed.mark_unchanged();
            {
                let state = self.fanout.state();
                state.ring.take(&mut self.next, &mut self.batch).map_err(ring::too_slow)?;
                if self.batch.is_empty()
                    && let Phase::Over(failure) = &state.phase
                {
                    return failure.clone().map_or(Ok(None), Err);
                }
            }
            if self.batch.is_empty() && self.changed.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// The messages from here on; a failure of the source is the last item.
    pub(crate) fn into_stream(self) -> MessageStream {
        stream::unfold(Some(self), |reader| async {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(reader))),
                Ok(None) => None,
                Err(failure) => Some((Err(failure), None)),
            }
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use pretty_assertions::assert_eq;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::mpsc;

    fn received(text: &str) -> Received {
        Received { content: Some(text.to_owned().into()), ..Received::default() }
    }

    /// Joins; the source says what is sent to it and counts how often it began.
    fn join(
        fanouts: &Arc<Fanouts<&'static str>>,
        begun: &Arc<AtomicUsize>,
    ) -> (Reader, mpsc::Sender<&'static str>) {
        let (say, mut said) = mpsc::channel(4);
        let begun = Arc::clone(begun);
        let reader = fanouts.join("key", move |feed| async move {
            begun.fetch_add(1, Ordering::SeqCst);
            feed.live();
            loop {
                tokio::select! {
                    text = said.recv() => match text {
                        Some("break") => return Err(Failure::plain(StatusCode::BAD_GATEWAY, "broken")),
                        Some(text) => feed.push(received(text)),
                        None => feed.unwanted().await,
                    },
                    () = feed.unwanted() => return Ok(()),
                }
            }
        });
        (reader, say)
    }

    async fn text(reader: &mut Reader) -> String {
        let message = reader.next().await.expect("no failure").expect("a message");
        String::from_utf8(message.content.expect("content").to_vec()).expect("text")
    }

    #[tokio::test]
    async fn readers_share_one_source_and_each_gets_everything_since_it_came() {
        let (fanouts, begun) = (Arc::default(), Arc::default());
        let (mut first, say) = join(&fanouts, &begun);
        first.started().await;
        say.try_send("a").expect("the source listens");
        assert_eq!(text(&mut first).await, "a");
        let (mut second, unused) = join(&fanouts, &begun);
        assert!(unused.is_closed(), "the second start is not used");
        say.try_send("b").expect("the source listens");
        assert_eq!((text(&mut first).await, text(&mut second).await), ("b".to_owned(), "b".to_owned()));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn a_source_ends_a_while_after_its_last_reader_and_another_begins() {
        let (fanouts, begun) = (Arc::default(), Arc::default());
        let (first, say) = join(&fanouts, &begun);
        drop(first);
        let (second, _) = join(&fanouts, &begun);
        drop(second);
        say.closed().await;
        let (mut third, say) = join(&fanouts, &begun);
        say.try_send("c").expect("the source listens");
        assert_eq!((text(&mut third).await, begun.load(Ordering::SeqCst)), ("c".to_owned(), 2));
    }

    #[tokio::test]
    async fn a_failure_of_the_source_comes_after_what_was_there() {
        let (fanouts, begun) = (Arc::default(), Arc::default());
        let (reader, say) = join(&fanouts, &begun);
        say.try_send("last").and_then(|()| say.try_send("break")).expect("the source listens");
        let items: Vec<_> = reader.into_stream().collect().await;
        let items: Vec<String> = items
            .into_iter()
            .map(|item| item.map_or_else(|failure| failure.to_string(), |_| "message".to_owned()))
            .collect();
        assert_eq!(items, ["message", "502 Bad Gateway broken"]);
    }
}
