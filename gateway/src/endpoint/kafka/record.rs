//! A Kafka record outside the client library's buffers, and the message made of it.

use crate::endpoint::fanout::ring::Kept;
use crate::message::Message;
use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Headers, Message as _, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// Bookkeeping counted for every record beside its bytes, bytes.
const RECORD_OVERHEAD_BYTES: usize = 256;

/// How a value begins that names its schema, and how many bytes the name takes, this one included.
const SCHEMA_MAGIC: [u8; 1] = [0];
const SCHEMA_ID_BYTES: usize = 5;

/// One record. Keys and header values are read as UTF-8; what is not becomes U+FFFD.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
    timestamp_ms: Option<i64>,
    key: Option<String>,
    headers: Vec<(String, String)>,
    content: Option<Bytes>,
}

/// What is done to the content of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Content {
    AsIs,
    /// Without the bytes that say which schema of a registry a value has.
    WithoutSchemaId,
}

impl Content {
    fn of(self, value: &[u8]) -> &[u8] {
        match self {
            Content::WithoutSchemaId
                if value.len() >= SCHEMA_ID_BYTES && value.starts_with(&SCHEMA_MAGIC) =>
            {
                &value[SCHEMA_ID_BYTES..]
            }
            Content::WithoutSchemaId | Content::AsIs => value,
        }
    }
}

/// Topic names that records share.
#[derive(Default)]
pub(super) struct TopicNames(Vec<Arc<str>>);

impl TopicNames {
    /// The shared form of `name`.
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.iter().find(|known| &***known == name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = name.into();
        self.0.push(Arc::clone(&new));
        new
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Record {
    /// Copies a record out of the client library.
    pub(super) fn read(message: &BorrowedMessage<'_>, topics: &mut TopicNames, content: Content) -> Record {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|header| (header.key.to_owned(), header.value.map_or_else(String::new, text)))
                .collect()
        });
        Record {
            topic: topics.get(message.topic()),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: match message.timestamp() {
                Timestamp::CreateTime(at) | Timestamp::LogAppendTime(at) => Some(at),
                Timestamp::NotAvailable => None,
            },
            key: message.key().map(text),
            headers,
            content: message.payload().map(|value| Bytes::copy_from_slice(content.of(value))),
        }
    }
}

impl Kept for Record {
    fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        RECORD_OVERHEAD_BYTES
            + headers
            + self.key.as_ref().map_or(0, String::len)
            + self.content.as_ref().map_or(0, Bytes::len)
    }

    fn message(&self) -> Message {
        let mut message = Message::new(self.content.clone());
        message.headers.clone_from(&self.headers);
        message.metadata.reserve_exact(5);
        message.metadata.push(("partition".into(), self.partition.into()));
        message.metadata.push(("offset".into(), self.offset.into()));
        message.metadata.push(("topic".into(), Value::String(self.topic.as_ref().to_owned())));
        if let Some(key) = &self.key {
            message.metadata.push(("key".into(), Value::String(key.clone())));
        }
        if let Some(at) = self.timestamp_ms {
            message.metadata.push(("sourceTimestamp".into(), at.into()));
        }
        message
    }
}

#[cfg(test)]
impl Record {
    /// A record for tests of buffers and windows.
    pub(super) fn test(topic: &str, partition: i32, offset: i64) -> Record {
        Record {
            topic: topic.into(),
            partition,
            offset,
            timestamp_ms: Some(7),
            key: None,
            headers: Vec::new(),
            content: Some(Bytes::from(offset.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_id_is_cut_off_where_there_is_one() {
        let cut = |value: &[u8]| Content::WithoutSchemaId.of(value).to_vec();
        assert_eq!(cut(b"\x00\x00\x00\x00\x2a{}"), b"{}");
        assert_eq!(cut(b"\x00\x00\x00\x00\x2a"), b"");
        assert_eq!(cut(b"\x00\x00\x00\x00"), b"\x00\x00\x00\x00", "too short for one");
        assert_eq!(cut(b"{\"a\":1}"), b"{\"a\":1}");
        assert_eq!(Content::AsIs.of(b"\x00\x00\x00\x00\x2a{}").len(), 7);
    }

    #[test]
    fn metadata_is_in_order_and_leaves_out_what_is_null() {
        let members = |record: &Record| {
            let message = record.message();
            message
                .metadata
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let mut record = Record::test("orders", 2, 40);
        assert_eq!(members(&record), r#"partition=2 offset=40 topic="orders" sourceTimestamp=7"#);
        record.key = Some("k".into());
        record.timestamp_ms = None;
        record.content = None;
        assert_eq!(members(&record), r#"partition=2 offset=40 topic="orders" key="k""#);
        assert!(record.message().content.is_none());
    }
}
