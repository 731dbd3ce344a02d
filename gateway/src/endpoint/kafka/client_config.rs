//! The one place where librdkafka configurations are made.
//!
//! Queues are small on purpose: a gateway runs many consumers, and what a client cannot take stays on the broker.
//! Reconnecting is quick, because a client is waiting on the other side.

use super::connection::Connection;
use crate::failure::{Failure, key};
use definition::connector::kafka::{AutoOffsetReset, CompressionType};
use definition::limits::PUBLISH_TIMEOUT_MS;
use http::StatusCode;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use uuid::Uuid;

/// Pause between two attempts to connect, milliseconds: first and greatest.
const RECONNECT_BACKOFF_MS: (u64, u64) = (100, 1_000);
/// A broker that does not answer a request for this long is given up, milliseconds.
const REQUEST_TIMEOUT_MS: u64 = 8_000;
/// Records that a producer holds at most, kilobytes.
const PRODUCER_QUEUE_MAX_KBYTES: u64 = 32 * 1024;
/// Records that a producer holds at most.
const PRODUCER_QUEUE_MAX_RECORDS: u64 = 20_000;
/// Greatest record that a producer accepts, bytes; brokers usually allow 1,048,588 and answer for themselves.
const RECORD_MAX_BYTES: u64 = 2 * 1024 * 1024;
/// Greatest batch, bytes; the usual broker limit less room for its frame.
const BATCH_MAX_BYTES: u64 = 1_000_000;
/// Produce requests on their way to one broker: see `produce`.
const PRODUCE_IN_FLIGHT_MAX: u64 = 3;
/// Time for a new topic to appear before a record for it fails, milliseconds.
const TOPIC_PROPAGATION_MS: u64 = 3_000;
/// Delivery ends this much before the caller's deadline, so that the caller hears the reason, milliseconds.
const DELIVERY_MARGIN_MS: u64 = 500;
/// A gateway that died leaves its groups after this time, milliseconds. Brokers allow no less by default, and more
/// would make a group wait longer for its former members after an outage of the broker.
const SESSION_TIMEOUT_MS: u64 = 6_000;
/// Other members hear of a joining one within this time, milliseconds.
const HEARTBEAT_MS: u64 = 1_000;
/// A consumer that is not polled for this long leaves its group, milliseconds.
const MAX_POLL_INTERVAL_MS: u64 = 60_000;
/// Positions of delivered records go to the broker this often, milliseconds.
const COMMIT_INTERVAL_MS: u64 = 500;
/// New partitions, and topics that were missing, are noticed within this time, milliseconds.
const METADATA_REFRESH_MS: u64 = 10_000;
/// Pause before a fetch when the local queue was full, milliseconds (the library's second would stall small queues).
const FETCH_QUEUE_BACKOFF_MS: u64 = 10;
/// Prefetch of a consumer that serves one client identifier: records, kilobytes, and bytes of one partition's answer.
const CLIENT_PREFETCH: Prefetch = Prefetch { records: 100, kbytes: 1_024, partition_bytes: 262_144 };
/// Prefetch of a shared fetch, which feeds many clients.
const SHARED_PREFETCH: Prefetch = Prefetch { records: 5_000, kbytes: 4_096, partition_bytes: 1_048_576 };

const _: () = assert!(DELIVERY_MARGIN_MS < PUBLISH_TIMEOUT_MS);
const _: () = assert!(SESSION_TIMEOUT_MS < MAX_POLL_INTERVAL_MS && HEARTBEAT_MS * 3 <= SESSION_TIMEOUT_MS);

struct Prefetch {
    records: u64,
    kbytes: u64,
    partition_bytes: u64,
}

/// When a record counts as confirmed; one producer exists per value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Confirmation {
    /// All in-sync replicas, retried without repeats.
    Retried,
    /// All in-sync replicas, one attempt.
    Once,
    /// The partition's leader alone.
    Leader,
}

/// `gio-apim-<role>-<8 hexadecimal digits>`.
fn client_id(role: &str) -> String {
    let id = Uuid::new_v4().simple().to_string();
    format!("gio-apim-{role}-{}", &id[..8])
}

fn base(connection: &Connection, role: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    connection.configure(&mut config);
    config
        .set("client.id", client_id(role))
        .set("reconnect.backoff.ms", RECONNECT_BACKOFF_MS.0.to_string())
        .set("reconnect.backoff.max.ms", RECONNECT_BACKOFF_MS.1.to_string())
        .set("socket.timeout.ms", REQUEST_TIMEOUT_MS.to_string())
        .set("socket.connection.setup.timeout.ms", REQUEST_TIMEOUT_MS.to_string())
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("log.connection.close", "false")
        .set("enable.metrics.push", "false")
        .set("allow.auto.create.topics", "true")
        .set("topic.metadata.refresh.interval.ms", METADATA_REFRESH_MS.to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// A producer that sends at once and lets what arrives during a round trip form the next batch.
pub(super) fn producer(
    connection: &Connection,
    compression: CompressionType,
    confirmation: Confirmation,
) -> ClientConfig {
    let mut config = base(connection, "producer");
    config
        .set("linger.ms", "0")
        .set("compression.type", compression.label())
        .set("partitioner", "murmur2_random")
        .set("max.in.flight.requests.per.connection", PRODUCE_IN_FLIGHT_MAX.to_string())
        .set("queue.buffering.max.kbytes", PRODUCER_QUEUE_MAX_KBYTES.to_string())
        .set("queue.buffering.max.messages", PRODUCER_QUEUE_MAX_RECORDS.to_string())
        .set("message.max.bytes", RECORD_MAX_BYTES.to_string())
        .set("batch.size", BATCH_MAX_BYTES.to_string())
        .set("message.timeout.ms", (PUBLISH_TIMEOUT_MS - DELIVERY_MARGIN_MS).to_string())
        .set("topic.metadata.propagation.max.ms", TOPIC_PROPAGATION_MS.to_string());
    match confirmation {
        Confirmation::Retried => config.set("acks", "all").set("enable.idempotence", "true"),
        Confirmation::Once => config.set("acks", "all").set("retries", "0"),
        Confirmation::Leader => config.set("acks", "1"),
    };
    config
}

fn consumer(connection: &Connection, prefetch: &Prefetch, reset: AutoOffsetReset) -> ClientConfig {
    let mut config = base(connection, "consumer");
    let reset = match reset {
        AutoOffsetReset::Latest => "latest",
        AutoOffsetReset::Earliest => "earliest",
        // The library's name for it.
        AutoOffsetReset::None => "error",
    };
    config
        .set("auto.offset.reset", reset)
        .set("enable.auto.offset.store", "false")
        .set("queued.min.messages", prefetch.records.to_string())
        .set("queued.max.messages.kbytes", prefetch.kbytes.to_string())
        .set("fetch.message.max.bytes", prefetch.partition_bytes.to_string())
        .set("fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS.to_string());
    config
}

/// A member of `group`. Positions are stored by us and committed by the library.
///
/// Joining is quick with the eager protocol: one rebalance, where the cooperative one takes two.
pub(super) fn member(connection: &Connection, group: &str, reset: AutoOffsetReset) -> ClientConfig {
    let mut config = consumer(connection, &CLIENT_PREFETCH, reset);
    config
        .set("group.id", group)
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", COMMIT_INTERVAL_MS.to_string())
        .set("partition.assignment.strategy", "roundrobin")
        .set("session.timeout.ms", SESSION_TIMEOUT_MS.to_string())
        .set("heartbeat.interval.ms", HEARTBEAT_MS.to_string())
        .set("max.poll.interval.ms", MAX_POLL_INTERVAL_MS.to_string());
    config
}

/// A reader of partitions that it assigns itself; it never joins or commits, but the library wants a group's name.
pub(super) fn reader(connection: &Connection, shared: bool) -> ClientConfig {
    let mut config = consumer(
        connection,
        if shared { &SHARED_PREFETCH } else { &CLIENT_PREFETCH },
        AutoOffsetReset::Earliest,
    );
    let name = config.get("client.id").unwrap_or_default().to_owned();
    config
        .set("group.id", name)
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", if shared { "false" } else { "true" });
    config
}

/// A client for questions about the cluster; asking for a topic does not make it.
pub(super) fn probe(connection: &Connection) -> ClientConfig {
    let mut config = base(connection, "probe");
    let name = config.get("client.id").unwrap_or_default().to_owned();
    config.set("group.id", name).set("allow.auto.create.topics", "false");
    config
}

/// A configuration that the library refused. Its text may quote secrets, so callers only hear the category.
pub(super) fn refused(error: &KafkaError) -> Failure {
    let setting = if let KafkaError::ClientConfig(_, _, name, _) = error {
        format!(": setting {name} is not accepted")
    } else {
        tracing::debug!(%error, "kafka client could not be created");
        String::new()
    };
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        key::CONFIGURATION_INVALID,
        format!("Endpoint configuration invalid{setting}"),
    )
}
