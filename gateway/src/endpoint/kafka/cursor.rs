//! Positions of a read as text: the ids and cursors that clients send back.
//!
//! `topic@partition#offset`, several partitions separated by commas, several topics by semicolons; the offset is that of
//! the last record read, so a read goes on at offset + 1 and `#-1` starts at the beginning. In base64 when the endpoint
//! says so.

use super::topics::Topics;
use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// Greatest cursor that is read, bytes: 1,000 partitions of a topic with a long name.
const CURSOR_MAX_BYTES: usize = 32 * 1024;

/// Offset of the last record read, by topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cursor(BTreeMap<String, BTreeMap<i32, i64>>);

impl Cursor {
    /// Refuses positions in topics that are not read: they came from another API and would be carried on for ever.
    pub(super) fn check_topics(&self, read: &Topics) -> Result<(), Failure> {
        match self.0.keys().find(|topic| !read.contains(topic)) {
            None => Ok(()),
            Some(topic) => Err(Failure::plain(
                StatusCode::BAD_REQUEST,
                format!(
                    "the cursor names the topic `{topic}`, which this API does not read: send back one of its own"
                ),
            )),
        }
    }

    /// Sets the last offset read of a partition.
    pub(super) fn set(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.insert(partition, offset);
        } else {
            self.0.insert(topic.to_owned(), BTreeMap::from([(partition, offset)]));
        }
    }

    /// The last offset read of a partition.
    pub(super) fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.get(topic)?.get(&partition).copied()
    }

    /// Takes the last offset read of a partition out.
    pub(super) fn take(&mut self, topic: &str, partition: i32) -> Option<i64> {
        self.0.get_mut(topic)?.remove(&partition)
    }

    /// Adds the positions of `other`; where both have one, the earlier counts, so that nothing is lost.
    pub(super) fn merge(&mut self, other: &Cursor) {
        for (topic, partition, offset) in other.iter() {
            let offset = self.get(topic, partition).map_or(offset, |own| own.min(offset));
            self.set(topic, partition, offset);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every partition with its last offset read.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, offset)| (topic.as_str(), *partition, *offset))
        })
    }

    /// The text that clients see.
    pub(super) fn encode(&self, base64: bool) -> String {
        encoded(self.to_string(), base64)
    }

    /// Reads what a client sent.
    ///
    /// # Errors
    /// 400: it is not a cursor of this endpoint.
    pub(super) fn decode(text: &str, base64: bool) -> Result<Cursor, Failure> {
        let unreadable = || {
            Failure::plain(
                StatusCode::BAD_REQUEST,
                "the cursor cannot be read: send back the last nextCursor or event id of this API unchanged",
            )
        };
        if text.len() > CURSOR_MAX_BYTES {
            return Err(unreadable());
        }
        if !base64 {
            return parse(text).ok_or_else(unreadable);
        }
        let bytes = STANDARD.decode(text).map_err(|_| unreadable())?;
        let plain = String::from_utf8(bytes).map_err(|_| unreadable())?;
        parse(&plain).ok_or_else(unreadable)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (topic, partitions)) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { ";" } else { "" })?;
            f.write_str(topic)?;
            for (index, (partition, offset)) in partitions.iter().enumerate() {
                f.write_char(if index > 0 { ',' } else { '@' })?;
                write!(f, "{partition}#{offset}")?;
            }
        }
        Ok(())
    }
}

/// The id of one record: the cursor of its partition alone.
pub(super) fn record_id(topic: &str, partition: i32, offset: i64, base64: bool) -> String {
    encoded(format!("{topic}@{partition}#{offset}"), base64)
}

fn encoded(text: String, base64: bool) -> String {
    if base64 { STANDARD.encode(text) } else { text }
}

fn parse(text: &str) -> Option<Cursor> {
    let mut cursor = Cursor::default();
    for part in text.split(';') {
        let (topic, positions) = part.rsplit_once('@')?;
        if topic.is_empty() {
            return None;
        }
        for position in positions.split(',') {
            let (partition, offset) = position.split_once('#')?;
            let (partition, offset) = (number::<i32>(partition)?, number::<i64>(offset)?);
            if partition < 0 || !(-1..i64::MAX).contains(&offset) {
                return None;
            }
            cursor.set(topic, partition, offset);
        }
    }
    Some(cursor)
}

/// A number in its one spelling: no plus sign, no leading zeros.
fn number<N: std::str::FromStr + ToString>(text: &str) -> Option<N> {
    text.parse().ok().filter(|number: &N| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_the_one_partition_form() {
        assert_eq!(record_id("test-topic", 0, 1, true), "dGVzdC10b3BpY0AwIzE=");
        let cursor = Cursor::decode("dGVzdC10b3BpY0AwIzE=", true).expect("an id");
        assert_eq!(cursor.get("test-topic", 0), Some(1));
        assert_eq!(cursor.to_string(), "test-topic@0#1");
    }

    #[test]
    fn positions_are_grouped_by_topic() {
        let text = "a.b-c_d@0#-1,12#99;z@3#4";
        let cursor = Cursor::decode(text, false).expect("a cursor");
        let all: Vec<_> = cursor.iter().collect();
        assert_eq!(all, [("a.b-c_d", 0, -1), ("a.b-c_d", 12, 99), ("z", 3, 4)]);
        assert_eq!(cursor.encode(false), text);
        assert_eq!(cursor.get("z", 0), None);
    }

    #[test]
    fn anything_else_is_refused() {
        let texts = [
            "", "a", "a@", "a@0", "a@0#", "@0#1", "a@0#1;", "a@0#1,", "a@-1#1", "a@0#-2", "a@0#+1", "a@0#01",
        ];
        for text in texts {
            let failure = Cursor::decode(text, false).expect_err(text);
            assert_eq!(failure.status, StatusCode::BAD_REQUEST, "{text}");
        }
        assert!(Cursor::decode("a@0#1", true).is_err(), "plain text where base64 is expected");
        assert!(Cursor::decode("YUAwIzE=", false).is_err(), "base64 where plain text is expected");
        assert!(Cursor::decode("a@0#9223372036854775807", false).is_err(), "offset + 1 must exist");
        assert!(Cursor::decode(&"a".repeat(CURSOR_MAX_BYTES + 1), false).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            positions in prop::collection::btree_map(
                "[a-zA-Z0-9._-]{1,20}",
                prop::collection::btree_map(0..=i32::MAX, -1..i64::MAX, 1..8),
                1..5,
            ),
            base64: bool,
        ) {
            let cursor = Cursor(positions);
            let decoded = Cursor::decode(&cursor.encode(base64), base64);
            prop_assert_eq!(decoded.ok(), Some(cursor));
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}", base64: bool) {
            if let Ok(cursor) = Cursor::decode(&text, base64) {
                prop_assert!(!cursor.is_empty());
            }
        }
    }
}
