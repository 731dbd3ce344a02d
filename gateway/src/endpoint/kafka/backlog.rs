//! QoS none with `earliest`: what is in the topics first, then the shared fetch, without a gap or a repeat.
//!
//! The reader takes its place in the shared fetch before the backlog is read, and the backlog ends where the fetch stood
//! at that moment. When the ring has moved past that place meanwhile, another, shorter round follows.

use super::Clients;
use super::client_config;
use super::connection::Connection;
use super::consumer::{self, LogEnd, POLL, Partition, ReaderContext};
use super::fetch::Reader;
use super::permits::Permit;
use super::record::{Content, Record, TopicNames};
use super::topics::Topics;
use crate::endpoint::fanout::ring::Kept as _;
use crate::failure::Failure;
use crate::message::Message;
use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Records read ahead of the client.
const QUEUE_RECORDS: usize = 16;

/// A stretch of the partitions: from (absent: the beginning) up to, but not including, to.
struct Round {
    connection: Connection,
    content: Content,
    from: HashMap<Partition, i64>,
    to: HashMap<Partition, i64>,
}

/// A client on its way from the beginning to the live end.
pub(super) struct FromBeginning {
    clients: Arc<Clients>,
    live: Reader,
    phase: Phase,
}

enum Phase {
    Waiting,
    Reading { records: mpsc::Receiver<Result<Record, Failure>>, to: HashMap<Partition, i64> },
    Live,
}

impl super::Source for FromBeginning {
    async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            match &mut self.phase {
                Phase::Waiting => {
                    self.live.started().await;
                    self.begin(HashMap::new())?;
                }
                Phase::Reading { records, to } => match records.recv().await {
                    Some(record) => return record.map(|record| Some(record.message())),
                    None if self.live.has_missed_nothing() => self.phase = Phase::Live,
                    None => {
                        let from = std::mem::take(to);
                        self.begin(from)?;
                    }
                },
                Phase::Live => return self.live.next().await,
            }
        }
    }
}

impl FromBeginning {
    pub(super) fn new(clients: Arc<Clients>, live: Reader) -> FromBeginning {
        FromBeginning { clients, live, phase: Phase::Waiting }
    }

    /// Waits until the fetch that this client will join is live.
    pub(super) async fn started(&mut self) {
        self.live.started().await;
    }

    fn begin(&mut self, from: HashMap<Partition, i64>) -> Result<(), Failure> {
        let Some(to) = self.live.skip_to_end() else {
            // The fetch has ended; reading from it tells why.
            self.phase = Phase::Live;
            return Ok(());
        };
        let permit = self.clients.permits.take()?;
        let (sender, records) = mpsc::channel(QUEUE_RECORDS);
        let key = self.live.key();
        let round = Round { connection: key.connection.clone(), content: key.content, from, to: to.clone() };
        super::thread("kafka-backlog", move || run(round, &sender, permit))?;
        self.phase = Phase::Reading { records, to };
        Ok(())
    }
}

fn run(round: Round, sender: &mpsc::Sender<Result<Record, Failure>>, permit: Permit) {
    if let Err(failure) = read(round, sender) {
        // The client may be gone, which is one of the reasons to end.
        drop(sender.blocking_send(Err(failure)));
    }
    drop(permit);
}

fn read(round: Round, sender: &mpsc::Sender<Result<Record, Failure>>) -> Result<(), Failure> {
    let config = client_config::reader(&round.connection, false);
    let consumer = BaseConsumer::from_config_and_context(&config, ReaderContext::new(&round.connection))
        .map_err(|error| client_config::refused(&error))?;
    let mut by_topic: BTreeMap<Arc<str>, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in round.to.keys() {
        by_topic.entry(Arc::clone(topic)).or_default().push(*partition);
    }
    // One topic after the other, because the library's "end of partition" does not name the topic.
    for (topic, partitions) in by_topic {
        let topics = Topics::Named(vec![Arc::clone(&topic)]);
        if consumer::connect(&consumer, &topics, consumer::START, || !sender.is_closed())?.is_none() {
            return Ok(());
        }
        let open = open(&consumer, &topic, &partitions, &round)?;
        if !read_topic(&consumer, (&topics, round.content), open, sender)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Assigns the partitions that hold anything of the round; returns where each ends.
fn open(
    consumer: &BaseConsumer<ReaderContext>,
    topic: &Arc<str>,
    partitions: &[i32],
    round: &Round,
) -> Result<HashMap<i32, i64>, Failure> {
    let link = consumer::Linked::link(&**consumer.context());
    let all: Vec<Partition> = partitions.iter().map(|partition| (Arc::clone(topic), *partition)).collect();
    let first = consumer::log_ends(consumer, &all, LogEnd::First)
        .map_err(|error| consumer::no_answer(&error, link))?;
    let mut ends = HashMap::new();
    let mut starts = Vec::new();
    for (partition, first) in first {
        let to = round.to.get(&partition).copied().unwrap_or_default();
        let from = round.from.get(&partition).copied().unwrap_or_default().max(first);
        if from < to {
            ends.insert(partition.1, to);
            starts.push((partition, from));
        }
    }
    let starts = starts.iter().map(|(partition, from)| (partition, Offset::Offset(*from)));
    consumer::list(starts)
        .and_then(|starts| consumer.assign(&starts))
        .map_err(|error| consumer::no_answer(&error, link))?;
    Ok(ends)
}

/// Sends the records of one topic below `open`; `false`: the client has gone.
fn read_topic(
    consumer: &BaseConsumer<ReaderContext>,
    (topics, content): (&Topics, Content),
    mut open: HashMap<i32, i64>,
    sender: &mpsc::Sender<Result<Record, Failure>>,
) -> Result<bool, Failure> {
    let mut names = TopicNames::default();
    while !open.is_empty() {
        if sender.is_closed() {
            return Ok(false);
        }
        consumer::watch_outage(consumer, topics)?;
        match consumer.poll(POLL) {
            Some(Ok(message)) => {
                let record = Record::read(&message, &mut names, content);
                let Some(end) = open.get(&record.partition).copied() else { continue };
                let (partition, offset) = (record.partition, record.offset);
                if offset + 1 >= end {
                    open.remove(&partition);
                }
                if offset < end && sender.blocking_send(Ok(record)).is_err() {
                    return Ok(false);
                }
            }
            // The last offsets below the end may hold no record (compaction, transactions).
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) => {
                if let Some(failure) = consumer::end(&error) {
                    return Err(failure);
                }
            }
            None => {}
        }
    }
    Ok(true)
}
