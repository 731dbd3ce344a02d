//! The thread of a group consumer: joins, reads, stores positions, commits, leaves.
//!
//! The protocol is the eager one: a rebalance takes every partition away and gives a new set. Positions of what was
//! delivered are stored before the partitions go, and the library commits stored positions before it gives partitions
//! up and before it leaves. Where a partition starts is decided here and not left to the library: at the client's
//! cursor, else at the group's position, else at the end of the log that `autoOffsetReset` names; a start that is new
//! to the group is committed at once, so that a client's second read goes on where its first began even when that
//! found nothing.
//!
//! While nothing may be read the partitions are paused and polling goes on, which keeps the membership.

use super::client_config;
use super::consumer::{self, ANSWER, Linked, LogEnd, POLL, Partition, START};
use super::cursor::Cursor;
use super::group::{Group, Step};
use super::link::{self, Link};
use super::record::{Record, TopicNames};
use crate::failure::Failure;
use definition::api::Qos;
use definition::connector::kafka::AutoOffsetReset;
use http::StatusCode;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A thread without room for records looks after its membership this often.
const HOLD: Duration = Duration::from_secs(1);
/// Records that are taken from the library before positions are stored again.
const RECEIVE_MAX: usize = 64;

/// Context of a group consumer.
pub(super) struct MemberContext {
    link: Link,
    group: Arc<Group>,
    /// Topics that began to match while this member read: everything in them is new to its clients.
    born: Mutex<BTreeSet<Arc<str>>>,
}

impl MemberContext {
    fn born(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        self.born.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Member = BaseConsumer<MemberContext>;

impl ClientContext for MemberContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.link.connection().oauth_token()
    }

    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        link::log(level, facility, text);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        consumer::report(&self.link, &error, reason);
    }
}

impl ConsumerContext for MemberContext {
    fn rebalance(&self, member: &Member, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let outcome = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            // The group's coordinator has answered.
            self.link.up();
            self.group.is_well();
            assigned(member, &self.group, partitions)
        } else {
            store(member, &self.group);
            self.group.window(super::window::Window::revoke);
            member.unassign().map_err(|error| consumer::no_answer(&error, &self.link))
        };
        if let Err(failure) = outcome {
            self.group.end(Some(failure));
            // The library waits for an answer to every rebalance.
            if let Err(error) = member.unassign() {
                tracing::debug!(%error, "a failed rebalance could not be answered");
            }
        }
        self.group.tell_all();
    }

    fn commit_callback(&self, result: Result<(), KafkaError>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, group = self.group.key.group_id, "a commit was refused; records may repeat");
        }
    }
}

impl Linked for MemberContext {
    fn link(&self) -> &Link {
        &self.link
    }
}

/// Runs until the last connection has left or nothing more can be read. The consumer is closed when this returns.
pub(super) fn run(group: &Arc<Group>, start: Duration) -> Result<(), Failure> {
    let key = &group.key;
    let config = client_config::member(&key.connection, &key.group_id, key.reset);
    let link = Link::new(key.connection.clone());
    let context = MemberContext { link, group: Arc::clone(group), born: Mutex::default() };
    let member: Member = BaseConsumer::from_config_and_context(&config, context)
        .map_err(|error| client_config::refused(&error))?;
    let found = consumer::connect(&member, &key.topics, start.min(START), || group.is_wanted())?;
    let Some(found) = found else { return Ok(()) };
    let topics = names(found);
    subscribe(&member, &topics)?;
    let outcome = serve(&member, group, topics);
    store(&member, group);
    // Connections are told before the consumer closes, which may take until the brokers are back.
    group.end(outcome.clone().err());
    outcome
}

fn names(partitions: Vec<Partition>) -> BTreeSet<Arc<str>> {
    partitions.into_iter().map(|(topic, _)| topic).collect()
}

fn subscribe(member: &Member, topics: &BTreeSet<Arc<str>>) -> Result<(), Failure> {
    if topics.is_empty() {
        member.unsubscribe();
        return Ok(());
    }
    let topics: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
    member.subscribe(&topics).map_err(|error| consumer::no_answer(&error, member.context().link()))
}

/// Follows the topics that match a pattern. The library could match them itself, but not as Java does.
fn follow_pattern(member: &Member, group: &Group, read: &mut BTreeSet<Arc<str>>) -> Result<(), Failure> {
    let Ok(Some(found)) = consumer::partitions(member, &group.key.topics) else { return Ok(()) };
    let found = names(found);
    if found == *read {
        return Ok(());
    }
    member.context().born().extend(found.difference(read).cloned());
    // Positions of what was delivered go with the partitions.
    store(member, group);
    subscribe(member, &found)?;
    *read = found;
    Ok(())
}

fn serve(member: &Member, group: &Group, mut topics: BTreeSet<Arc<str>>) -> Result<(), Failure> {
    let mut names = TopicNames::default();
    let mut looked = Instant::now();
    let mut paused = false;
    let mut polled = Instant::now();
    loop {
        store(member, group);
        apply_cursors(member, group);
        if consumer::watch_outage(member, &group.key.topics)? {
            group.is_well();
        }
        if group.key.topics.is_pattern() && looked.elapsed() >= group.key.topics.refresh() {
            follow_pattern(member, group, &mut topics)?;
            looked = Instant::now();
        }
        match group.step(HOLD) {
            Step::Stop => return group.failure().map_or(Ok(()), Err),
            Step::Commit(count) => {
                if !commit(member, group, count) {
                    // A rebalance may be the reason, and it is served by polling.
                    receive(member, group, &mut names, POLL, 1)?;
                    polled = Instant::now();
                }
            }
            // Pausing throws away what was prefetched, and what follows a resumption may take a second to come: it is
            // for clients that take nothing for long, not for every moment without room.
            Step::Hold if polled.elapsed() < HOLD => {}
            Step::Hold => {
                pause(member, true);
                paused = true;
                receive(member, group, &mut names, Duration::ZERO, 1)?;
                polled = Instant::now();
            }
            Step::Read => {
                if std::mem::take(&mut paused) {
                    pause(member, false);
                }
                receive(member, group, &mut names, POLL, RECEIVE_MAX)?;
                polled = Instant::now();
            }
        }
    }
}

/// Takes what is there, waiting `patience` for the first record, as long as the window has room.
fn receive(
    member: &Member,
    group: &Group,
    names: &mut TopicNames,
    mut patience: Duration,
    most: usize,
) -> Result<(), Failure> {
    for _ in 0..most {
        match member.poll(patience) {
            Some(Ok(message)) => group.push(Record::read(&message, names, group.key.content)),
            Some(Err(error)) => {
                // Topics that a pattern matched may go.
                let gone = |failure: &Failure| {
                    group.key.topics.is_pattern() && failure.status == StatusCode::NOT_FOUND
                };
                if let Some(failure) = consumer::end(&error).filter(|failure| !gone(failure)) {
                    return Err(failure);
                }
            }
            None => break,
        }
        patience = Duration::ZERO;
        if group.window(|window| window.is_full()) {
            break;
        }
    }
    Ok(())
}

fn pause(member: &Member, pause: bool) {
    let changed = member
        .assignment()
        .and_then(|partitions| if pause { member.pause(&partitions) } else { member.resume(&partitions) });
    if let Err(error) = changed {
        tracing::debug!(%error, pause, "partitions were not paused or resumed");
    }
}

/// Gives new positions to the library, which commits them.
fn store(member: &Member, group: &Group) {
    let positions = group.window(super::window::Window::stores);
    if positions.is_empty() {
        return;
    }
    let list = consumer::list(positions.iter().map(|(partition, next)| (partition, Offset::Offset(*next))));
    if let Err(error) = list.and_then(|list| member.store_offsets(&list)) {
        tracing::debug!(%error, "positions were not stored; their records may repeat");
    }
}

/// At-most-once: commits the next records and hands them over when the broker has confirmed it. Without a coordinator
/// the library gives up after the session timeout.
fn commit(member: &Member, group: &Group, count: usize) -> bool {
    let commit = group.window(|window| window.begin_commit(count));
    let positions = commit.positions();
    let list = consumer::list(positions.iter().map(|(partition, next)| (partition, Offset::Offset(*next))));
    let outcome = list.and_then(|list| member.commit(&list, CommitMode::Sync));
    if let Err(error) = &outcome {
        tracing::debug!(%error, "a commit before delivery failed; nothing is delivered");
        member.context().link().suspect();
    }
    group.end_commit(commit, outcome.is_ok());
    outcome.is_ok()
}

/// A new set of partitions.
fn assigned(member: &Member, group: &Group, partitions: &TopicPartitionList) -> Result<(), Failure> {
    let mut names = TopicNames::default();
    let elements = partitions.elements();
    let all: Vec<Partition> =
        elements.iter().map(|element| (names.get(element.topic()), element.partition())).collect();
    let starts = starts(member, group, &all).ok_or_else(consumer::no_position)?;
    let offset = |start: Option<i64>| start.map_or(Offset::Stored, Offset::Offset);
    let known: Vec<(Partition, Option<i64>)> =
        starts.iter().map(|start| (start.partition.clone(), start.offset)).collect();
    group.window(|window| window.assign(&known));
    let assign = consumer::list(known.iter().map(|(partition, start)| (partition, offset(*start))))
        .and_then(|list| member.assign(&list));
    assign.map_err(|error| consumer::no_answer(&error, member.context().link()))?;
    let new = starts.iter().filter(|start| start.is_new);
    commit_starts(member, new.map(|start| (&start.partition, start.offset)));
    Ok(())
}

/// Makes positions those of the group.
fn commit_starts<'a>(member: &Member, starts: impl Iterator<Item = (&'a Partition, Option<i64>)>) {
    let list =
        consumer::list(starts.filter_map(|(partition, start)| Some((partition, Offset::Offset(start?)))));
    let committed =
        list.and_then(|list| if list.count() > 0 { member.commit(&list, CommitMode::Async) } else { Ok(()) });
    if let Err(error) = committed {
        tracing::debug!(%error, "the start of a group was not committed");
    }
}

/// Where one partition starts.
struct Start {
    partition: Partition,
    /// `None`: left to the library, because the broker did not say.
    offset: Option<i64>,
    /// Not the group's own position.
    is_new: bool,
}

/// Decides where partitions start. `None`: one has no position and `autoOffsetReset` is `none`.
///
/// A broker that just came back answers some questions later than others. The library asks until it has an answer, so
/// it decides then, from the same positions and settings.
fn starts(member: &Member, group: &Group, all: &[Partition]) -> Option<Vec<Start>> {
    let wanted: Vec<Option<i64>> = all.iter().map(|partition| group.wanted(partition)).collect();
    decided(member, group, all, &wanted).unwrap_or_else(|error| {
        tracing::debug!(%error, "where partitions start is not known yet");
        Some(all.iter().zip(wanted).map(left_to_library).collect())
    })
}

fn decided(
    member: &Member,
    group: &Group,
    all: &[Partition],
    wanted: &[Option<i64>],
) -> Result<Option<Vec<Start>>, KafkaError> {
    let committed = committed(member, all)?;
    let unknown: Vec<Partition> = all
        .iter()
        .zip(wanted)
        .filter(|(partition, wanted)| wanted.is_none() && !committed.contains_key(*partition))
        .map(|(partition, _)| partition.clone())
        .collect();
    let asked: Vec<Partition> = all
        .iter()
        .zip(wanted)
        .filter(|(_, wanted)| wanted.is_some())
        .map(|(partition, _)| partition.clone())
        .collect();
    let (born, unknown): (Vec<Partition>, Vec<Partition>) = {
        let born = member.context().born();
        unknown.into_iter().partition(|(topic, _)| born.contains(topic))
    };
    let mut reset = match group.key.reset {
        AutoOffsetReset::None if !unknown.is_empty() => return Ok(None),
        AutoOffsetReset::None => HashMap::new(),
        AutoOffsetReset::Latest => ends(member, &unknown, LogEnd::Next)?,
        AutoOffsetReset::Earliest => ends(member, &unknown, LogEnd::First)?,
    };
    reset.extend(ends(member, &born, LogEnd::First)?);
    let first = ends(member, &asked, LogEnd::First)?;
    let start = |(partition, wanted): (&Partition, &Option<i64>)| {
        // Records that a cursor asks for may have been deleted by age.
        let wanted = wanted.map(|offset| first.get(partition).map_or(offset, |first| offset.max(*first)));
        let committed = committed.get(partition).copied();
        let offset = wanted.or(committed).or_else(|| reset.get(partition).copied());
        Start { partition: partition.clone(), offset, is_new: offset != committed }
    };
    Ok(Some(all.iter().zip(wanted).map(start).collect()))
}

fn left_to_library((partition, wanted): (&Partition, Option<i64>)) -> Start {
    Start { partition: partition.clone(), offset: wanted, is_new: wanted.is_some() }
}

fn committed(member: &Member, all: &[Partition]) -> Result<HashMap<Partition, i64>, KafkaError> {
    let asked = consumer::list(all.iter().map(|partition| (partition, Offset::Invalid)))?;
    let answer = member.committed_offsets(asked, ANSWER)?;
    let known = |partition: &Partition| {
        let element = answer.find_partition(&partition.0, partition.1)?;
        if let Offset::Offset(offset) = element.offset() { Some((partition.clone(), offset)) } else { None }
    };
    Ok(all.iter().filter_map(known).collect())
}

fn ends(
    member: &Member,
    partitions: &[Partition],
    which: LogEnd,
) -> Result<HashMap<Partition, i64>, KafkaError> {
    if partitions.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(consumer::log_ends(member, partitions, which)?.into_iter().collect())
}

/// Takes a running consumer to the places that a new connection asks for.
///
/// At-least-once goes back as far as asked: the client says what it has. At-most-once never goes back while other
/// connections read, because that would repeat records.
fn apply_cursors(member: &Member, group: &Group) {
    let Some(cursor) = group.new_cursors() else { return };
    let mut elsewhere = Cursor::default();
    let mut moved = Vec::new();
    for (topic, number, last) in cursor.iter() {
        let partition: Partition = (topic.into(), number);
        let Some(next) = group.window(|window| window.next(&partition)) else {
            elsewhere.set(topic, number, last);
            continue;
        };
        let asked = last + 1;
        let back = asked < next;
        if asked == next || (back && group.key.level == Qos::AtMostOnce) {
            continue;
        }
        match member.seek(topic, number, Offset::Offset(asked), ANSWER) {
            Ok(()) => {
                group.window(|window| window.reposition(&partition, asked));
                moved.push((partition, Some(asked)));
            }
            Err(error) => tracing::warn!(%error, topic, partition = number, "a cursor could not be applied"),
        }
    }
    commit_starts(member, moved.iter().map(|(partition, start)| (partition, *start)));
    group.applied(&elsewhere);
}
