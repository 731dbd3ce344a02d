//! One SSE stream: bytes in, checked records out. Kept free of I/O, and cheap, because a thousand of them share a CPU
//! with the broker while the server under test has one of its own.

use crate::{
    chunked::Decoder,
    event::{EVENT_BYTES, Event, Kind, PARTITIONS},
};

const DATA: &[u8] = b"data: ";

/// The numbers that must come next, per partition.
#[derive(Default)]
struct Sequence {
    next: [u64; PARTITIONS],
    warm: [bool; PARTITIONS],
}

impl Sequence {
    fn check(&mut self, event: &Event) -> anyhow::Result<()> {
        let partition = event.partition;
        match event.kind {
            Kind::WarmUp => self.warm[partition] = true,
            Kind::Counted => {
                let expected = self.next[partition];
                anyhow::ensure!(
                    event.number == expected,
                    "partition {partition}: number {} came where {expected} was due",
                    event.number
                );
                self.next[partition] += 1;
            }
        }
        Ok(())
    }
}

/// State of one stream between two reads.
pub(crate) struct Reader {
    decoder: Decoder,
    body: Vec<u8>,
    /// Length of the last event with a record, and where its data began: the next one probably looks the same.
    shape: (usize, usize),
    sequence: Sequence,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { decoder: Decoder::new(), body: Vec::new(), shape: (0, 0), sequence: Sequence::default() }
    }

    /// True after the end of the response's body.
    pub(crate) fn is_ended(&self) -> bool {
        self.decoder.is_ended()
    }

    /// True once every partition has delivered a warm-up record.
    pub(crate) fn is_warm(&self) -> bool {
        self.sequence.warm.iter().all(|seen| *seen)
    }

    /// Takes bytes of the response's body; calls `counted` for each record that counts. Fails on a gap, a repetition and
    /// every event that is no record of this program.
    pub(crate) fn take(&mut self, bytes: &[u8], mut counted: impl FnMut(&Event)) -> anyhow::Result<()> {
        self.decoder.feed(bytes, &mut self.body)?;
        let mut start = 0;
        while let Some((length, record)) = self.next_event(start)? {
            start += length;
            if let Some(event) = record {
                self.sequence.check(&event)?;
                if event.kind == Kind::Counted {
                    counted(&event);
                }
            }
        }
        self.body.drain(..start);
        // An idle stream keeps no buffer, so that memory of readers does not depend on what they once read.
        if self.body.is_empty() {
            self.body = Vec::new();
        }
        Ok(())
    }

    /// Length and record (none in comments and `retry`) of the event at `start`; `None` while it is not complete.
    fn next_event(&mut self, start: usize) -> anyhow::Result<Option<(usize, Option<Event>)>> {
        let rest = &self.body[start..];
        let (length, data_at) = self.shape;
        if let Some(event) = rest.get(..length).filter(|event| event.ends_with(b"\n\n"))
            && let Some(record) = event[data_at..].strip_prefix(DATA).and_then(|data| data.get(..EVENT_BYTES))
            && let Some(record) = Event::decode(record)
        {
            return Ok(Some((length, Some(record))));
        }
        let Some(end) = rest.windows(2).position(|window| window == b"\n\n") else { return Ok(None) };
        let length = end + 2;
        let mut line_at = 0;
        for line in rest[..end].split(|byte| *byte == b'\n') {
            if let Some(data) = line.strip_prefix(DATA) {
                let record = Event::decode(data);
                anyhow::ensure!(
                    record.is_some(),
                    "the server sent: {}",
                    String::from_utf8_lossy(&rest[..end])
                );
                self.shape = (length, line_at);
                return Ok(Some((length, record)));
            }
            line_at += line.len() + 1;
        }
        Ok(Some((length, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(events: &str) -> Vec<u8> {
        format!("{:x}\r\n{events}\r\n", events.len()).into_bytes()
    }

    fn sse(kind: Kind, partition: usize, number: u64) -> String {
        let record = Event { kind, partition, number, sent_us: 7 }.encode();
        format!("event: message\ndata: {}\n\n", String::from_utf8(record).unwrap())
    }

    #[test]
    fn records_are_counted_however_they_are_cut() {
        let text = format!("retry: 1000\n\n{}:\n\n{}", sse(Kind::WarmUp, 0, 9), sse(Kind::Counted, 0, 0));
        let bytes = [chunk(&text), chunk(&(sse(Kind::Counted, 1, 0) + &sse(Kind::Counted, 0, 1)))].concat();
        for cut in 0..bytes.len() {
            let (mut reader, mut count) = (Reader::new(), 0);
            reader.take(&bytes[..cut], |_| count += 1).unwrap();
            reader.take(&bytes[cut..], |_| count += 1).unwrap();
            assert_eq!(count, 3, "cut at {cut}");
            assert!(!reader.is_warm(), "only one partition was seen");
        }
    }

    #[test]
    fn a_gap_a_repetition_and_an_error_event_are_seen() {
        for text in
            [sse(Kind::Counted, 2, 1), sse(Kind::Counted, 2, 0).repeat(2), "event: error\ndata: x\n\n".into()]
        {
            assert!(Reader::new().take(&chunk(&text), |_| ()).is_err(), "{text}");
        }
    }
}
