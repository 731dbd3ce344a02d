//! One WebSocket connection after its handshake.
//!
//! Frames of the client are published one after the other, each when the one before is confirmed: order is kept and
//! a client that sends faster than the broker takes is slowed down by its own socket. Messages for the client are
//! taken while it takes them, and count as delivered when they are flushed to the socket.

use crate::endpoint::{Endpoint, PublishContext};
use crate::entrypoint::Exchange;
use crate::failure::Failure;
use crate::http::io::Io;
use crate::message::{Ack, Message, MessageStream};
use crate::meter::{EntrypointMeter, OpenStream};
use crate::stop::{StopReason, StopWatch};
use bytes::Bytes;
use definition::limits::{
    SLOW_CLIENT_WRITE_TIMEOUT_MS, WEBSOCKET_FRAME_MAX_BYTES, WEBSOCKET_MESSAGE_MAX_BYTES,
};
use futures::{SinkExt as _, StreamExt as _};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error as WsError, Message as WsMessage, Utf8Bytes};

/// Read buffer of an idle connection, bytes; larger frames make it grow.
const READ_BUFFER_BYTES: usize = 1024;
/// Bytes that are collected before they are written even though more is ready.
const WRITE_BUFFER_BYTES: usize = 32 * 1024;
/// Messages taken from the source before they are flushed.
const BATCH_MESSAGES_MAX: usize = 64;
/// Pause between two pings, milliseconds: keeps proxies from giving an idle connection up, and finds dead clients.
const PING_INTERVAL_MS: u64 = 30_000;
const PING_PAYLOAD: &[u8] = b"ping_pong";
/// Time for the client's answer to our close frame, milliseconds.
const CLOSE_TIMEOUT_MS: u64 = 5_000;

/// What runs on the connection.
pub(super) struct Session {
    endpoint: Arc<dyn Endpoint>,
    context: PublishContext,
    publisher: bool,
    /// `None`: nothing is sent to the client any more.
    source: Option<MessageStream>,
    stop: StopWatch,
    meter: Arc<EntrypointMeter>,
    _open: OpenStream,
}

type Socket = WebSocketStream<Io>;
type Publishing = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// What happens next.
enum Event {
    Inbound(Option<Result<WsMessage, WsError>>),
    Published(Result<(), Failure>),
    Outbound(Option<Result<Message, Failure>>),
    Stopped(StopReason),
    Ping,
}

/// How the connection ends.
enum End {
    /// With a close frame.
    Close(CloseCode, &'static str),
    /// The client closed, or cannot be reached.
    Gone,
}

impl Session {
    pub(super) fn new(exchange: &Exchange<'_>, publisher: bool, source: Option<MessageStream>) -> Self {
        Session {
            endpoint: Arc::clone(exchange.endpoint),
            context: exchange.writer(),
            publisher,
            source,
            stop: exchange.watch(),
            meter: Arc::clone(exchange.meter),
            _open: exchange.meter.open(),
        }
    }

    /// Runs until one side ends it.
    pub(super) async fn run(mut self, io: Io) {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(WEBSOCKET_MESSAGE_MAX_BYTES))
            .max_frame_size(Some(WEBSOCKET_FRAME_MAX_BYTES));
        let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
        match self.serve(&mut socket).await {
            End::Gone => {}
            End::Close(code, reason) => {
                // The source is closed now, not after the client's answer.
                drop(self);
                close(socket, code, reason).await;
            }
        }
    }

    async fn serve(&mut self, socket: &mut Socket) -> End {
        let period = Duration::from_millis(PING_INTERVAL_MS);
        let mut ping = interval_at(Instant::now() + period, period);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut publishing: Option<Publishing> = None;
        let mut inbound_first = true;
        loop {
            if !self.publisher && self.source.is_none() {
                return End::Close(CloseCode::Normal, "Bye");
            }
            let event = self.next(socket, &mut publishing, &mut ping, inbound_first).await;
            // Neither direction starves the other.
            inbound_first = !inbound_first;
            match event {
                Event::Stopped(reason) => return farewell(reason),
                Event::Inbound(None) => return End::Gone,
                Event::Inbound(Some(Err(error))) => return broken(&error),
                Event::Inbound(Some(Ok(frame))) => publishing = self.publish(frame),
                Event::Published(Ok(())) => {
                    self.meter.published.increment(1);
                    publishing = None;
                }
                Event::Published(Err(_)) | Event::Outbound(Some(Err(_))) => {
                    return End::Close(CloseCode::Error, "Server error");
                }
                Event::Outbound(None) => self.source = None,
                Event::Outbound(Some(Ok(message))) => {
                    if let Err(end) = self.send(socket, message).await {
                        return end;
                    }
                }
                Event::Ping => {
                    let frame = WsMessage::Ping(Bytes::from_static(PING_PAYLOAD));
                    if let Err(end) = in_time(socket.send(frame)).await {
                        return end;
                    }
                }
            }
        }
    }

    /// Waits for the next event. The client is not read while a message of it is on its way.
    async fn next(
        &mut self,
        socket: &mut Socket,
        publishing: &mut Option<Publishing>,
        ping: &mut Interval,
        inbound_first: bool,
    ) -> Event {
        poll_fn(|cx| {
            if let Poll::Ready(reason) = self.stop.poll(cx) {
                return Poll::Ready(Event::Stopped(reason));
            }
            for inbound in [inbound_first, !inbound_first] {
                let event = match (inbound, publishing.as_mut(), self.source.as_mut()) {
                    (true, Some(publishing), _) => publishing.as_mut().poll(cx).map(Event::Published),
                    (true, None, _) => socket.poll_next_unpin(cx).map(Event::Inbound),
                    (false, _, Some(source)) => source.as_mut().poll_next(cx).map(Event::Outbound),
                    (false, _, None) => Poll::Pending,
                };
                if event.is_ready() {
                    return event;
                }
            }
            ping.poll_tick(cx).map(|_| Event::Ping)
        })
        .await
    }

    /// Starts to publish a frame of the client; control frames are answered by the library.
    fn publish(&self, frame: WsMessage) -> Option<Publishing> {
        if !self.publisher || !(frame.is_binary() || frame.is_text()) {
            return None;
        }
        let (endpoint, context) = (Arc::clone(&self.endpoint), self.context.clone());
        let message = Message::new(Some(frame.into_data()));
        Some(Box::pin(async move { endpoint.publish(&context, message).await }))
    }

    /// Sends a message and those that are ready behind it in one go.
    async fn send(&mut self, socket: &mut Socket, first: Message) -> Result<(), End> {
        let mut acks: Vec<Ack> = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next.take() {
            self.meter.subscribed.increment(1);
            in_time(socket.feed(WsMessage::Binary(message.content.unwrap_or_default()))).await?;
            acks.push(message.ack);
            if acks.len() < BATCH_MESSAGES_MAX {
                next = self.ready().await?;
            }
        }
        in_time(socket.flush()).await?;
        for ack in acks {
            ack.delivered();
        }
        Ok(())
    }

    /// The next message, if it is there already.
    async fn ready(&mut self) -> Result<Option<Message>, End> {
        let polled = poll_fn(|cx| {
            Poll::Ready(match &mut self.source {
                Some(source) => source.as_mut().poll_next(cx),
                None => Poll::Pending,
            })
        })
        .await;
        match polled {
            Poll::Pending => Ok(None),
            Poll::Ready(Some(Ok(message))) => Ok(Some(message)),
            Poll::Ready(Some(Err(_))) => Err(End::Close(CloseCode::Error, "Server error")),
            Poll::Ready(None) => {
                self.source = None;
                Ok(None)
            }
        }
    }
}

/// A write that the client must take within the time limit.
async fn in_time(write: impl Future<Output = Result<(), WsError>>) -> Result<(), End> {
    match timeout(Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS), write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

fn farewell(reason: StopReason) -> End {
    match reason {
        StopReason::Stopped => End::Close(CloseCode::Again, "Try Again Later"),
        StopReason::Redeployed => End::Close(CloseCode::Restart, "Service Restart"),
        StopReason::Shutdown => End::Close(CloseCode::Away, "Endpoint unavailable"),
        // Not "try again": the next attempt is refused.
        StopReason::AccessEnded => End::Close(CloseCode::Policy, "Subscription ended"),
    }
}

/// A client that breaks the protocol is told which rule; one whose connection is lost cannot be told anything.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's errors; all others mean that the connection is lost"
)]
fn broken(error: &WsError) -> End {
    match error {
        WsError::Capacity(_) => End::Close(CloseCode::Size, "Message too big"),
        WsError::Protocol(_) => End::Close(CloseCode::Protocol, "Protocol error"),
        WsError::Utf8(_) => End::Close(CloseCode::Invalid, "Invalid text"),
        _ => End::Gone,
    }
}

/// Sends a close frame and waits for the client's.
async fn close(mut socket: Socket, code: CloseCode, reason: &'static str) {
    let farewell = async {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Whatever happens here, the connection is over.
    timeout(Duration::from_millis(CLOSE_TIMEOUT_MS), farewell).await.ok();
}
