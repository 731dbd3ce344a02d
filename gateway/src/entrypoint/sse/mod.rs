//! Entrypoint `sse`: one endless response per client, one event per message.
//!
//! A message counts as delivered when its event was written to the socket.

pub(crate) mod format;

use super::accept::{self, MediaType};
use super::{Entrypoint, Exchange, Handler, farewell};
use crate::call::body::Body;
use crate::endpoint::Shared;
use crate::failure::Failure;
use crate::http::frame::{ChunkBuilder, Frame};
use crate::http::reply::Reply;
use crate::http::respond;
use crate::message::{Message, MessageStream, WireFormat};
use crate::meter::{EntrypointMeter, OpenStream};
use crate::stop::{StopReason, StopWatch};
use async_trait::async_trait;
use bytes::Bytes;
use definition::api::Settings;
use definition::connector::sse::Sse;
use definition::violation::Violation;
use format::Comments;
use futures::Stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};
use uuid::Uuid;

const EVENT_STREAM: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Pause before a client that lost its stream comes back, milliseconds; spread, so that not all come at once.
const RETRY_MS: std::ops::Range<u64> = 1_000..30_000;
/// The same for clients that are sent away and should be back soon.
const RETRY_AFTER_GOAWAY_MS: std::ops::RangeInclusive<u64> = 1_000..=5_000;
/// Events in a row after which the stream looks whether its API stopped, however many more are there.
const EVENTS_BETWEEN_STOP_CHECKS: u8 = 64;
/// What an event needs beside its content, bytes: a first guess for the buffer.
const EVENT_OVERHEAD_BYTES: usize = 64;

/// Builds the entrypoint.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Handler, Vec<Violation>> {
    Ok(Handler::Messages(Box::new(Events { settings: Sse::parse(settings)? })))
}

struct Events {
    settings: Sse,
}

#[async_trait]
impl Entrypoint for Events {
    fn matches(&self, head: &Parts) -> bool {
        let first = head.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
        head.method == Method::GET
            && first.is_some_and(|value| accept::media_types(value).any(|media| wants_events(&media)))
    }

    async fn handle(&self, exchange: Exchange<'_>, _body: Body) -> Result<Reply, Failure> {
        let request = exchange.reader(last_event_id(exchange.head), None, None);
        let source = exchange.endpoint.subscribe(request).await?;
        let mut head = Response::new(());
        let headers = head.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream;charset=UTF-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        let interval = Duration::from_millis(self.settings.heartbeat_interval_in_ms);
        let comments = Comments {
            headers: self.settings.headers_as_comment,
            metadata: self.settings.metadata_as_comment,
        };
        let events = EventStream {
            source: Some(source),
            stop: exchange.watch(),
            heartbeat: Box::pin(tokio::time::sleep(interval)),
            interval,
            last: Instant::now(),
            comments,
            json: respond::accepts_json(&exchange.head.headers),
            opened: false,
            unchecked: 0,
            meter: Arc::clone(exchange.meter),
            _open: exchange.meter.open(),
        };
        Ok(Reply::Stream { head, frames: Box::pin(events) })
    }
}

fn wants_events(media: &MediaType) -> bool {
    media.name == EVENT_STREAM && media.quality > 0
}

/// Where a client that comes back left off.
pub(crate) fn last_event_id(head: &Parts) -> Option<String> {
    let value = head.headers.get(LAST_EVENT_ID)?;
    // Browsers send it as UTF-8, which is more than what counts as text in a header.
    std::str::from_utf8(value.as_bytes()).ok().filter(|id| !id.is_empty()).map(str::to_owned)
}

/// The events of one client.
struct EventStream {
    /// `None`: the stream is over.
    source: Option<MessageStream>,
    stop: StopWatch,
    heartbeat: Pin<Box<Sleep>>,
    interval: Duration,
    /// When the last event or heartbeat was made.
    last: Instant,
    comments: Comments,
    /// Format of a failure.
    json: bool,
    opened: bool,
    unchecked: u8,
    meter: Arc<EntrypointMeter>,
    _open: OpenStream,
}

impl EventStream {
    fn event(&mut self, message: Message) -> Frame {
        self.last = Instant::now();
        self.meter.subscribed.increment(1);
        let comments = self.comments;
        let make = || {
            let content = message.content.as_ref().map_or(0, Bytes::len);
            let mut chunk = ChunkBuilder::with_capacity(content + EVENT_OVERHEAD_BYTES);
            format::message(chunk.buffer(), &message, comments);
            chunk.finish()
        };
        let chunk = match &message.frames {
            Some(frames) => {
                let format = WireFormat::Sse { headers: comments.headers, metadata: comments.metadata };
                frames.get_or_make(format, make)
            }
            None => make(),
        };
        Frame { chunk, ack: message.ack }
    }

    fn error(&mut self, failure: &Failure) -> Frame {
        self.source = None;
        let (_, content) = respond::failure_body(failure, self.json);
        Frame::plain(format::error(&Uuid::new_v4().to_string(), &content))
    }

    fn goaway(&mut self, reason: StopReason) -> Frame {
        self.source = None;
        Frame::plain(format::goaway(rand::random_range(RETRY_AFTER_GOAWAY_MS), farewell(reason)))
    }

    /// Ready when nothing was sent for an interval. The timer is set anew only when it fires, not for every event.
    fn poll_heartbeat(&mut self, cx: &mut Context<'_>) -> Poll<Frame> {
        loop {
            ready!(self.heartbeat.as_mut().poll(cx));
            let now = Instant::now();
            let due = now.duration_since(self.last) >= self.interval;
            if due {
                self.last = now;
            }
            self.heartbeat.as_mut().reset(self.last + self.interval);
            if due {
                return Poll::Ready(Frame::plain(format::HEARTBEAT));
            }
        }
    }
}

impl Stream for EventStream {
    type Item = Frame;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let this = &mut *self;
        if !this.opened {
            this.opened = true;
            return Poll::Ready(Some(Frame::plain(format::retry(rand::random_range(RETRY_MS)))));
        }
        if this.unchecked == EVENTS_BETWEEN_STOP_CHECKS {
            this.unchecked = 0;
            if this.source.is_some()
                && let Poll::Ready(reason) = this.stop.poll(cx)
            {
                return Poll::Ready(Some(this.goaway(reason)));
            }
        }
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        match source.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(message))) => {
                this.unchecked += 1;
                return Poll::Ready(Some(this.event(message)));
            }
            Poll::Ready(Some(Err(failure))) => return Poll::Ready(Some(this.error(&failure))),
            Poll::Ready(None) => {
                this.source = None;
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        this.unchecked = 0;
        if let Poll::Ready(reason) = this.stop.poll(cx) {
            return Poll::Ready(Some(this.goaway(reason)));
        }
        this.poll_heartbeat(cx).map(Some)
    }
}

#[cfg(test)]
mod tests;
