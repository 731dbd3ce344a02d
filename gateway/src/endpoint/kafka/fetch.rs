//! The shared fetch of QoS none: however many clients read, one consumer per connection and topics.
//!
//! A thread assigns every partition at the live end and puts records into a ring; readers have their own place in it.
//! The thread ends a short while after its last reader left. With the brokers away readers wait (their entrypoints keep
//! the connection alive) until the outage has lasted too long; then they are told. Nothing is ever committed.

use super::Clients;
use super::client_config;
use super::connection::Connection;
use super::consumer::{self, LogEnd, POLL, Partition, ReaderContext};
use super::permits::Permit;
use super::record::{Content, Record, TopicNames};
use super::topics::Topics;
use crate::endpoint::fanout::ring::{self, Ring};
use crate::failure::Failure;
use crate::message::Message;
use definition::limits::SHARED_FETCH_BUFFER_MAX_BYTES;
use http::StatusCode;
use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// A fetch outlives its last reader for this long, so that a reconnecting client finds it warm.
const LINGER: Duration = Duration::from_secs(2);
/// Records that are put into the ring in one go.
const PUSH_MAX_RECORDS: usize = 64;

/// What makes two clients share a fetch.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct FetchKey {
    pub(super) connection: Connection,
    pub(super) topics: Topics,
    pub(super) content: Content,
}

/// The fetches of a gateway.
pub(super) type Fetches = Mutex<HashMap<FetchKey, Arc<Fetch>>>;

/// One fetch.
pub(super) struct Fetch {
    key: FetchKey,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

struct State {
    ring: Ring<Record>,
    /// Offset after the last record of each partition that went through.
    positions: HashMap<Partition, i64>,
    phase: Phase,
    readers: usize,
}

impl State {
    fn push(&mut self, record: Record) {
        self.positions.insert((Arc::clone(&record.topic), record.partition), record.offset + 1);
        self.ring.push(record);
    }
}

enum Phase {
    /// The brokers have not answered yet.
    Starting,
    Live,
    /// No further record comes; nobody may join.
    Over(Option<Failure>),
}

impl Fetch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join(self: &Arc<Fetch>) -> Option<Reader> {
        let mut state = self.state();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        state.readers += 1;
        let next = state.ring.end();
        drop(state);
        let changed = self.changed.subscribe();
        Some(Reader { fetch: Arc::clone(self), next, changed, batch: VecDeque::new() })
    }

    fn wanted(&self) -> bool {
        self.state().readers > 0
    }
}

/// Joins the fetch of `key`, starting it when there is none.
pub(super) fn join(clients: &Arc<Clients>, key: FetchKey) -> Result<Reader, Failure> {
    let mut fetches = clients.fetches.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(reader) = fetches.get(&key).and_then(Fetch::join) {
        return Ok(reader);
    }
    let permit = clients.permits.take()?;
    let ring = Ring::new(SHARED_FETCH_BUFFER_MAX_BYTES);
    let fetch = Arc::new(Fetch {
        key: key.clone(),
        state: Mutex::new(State { ring, positions: HashMap::new(), phase: Phase::Starting, readers: 0 }),
        changed: watch::Sender::new(()),
    });
    let reader = fetch.join().ok_or_else(super::no_thread)?;
    let (thread_fetch, thread_clients) = (Arc::clone(&fetch), Arc::clone(clients));
    super::thread("kafka-fetch", move || run(&thread_fetch, &thread_clients, permit))?;
    fetches.insert(key, fetch);
    Ok(reader)
}

fn run(fetch: &Arc<Fetch>, clients: &Clients, permit: Permit) {
    let outcome = read(fetch);
    if let Err(failure) = &outcome {
        tracing::warn!(topics = ?fetch.key.topics, %failure, "a shared fetch ended");
    }
    fetch.state().phase = Phase::Over(outcome.err());
    fetch.changed.send_replace(());
    let mut fetches = clients.fetches.lock().unwrap_or_else(PoisonError::into_inner);
    if fetches.get(&fetch.key).is_some_and(|known| Arc::ptr_eq(known, fetch)) {
        fetches.remove(&fetch.key);
    }
    drop(permit);
}

fn read(fetch: &Fetch) -> Result<(), Failure> {
    let config = client_config::reader(&fetch.key.connection, true);
    let consumer = BaseConsumer::from_config_and_context(&config, ReaderContext::new(&fetch.key.connection))
        .map_err(|error| client_config::refused(&error))?;
    let topics = &fetch.key.topics;
    let Some(mut known) = consumer::connect(&consumer, topics, consumer::START, || fetch.wanted())? else {
        return Ok(());
    };
    begin(fetch, &consumer, &known)?;
    let mut looked = Instant::now();
    let mut unread_since = None;
    let mut names = TopicNames::default();
    loop {
        if fetch.wanted() {
            unread_since = None;
        } else if unread_since.get_or_insert_with(Instant::now).elapsed() >= LINGER && close(fetch) {
            return Ok(());
        }
        consumer::watch_outage(&consumer, topics)?;
        if looked.elapsed() >= topics.refresh() {
            looked = Instant::now();
            add_partitions(fetch, &consumer, &mut known);
        }
        receive(fetch, &consumer, &mut names)?;
    }
}

/// Ends the fetch unless a reader joined a moment ago.
fn close(fetch: &Fetch) -> bool {
    let mut state = fetch.state();
    if state.readers == 0 {
        state.phase = Phase::Over(None);
    }
    state.readers == 0
}

/// Assigns every partition at its live end.
fn begin(fetch: &Fetch, consumer: &BaseConsumer<ReaderContext>, known: &[Partition]) -> Result<(), Failure> {
    let link = consumer::Linked::link(&**consumer.context());
    let ends = consumer::log_ends(consumer, known, LogEnd::Next)
        .and_then(|ends| {
            let starts = ends.iter().map(|(partition, offset)| (partition, Offset::Offset(*offset)));
            consumer.assign(&consumer::list(starts)?)?;
            Ok(ends)
        })
        .map_err(|error| consumer::no_answer(&error, link))?;
    let mut state = fetch.state();
    for (partition, offset) in ends {
        state.positions.insert(partition, offset);
    }
    state.phase = Phase::Live;
    drop(state);
    fetch.changed.send_replace(());
    Ok(())
}

/// Assigns partitions that came into being; everything in them is new.
fn add_partitions(fetch: &Fetch, consumer: &BaseConsumer<ReaderContext>, known: &mut Vec<Partition>) {
    let Ok(Some(now)) = consumer::partitions(consumer, &fetch.key.topics) else { return };
    let new: Vec<Partition> = now.into_iter().filter(|partition| !known.contains(partition)).collect();
    if new.is_empty() {
        return;
    }
    let starts = new.iter().map(|partition| (partition, Offset::Beginning));
    match consumer::list(starts).and_then(|starts| consumer.incremental_assign(&starts)) {
        Ok(()) => {
            let mut state = fetch.state();
            for partition in &new {
                state.positions.insert(partition.clone(), 0);
            }
            known.extend(new);
        }
        Err(error) => tracing::warn!(%error, "new partitions could not be added, next try later"),
    }
}

/// Puts what is there into the ring, waiting a moment for the first record.
fn receive(
    fetch: &Fetch,
    consumer: &BaseConsumer<ReaderContext>,
    names: &mut TopicNames,
) -> Result<(), Failure> {
    let mut records = Vec::new();
    let mut patience = POLL;
    while records.len() < PUSH_MAX_RECORDS {
        match consumer.poll(patience) {
            Some(Ok(message)) => records.push(Record::read(&message, names, fetch.key.content)),
            Some(Err(error)) => {
                // Topics that a pattern matched may go.
                let gone = |failure: &Failure| {
                    fetch.key.topics.is_pattern() && failure.status == StatusCode::NOT_FOUND
                };
                if let Some(failure) = consumer::end(&error).filter(|failure| !gone(failure)) {
                    return Err(failure);
                }
            }
            None => break,
        }
        patience = Duration::ZERO;
    }
    if !records.is_empty() {
        let mut state = fetch.state();
        records.into_iter().for_each(|record| state.push(record));
        drop(state);
        fetch.changed.send_replace(());
    }
    Ok(())
}

/// One client's place in a fetch.
pub(super) struct Reader {
    fetch: Arc<Fetch>,
    next: u64,
    changed: watch::Receiver<()>,
    batch: VecDeque<Arc<ring::Shared<Record>>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.fetch.state().readers -= 1;
    }
}

impl super::Source for Reader {
    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(shared) = self.batch.pop_front() {
                return Ok(Some(shared.message()));
            }
            self.changed.mark_unchanged();
            {
                let state = self.fetch.state();
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
}

impl Reader {
    /// Waits until the fetch is live or over.
    pub(super) async fn started(&mut self) {
        while matches!(self.fetch.state().phase, Phase::Starting) {
            if self.changed.changed().await.is_err() {
                return;
            }
        }
    }

    /// What is read.
    pub(super) fn key(&self) -> &FetchKey {
        &self.fetch.key
    }

    /// Moves this reader to the live end; returns where every partition stands there. `None`: the fetch is over.
    pub(super) fn skip_to_end(&mut self) -> Option<HashMap<Partition, i64>> {
        let state = self.fetch.state();
        if !matches!(state.phase, Phase::Live) {
            return None;
        }
        self.next = state.ring.end();
        Some(state.positions.clone())
    }

    /// Whether everything since this reader's place is still there.
    pub(super) fn has_missed_nothing(&self) -> bool {
        self.fetch.state().ring.holds(self.next)
    }
}
