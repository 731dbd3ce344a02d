//! The pieces of one collected response, made as messages arrive, until a count, a duration or a stop.

use super::print::{Printer, Tail};
use crate::endpoint::StartingCursor;
use crate::entrypoint::{Exchange, farewell};
use crate::failure::Failure;
use crate::http::frame::Frame;
use crate::http::respond;
use crate::message::{Message, MessageStream};
use crate::meter::{EntrypointMeter, OpenStream};
use crate::stop::{StopReason, StopWatch};
use futures::Stream;
use serde_json::Value;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Instant, Sleep};
use uuid::Uuid;

/// What one response collects.
pub(super) struct Plan {
    pub(super) printer: Printer,
    /// Greatest number of messages.
    pub(super) count: usize,
    /// `None`: until the count is reached.
    pub(super) duration: Option<Duration>,
    /// The query parameter `limit`, to be repeated beside the cursor.
    pub(super) sent_limit: Option<String>,
    /// What a response without items says about where to go on; `None` where positions are not the client's.
    pub(super) start: Option<Start>,
}

/// Where a read begins.
pub(super) struct Start {
    /// As the endpoint says.
    pub(super) cursor: StartingCursor,
    /// As the client said.
    pub(super) sent: Option<String>,
}

impl Start {
    fn get(&self) -> Option<&str> {
        self.cursor.get().or(self.sent.as_deref())
    }
}

/// Where the response is.
enum State {
    Opening,
    Items,
    Ended,
}

/// A response on its way.
pub(super) struct Collect {
    source: Option<MessageStream>,
    plan: Plan,
    state: State,
    taken: usize,
    /// Position after the last item.
    cursor: Option<String>,
    deadline: Option<Pin<Box<Sleep>>>,
    stop: StopWatch,
    /// Format of a failure.
    json: bool,
    meter: Arc<EntrypointMeter>,
    _open: OpenStream,
}

impl Collect {
    pub(super) fn new(source: MessageStream, plan: Plan, exchange: &Exchange<'_>) -> Self {
        // An absolute time: a client that reads slowly does not wait longer.
        let deadline =
            plan.duration.map(|duration| Box::pin(tokio::time::sleep_until(Instant::now() + duration)));
        Collect {
            source: Some(source),
            plan,
            state: State::Opening,
            taken: 0,
            cursor: None,
            deadline,
            stop: exchange.watch(),
            json: respond::accepts_json(&exchange.head.headers),
            meter: Arc::clone(exchange.meter),
            _open: exchange.meter.open(),
        }
    }

    fn item(&mut self, message: Message) -> Frame {
        let first = self.taken == 0;
        self.taken += 1;
        self.meter.subscribed.increment(1);
        let text = self.plan.printer.item(&message, first);
        self.cursor = message.cursor.or(message.id).filter(|cursor| !cursor.is_empty());
        Frame { ack: message.ack, ..Frame::plain(text) }
    }

    fn end(&mut self, error: Option<Message>) -> Frame {
        self.source = None;
        self.state = State::Ended;
        let start = self.plan.start.as_ref().filter(|_| self.taken == 0);
        let cursor = self.cursor.as_deref().or_else(|| start.and_then(Start::get));
        let limit = self.plan.sent_limit.as_deref();
        Frame::plain(self.plan.printer.tail(&Tail { error: error.as_ref(), cursor, limit }))
    }

    fn failed(&mut self, failure: &Failure) -> Frame {
        let (content_type, content) = respond::failure_body(failure, self.json);
        let headers =
            [("Content-Type", content_type.to_owned()), ("Content-Length", content.len().to_string())];
        let mut message = Message::new(Some(content.into()));
        message.id = Some(Uuid::new_v4().to_string());
        message.headers = headers.map(|(name, value)| (name.to_owned(), value)).into();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        let mut facts = vec![("statusCode", Value::from(failure.status.as_u16()))];
        facts.extend(failure.key.as_deref().map(|key| ("key", key.into())));
        facts.push(("reason", failure.status.canonical_reason().unwrap_or_default().into()));
        facts.push(("sourceTimestamp", u64::try_from(now).unwrap_or(u64::MAX).into()));
        message.metadata = facts.into_iter().map(|(name, value)| (name.into(), value)).collect();
        self.end(Some(message))
    }

    /// A redeploy answers the poll as it is, the next one goes to the new version. A stop says why it is short.
    fn stopped(&mut self, reason: StopReason) -> Frame {
        match reason {
            StopReason::Redeployed => self.end(None),
            StopReason::Stopped | StopReason::Shutdown | StopReason::AccessEnded => {
                let mut message = Message::new(Some(farewell(reason).into()));
                message.id = Some("goaway".to_owned());
                self.end(Some(message))
            }
        }
    }
}

impl Stream for Collect {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = &mut *self;
        match this.state {
            State::Opening => {
                this.state = State::Items;
                return Poll::Ready(Some(Frame::plain(this.plan.printer.opening())));
            }
            State::Items => {}
            State::Ended => return Poll::Ready(None),
        }
        if this.taken >= this.plan.count {
            return Poll::Ready(Some(this.end(None)));
        }
        let expired = this.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(cx).is_ready());
        if expired {
            return Poll::Ready(Some(this.end(None)));
        }
        if let Poll::Ready(reason) = this.stop.poll(cx) {
            return Poll::Ready(Some(this.stopped(reason)));
        }
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        source.as_mut().poll_next(cx).map(|next| {
            Some(match next {
                Some(Ok(message)) => this.item(message),
                Some(Err(failure)) => this.failed(&failure),
                None => this.end(None),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::print::Format;
    use super::*;
    use crate::failure::key;
    use crate::stop::Stop;
    use futures::{StreamExt as _, stream};
    use http::StatusCode;

    fn collect(source: Vec<Result<Message, Failure>>, start: Option<Start>, all: bool) -> Collect {
        let meter = Arc::new(EntrypointMeter::new(&"api".into(), "http-get"));
        let printer = Printer { format: Format::Json, headers: all, metadata: all };
        Collect {
            source: Some(stream::iter(source).boxed()),
            plan: Plan { printer, count: 10, duration: None, sent_limit: None, start },
            state: State::Opening,
            taken: 0,
            cursor: None,
            deadline: None,
            stop: StopWatch::new(Arc::<Stop>::default()),
            json: true,
            _open: meter.open(),
            meter,
        }
    }

    async fn text(collect: Collect) -> String {
        let pieces: Vec<_> = collect.map(|frame| frame.payload()).collect().await;
        String::from_utf8(pieces.concat()).unwrap()
    }

    async fn check(source: Vec<Result<Message, Failure>>, start: Option<Start>, expected: &str) {
        assert_eq!(text(collect(source, start, false)).await, expected);
    }

    fn message(id: &str, cursor: Option<&str>) -> Result<Message, Failure> {
        let message = Message::new(Some("x".into()));
        Ok(Message { id: Some(id.to_owned()), cursor: cursor.map(str::to_owned), ..message })
    }

    #[tokio::test]
    async fn the_cursor_is_the_position_after_the_last_item() {
        let expected = r#"{"items":[{"id":"1","content":"x"}],"pagination":{"nextCursor":"1"}}"#;
        check(vec![message("1", None)], None, expected).await;
        let expected = concat!(
            r#"{"items":[{"id":"1","content":"x"},{"id":"2","content":"x"}],"#,
            r#""pagination":{"nextCursor":"t@0#1,1#2"}}"#
        );
        check(vec![message("1", Some("t@0#1")), message("2", Some("t@0#1,1#2"))], None, expected).await;
    }

    #[tokio::test]
    async fn without_items_the_cursor_is_where_the_read_began() {
        let start = |known: Option<&str>, sent: Option<&str>| {
            let cursor = StartingCursor::default();
            if let Some(known) = known {
                cursor.set(|| known.to_owned());
            }
            Some(Start { cursor, sent: sent.map(str::to_owned) })
        };
        let known = r#"{"items":[],"pagination":{"nextCursor":"known"}}"#;
        check(Vec::new(), start(Some("known"), Some("sent")), known).await;
        check(Vec::new(), start(None, Some("sent")), r#"{"items":[],"pagination":{"nextCursor":"sent"}}"#)
            .await;
        check(Vec::new(), start(None, None), r#"{"items":[]}"#).await;
        check(Vec::new(), None, r#"{"items":[]}"#).await;
    }

    #[tokio::test]
    async fn a_failure_is_the_error_element_behind_the_items() {
        let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_CLOSED, "gone");
        let text =
            text(collect(vec![message("7", None), Err(failure), message("8", None)], None, true)).await;
        let body: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(body["items"].as_array().unwrap().len(), 1);
        assert_eq!(body["error"]["content"], r#"{"message":"gone","http_status_code":503}"#);
        assert_eq!(body["error"]["headers"]["Content-Type"][0], "application/json");
        assert_eq!(body["error"]["metadata"]["key"], key::CONNECTION_CLOSED);
        assert_eq!(body["error"]["metadata"]["statusCode"], 503);
        assert_eq!(body["pagination"]["nextCursor"], "7");
    }
}
