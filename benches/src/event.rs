//! The records that are counted: 200 bytes of JSON with the partition, a number that rises by one within the partition,
//! and the time of sending. Every field has a fixed place, so that a reader of a million of them per second can check
//! each one.

use std::{sync::OnceLock, time::Instant};

/// Bytes of one record.
pub(crate) const EVENT_BYTES: usize = 200;
/// Partitions of the topics that are measured.
pub(crate) const PARTITIONS: usize = 4;

const KIND_AT: usize = 9;
const PARTITION_AT: usize = 24;
const NUMBER_AT: usize = 31;
const NUMBER_DIGITS: usize = 10;
const SENT_AT: usize = 51;
const SENT_DIGITS: usize = 15;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Sent until every reader has seen one per partition; not counted.
    WarmUp,
    /// Must reach every reader once, in order within its partition.
    Counted,
}

/// The checked fields of a record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) kind: Kind,
    pub(crate) partition: usize,
    pub(crate) number: u64,
    /// Microseconds on `clock_us`.
    pub(crate) sent_us: u64,
}

impl Event {
    /// The record's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::WarmUp => 'w',
            Kind::Counted => 'c',
        };
        let Self { partition, number, sent_us, .. } = self;
        let head = format!(
            r#"{{"kind":"{kind}","partition":{partition},"n":"{number:010}","sent":"{sent_us:015}","pad":""#
        );
        format!("{head}{:x<1$}\"}}", "", EVENT_BYTES - head.len() - 2).into_bytes()
    }

    /// Reads the bytes of one record; `None` when they are none.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != EVENT_BYTES {
            return None;
        }
        let kind = match bytes[KIND_AT] {
            b'w' => Kind::WarmUp,
            b'c' => Kind::Counted,
            _ => return None,
        };
        let partition = usize::from(bytes[PARTITION_AT].checked_sub(b'0')?);
        let number = digits(&bytes[NUMBER_AT..NUMBER_AT + NUMBER_DIGITS])?;
        let sent_us = digits(&bytes[SENT_AT..SENT_AT + SENT_DIGITS])?;
        (partition < PARTITIONS).then_some(Self { kind, partition, number, sent_us })
    }
}

fn digits(bytes: &[u8]) -> Option<u64> {
    bytes
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// Microseconds since this process first asked.
pub(crate) fn clock_us() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let event = Event { kind: Kind::Counted, partition: 3, number: 1_234_567, sent_us: 987_654_321 };
        let bytes = event.encode();
        assert_eq!(bytes.len(), EVENT_BYTES);
        assert_eq!(Event::decode(&bytes), Some(event));
        assert_eq!(Event::decode(&bytes[1..]), None);
        assert_eq!(Event::decode(&[b'x'; EVENT_BYTES]), None);
    }
}
