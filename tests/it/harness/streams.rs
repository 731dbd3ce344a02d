//! Clients of a gateway's streams: server-sent events, WebSocket, and an SSE client that reads nothing.

use super::client::http;
use super::wait::{SOON, within};
use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures::stream::BoxStream;
use futures::{SinkExt, StreamExt};
use reqwest::header::HeaderMap;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Header and query parameter by which a client says who it is.
pub(crate) const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Receive buffer of a client that is to be slow, bytes: the kernel's default would take in megabytes for it.
const STALLED_BUFFER_BYTES: u32 = 4 * 1024;

/// One open SSE response.
pub(crate) struct Sse {
    pub(crate) headers: HeaderMap,
    events: BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>,
}

impl Sse {
    /// Opens the stream; fails with the body when the answer is not 200.
    pub(crate) async fn open(url: &str, headers: &[(&str, &str)]) -> Sse {
        Sse::try_open(url, headers).await.unwrap_or_else(|refused| panic!("SSE at {url}: {refused}"))
    }

    /// Opens the stream; the status and the body when the answer is not 200.
    pub(crate) async fn try_open(url: &str, headers: &[(&str, &str)]) -> Result<Sse, String> {
        let mut request = http().get(url).header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer =
            within("the head of the SSE response", SOON, request.send()).await.expect("the gateway answers");
        let headers = answer.headers().clone();
        if answer.status() != 200 {
            return Err(format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()));
        }
        Ok(Sse { headers, events: answer.bytes_stream().eventsource().boxed() })
    }

    /// Opens the stream; `None` when the gateway is away or does not serve it now.
    pub(crate) async fn open_if_served(url: &str, headers: &[(&str, &str)]) -> Option<Sse> {
        let mut request = http().get(url).header("Accept", "text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = tokio::time::timeout(SOON, request.send()).await.ok()?.ok()?;
        let headers = answer.headers().clone();
        (answer.status() == 200).then(|| Sse { headers, events: answer.bytes_stream().eventsource().boxed() })
    }

    /// The next event of any kind; `None` when the stream has ended. Heartbeats and `retry` are no events.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        match within("an SSE event", SOON, self.events.next()).await {
            Some(Ok(event)) => Some(event),
            Some(Err(error)) => panic!("the SSE stream broke: {error}"),
            None => None,
        }
    }

    /// The next event however long it takes; `None` when the stream has ended or broke, as a browser sees it.
    pub(crate) async fn whenever(&mut self) -> Option<Event> {
        self.events.next().await.and_then(Result::ok)
    }

    /// The data of the next event, which must be a message.
    pub(crate) async fn message(&mut self) -> String {
        let event = self.next().await.expect("the SSE stream ended where a message was due");
        assert_eq!(event.event, "message", "{event:?}");
        event.data
    }

    /// Reads the ids of a mock source that counts every `interval`, from `next` on, until an event that was made after
    /// this call; fails on a gap, a repeat or anything but messages. `opened` is before the stream was.
    pub(crate) async fn unbroken(&mut self, next: u64, opened: Instant, interval: Duration) {
        let made = u64::try_from(opened.elapsed().as_millis() / interval.as_millis()).expect("a short test");
        for id in next..made + 10 {
            let event = self.next().await.expect("the stream goes on");
            assert_eq!((event.event.as_str(), event.id), ("message", id.to_string()), "no gap, no farewell");
        }
    }

    /// The data of the next event when one comes within `period`.
    pub(crate) async fn quiet_for(&mut self, period: Duration) -> Option<Event> {
        match tokio::time::timeout(period, self.events.next()).await {
            Err(_) => None,
            Ok(Some(Ok(event))) => Some(event),
            Ok(other) => panic!("the SSE stream ended or broke: {other:?}"),
        }
    }
}

/// An SSE client that reads the head of the response and then nothing for as long as it lives.
pub(crate) struct Stalled {
    peer: TcpStream,
}

impl Stalled {
    pub(crate) async fn open(port: u16, path: &str) -> Stalled {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(STALLED_BUFFER_BYTES).expect("a small buffer is allowed");
        let mut peer = socket.connect(([127, 0, 0, 1], port).into()).await.expect("the gateway listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        peer.write_all(request.as_bytes()).await.expect("the request is sent");
        let mut head = [0; 12];
        within("the head of the stalled response", SOON, peer.read_exact(&mut head))
            .await
            .expect("an answer");
        assert_eq!(&head, b"HTTP/1.1 200");
        Stalled { peer }
    }

    /// Says that it sends nothing more, which is how a client goes, and reads what was written to its socket until then:
    /// the data of every event that came as a whole.
    pub(crate) async fn leave(mut self) -> Vec<String> {
        self.peer.shutdown().await.expect("the stalled client is still connected");
        let text = self.drain(SOON).await;
        let data = text.split("data: ").skip(1);
        data.filter_map(|rest| rest.split_once('\n').map(|(data, _)| data.to_owned())).collect()
    }

    /// Reads on until the gateway closes or `limit` is over. Everything that came.
    pub(crate) async fn drain(mut self, limit: Duration) -> String {
        let mut bytes = Vec::new();
        // Both a limit that is over and a reset end the reading; the bytes so far are what is asked for.
        drop(tokio::time::timeout(limit, self.peer.read_to_end(&mut bytes)).await);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// One open WebSocket.
pub(crate) struct Ws {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Ws {
    pub(crate) async fn open(url: &str) -> Ws {
        let connecting = tokio_tungstenite::connect_async(url);
        let (socket, _) =
            within("the WebSocket handshake", SOON, connecting).await.expect("the handshake is accepted");
        Ws { socket }
    }

    /// Opens the socket; `None` when the gateway is away or does not serve it now.
    pub(crate) async fn try_open(url: &str) -> Option<Ws> {
        let connecting = tokio_tungstenite::connect_async(url);
        let (socket, _) = tokio::time::timeout(SOON, connecting).await.ok()?.ok()?;
        Some(Ws { socket })
    }

    /// The payload of the next message however long it takes; `None` when the socket was closed or broke.
    pub(crate) async fn whenever(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await?.ok()? {
                Message::Binary(bytes) => return Some(String::from_utf8_lossy(&bytes).into_owned()),
                Message::Text(text) => return Some(text.as_str().to_owned()),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the frame is sent");
    }

    /// The payload of the next frame, which must be binary.
    pub(crate) async fn message(&mut self) -> String {
        loop {
            let frame = within("a WebSocket frame", SOON, self.socket.next()).await;
            match frame.expect("the WebSocket ended where a message was due").expect("the WebSocket broke") {
                Message::Binary(bytes) => return String::from_utf8_lossy(&bytes).into_owned(),
                Message::Ping(_) | Message::Pong(_) => {}
                other @ (Message::Text(_) | Message::Close(_) | Message::Frame(_)) => {
                    panic!("a binary frame was due: {other:?}")
                }
            }
        }
    }

    /// Reads until the close frame and answers it; messages that come before it are skipped.
    pub(crate) async fn closed(mut self) -> CloseFrame {
        loop {
            let frame = within("the WebSocket's close", SOON, self.socket.next()).await;
            if let Message::Close(Some(close)) =
                frame.expect("a close frame comes first").expect("the WebSocket broke")
            {
                return close;
            }
        }
    }
}
