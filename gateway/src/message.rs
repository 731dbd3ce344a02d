//! A message on its way between an entrypoint and an endpoint, and its acknowledgement.

use crate::failure::Failure;
use bytes::Bytes;
use futures::stream::BoxStream;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

/// What a consumer yields. An `Err` is the last item: it becomes the entrypoint's error element.
pub type MessageStream = BoxStream<'static, Result<Message, Failure>>;

/// One message.
#[derive(Debug)]
pub struct Message {
    /// Resume token set by endpoints that can recover; absent otherwise.
    pub id: Option<String>,
    /// Position *after* this message in the endpoint's cursor form, over all partitions read so far: what
    /// `pagination.nextCursor` prints when this message is the last one delivered. Absent: the id is used.
    pub cursor: Option<String>,
    /// Facts from the source (topic, partition, offset, …) in printing order.
    pub metadata: Vec<(Cow<'static, str>, Value)>,
    /// Multi-map in order of arrival; names compare without case.
    pub headers: Vec<(String, String)>,
    /// `None`: a tombstone.
    pub content: Option<Bytes>,
    /// Set by policies, read by connectors, never sent out.
    pub attributes: HashMap<String, Value>,
    /// Settled by the entrypoint when its delivery rule is met.
    pub ack: Ack,
    /// Present on messages of a shared fetch: frames already made for other clients of the same record.
    pub frames: Option<Arc<Frames>>,
}

impl Message {
    /// A message that needs no acknowledgement.
    pub fn new(content: Option<Bytes>) -> Self {
        Message {
            id: None,
            cursor: None,
            metadata: Vec::new(),
            headers: Vec::new(),
            content,
            attributes: HashMap::new(),
            ack: Ack::none(),
            frames: None,
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Handed to the client as its entrypoint defines it (written to the socket; webhook: 2xx).
    Delivered,
    /// Not delivered: the endpoint must not count it as read.
    Failed,
}

type Settle = Box<dyn FnOnce(Outcome) + Send>;

/// An acknowledgement: settled once, failed when dropped.
#[must_use]
pub struct Ack(Option<Settle>);

impl Ack {
    /// For messages whose delivery nobody waits for.
    pub fn none() -> Self {
        Ack(None)
    }

    /// Calls `settle` with the outcome, exactly once. It must not block.
    pub fn new(settle: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Ack(Some(Box::new(settle)))
    }

    /// The client got the message.
    pub fn delivered(mut self) {
        self.settle(Outcome::Delivered);
    }

    fn settle(&mut self, outcome: Outcome) {
        if let Some(settle) = self.0.take() {
            settle(outcome);
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        self.settle(Outcome::Failed);
    }
}

impl std::fmt::Debug for Ack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Ack(pending)" } else { "Ack(none)" })
    }
}

/// A wire format whose bytes are the same for every client of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WireFormat {
    /// An SSE event in an HTTP chunk; the flags are the entrypoint's comment options.
    Sse { headers: bool, metadata: bool },
}

/// Number of distinct `WireFormat` values.
const FORMATS: usize = 4;

/// Frames of one record of a shared fetch, made by the first client that needs a format and reused by the others.
#[derive(Debug, Default)]
pub struct Frames([OnceLock<Bytes>; FORMATS]);

impl Frames {
    /// The frame in `format`, made by `make` the first time.
    pub fn get_or_make(&self, format: WireFormat, make: impl FnOnce() -> Bytes) -> Bytes {
        let index = match format {
            WireFormat::Sse { headers, metadata } => usize::from(headers) + 2 * usize::from(metadata),
        };
        self.0[index].get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn an_ack_is_settled_once_and_fails_when_dropped() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let ack = |name: &'static str| {
            let seen = Arc::clone(&seen);
            Ack::new(move |outcome| seen.lock().unwrap().push((name, outcome)))
        };
        ack("delivered").delivered();
        drop(ack("dropped"));
        assert_eq!(*seen.lock().unwrap(), [("delivered", Outcome::Delivered), ("dropped", Outcome::Failed)]);
    }

    #[test]
    fn a_frame_is_made_once_per_format() {
        let frames = Frames::default();
        let plain = WireFormat::Sse { headers: false, metadata: false };
        assert_eq!(frames.get_or_make(plain, || "a".into()), "a");
        assert_eq!(frames.get_or_make(plain, || "b".into()), "a");
        let commented = WireFormat::Sse { headers: true, metadata: false };
        assert_eq!(frames.get_or_make(commented, || "c".into()), "c");
    }
}
