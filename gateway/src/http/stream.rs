//! Writes one streamed response to an HTTP/1 socket, without the buffers of an HTTP library: an idle client costs its
//! socket, this struct and its source.
//!
//! Pull based: frames are taken from the source only while everything taken before is written. Ready frames leave in
//! one vectored write. A frame counts as delivered when the kernel took its last byte.

use super::frame::{Frame, FrameStream, LAST_CHUNK};
use bytes::{Buf as _, Bytes};
use definition::limits::SLOW_CLIENT_WRITE_TIMEOUT_MS;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// Frames taken from the source before they are written.
const BATCH_FRAMES_MAX: usize = 64;
/// Bytes taken from the source before they are written; one frame may exceed it.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// Room for frames that an idle stream keeps.
const IDLE_FRAMES: usize = 2;
/// Batches written before other tasks get their turn.
const BATCHES_PER_TURN: usize = 8;
/// Bytes kept of what a client sends while it receives; beyond, the client is not read any more.
const EARLY_BYTES_MAX: usize = 16 * 1024;

/// How a streamed response ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Completely written; the socket and what the client sent meanwhile are given back.
    Complete(TcpStream, Bytes),
    /// The client is gone or did not take anything for too long.
    Gone,
}

/// A response on its way.
pub(crate) struct StreamWriter {
    /// `None` once given back.
    tcp: Option<TcpStream>,
    frames: Option<FrameStream>,
    pending: VecDeque<Frame>,
    chunked: bool,
    stalled: Option<Pin<Box<Sleep>>>,
    early: Vec<u8>,
}

impl StreamWriter {
    /// `head`: written before the frames. `chunked`: with the framing of HTTP/1.1.
    pub(crate) fn new(tcp: TcpStream, head: Bytes, frames: FrameStream, chunked: bool) -> Self {
        let mut pending = VecDeque::with_capacity(IDLE_FRAMES);
        pending.push_back(Frame { chunk: head, ack: crate::message::Ack::none() });
        StreamWriter {
            tcp: Some(tcp),
            frames: Some(frames),
            pending,
            chunked,
            stalled: None,
            early: Vec::new(),
        }
    }

    /// Writes what is pending. Ready when nothing is left.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(tcp) = &self.tcp else { return Poll::Ready(Ok(())) };
        while let Some(front) = self.pending.front() {
            if front.chunk.is_empty() {
                settle(&mut self.pending, 0);
                continue;
            }
            let written = if self.pending.len() == 1 {
                tcp.try_write(&front.chunk)
            } else {
                let mut slices = [IoSlice::new(&[]); BATCH_FRAMES_MAX];
                let count = self.pending.len().min(BATCH_FRAMES_MAX);
                for (slice, frame) in slices.iter_mut().zip(&self.pending) {
                    *slice = IoSlice::new(&frame.chunk);
                }
                tcp.try_write_vectored(&slices[..count])
            };
            match written {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(count) => {
                    self.stalled = None;
                    settle(&mut self.pending, count);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(tcp.poll_write_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Takes ready frames from the source. True: the source has no more for now and will wake the task of `cx`.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        let mut bytes = 0;
        while let Some(frames) = &mut self.frames {
            if self.pending.len() >= BATCH_FRAMES_MAX || bytes >= BATCH_BYTES_MAX {
                break;
            }
            match frames.as_mut().poll_next(cx) {
                Poll::Ready(Some(mut frame)) => {
                    if !self.chunked {
                        frame.chunk = frame.payload();
                    }
                    bytes += frame.chunk.len();
                    self.pending.push_back(frame);
                }
                Poll::Ready(None) => {
                    self.frames = None;
                    if self.chunked {
                        let chunk = Bytes::from_static(LAST_CHUNK);
                        self.pending.push_back(Frame { chunk, ack: crate::message::Ack::none() });
                    }
                }
                Poll::Pending => return true,
            }
        }
        false
    }

    /// Ready when the client closed the connection. What it sends is kept for the next request.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(tcp) = &self.tcp else { return Poll::Ready(()) };
        while self.early.len() < EARLY_BYTES_MAX {
            if ready!(tcp.poll_read_ready(cx)).is_err() {
                return Poll::Ready(());
            }
            let mut buffer = [0; 512];
            match tcp.try_read(&mut buffer) {
                Ok(0) => return Poll::Ready(()),
                Ok(count) => self.early.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let patience = Duration::from_millis(SLOW_CLIENT_WRITE_TIMEOUT_MS);
        self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience))).as_mut().poll(cx)
    }
}

/// Takes `written` bytes off the front; frames that are out completely are delivered.
fn settle(pending: &mut VecDeque<Frame>, mut written: usize) {
    while let Some(front) = pending.front_mut() {
        if front.chunk.len() > written {
            front.chunk.advance(written);
            return;
        }
        written -= front.chunk.len();
        if let Some(frame) = pending.pop_front() {
            frame.ack.delivered();
        }
    }
}

impl Future for StreamWriter {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        let mut waiting = false;
        for _ in 0..BATCHES_PER_TURN {
            match this.poll_write(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Ended::Gone),
                // A client that goes may take all that is written until it is gone: it would never look idle.
                Poll::Pending if this.poll_closed(cx).is_ready() => return Poll::Ready(Ended::Gone),
                Poll::Pending => return this.poll_stalled(cx).map(|()| Ended::Gone),
            }
            if this.frames.is_none() {
                let early = std::mem::take(&mut this.early);
                return Poll::Ready(match this.tcp.take() {
                    Some(tcp) => Ended::Complete(tcp, early.into()),
                    None => Ended::Gone,
                });
            }
            if waiting {
                this.pending.shrink_to(IDLE_FRAMES);
                return this.poll_closed(cx).map(|()| Ended::Gone);
            }
            waiting = this.fill(cx);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Ack, Outcome};
    use futures::stream;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    async fn sockets() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    #[test]
    fn an_idle_stream_is_small() {
        assert!(size_of::<StreamWriter>() <= 192, "{} bytes", size_of::<StreamWriter>());
        assert!(size_of::<Frame>() <= 48, "{} bytes", size_of::<Frame>());
    }

    #[tokio::test]
    async fn frames_follow_the_head_and_the_socket_is_given_back_with_what_the_client_sent() {
        let (mut client, server) = sockets().await;
        client.write_all(b"GET /next").await.unwrap();
        let frames = (0..100).map(|index| Frame::plain(format!("{index};")));
        let gate = stream::once(async {
            // Lets the writer idle once, so that it looks at the client.
            tokio::task::yield_now().await;
            Frame::plain("")
        });
        let writer = StreamWriter::new(
            server,
            "HEAD\r\n\r\n".into(),
            Box::pin(gate.chain(stream::iter(frames))),
            true,
        );
        let ended = tokio::time::timeout(Duration::from_secs(5), writer).await.unwrap();
        let Ended::Complete(tcp, early) = ended else { panic!("client lost") };
        drop(tcp);
        assert_eq!(early, "GET /next");
        let mut text = String::new();
        client.read_to_string(&mut text).await.ok();
        let chunks: String =
            (0..100).map(|n| format!("{}\r\n{n};\r\n", if n < 10 { 2 } else { 3 })).collect();
        assert_eq!(text, format!("HEAD\r\n\r\n{chunks}0\r\n\r\n"));
    }

    #[tokio::test]
    async fn a_client_that_closes_ends_the_stream_and_fails_what_it_did_not_get() {
        let (client, server) = sockets().await;
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&outcomes);
        let ack = Ack::new(move |outcome| seen.lock().unwrap().push(outcome));
        // Owned by the source, as a message that was fetched and not taken.
        let waiting = stream::unfold(ack, |ack| async move {
            std::future::pending::<()>().await;
            Some((Frame { chunk: Bytes::new(), ack }, Ack::none()))
        });
        let writer = tokio::spawn(StreamWriter::new(server, "HEAD".into(), Box::pin(waiting), true));
        drop(client);
        let ended = tokio::time::timeout(Duration::from_secs(5), writer).await.unwrap().unwrap();
        assert!(matches!(ended, Ended::Gone));
        assert_eq!(*outcomes.lock().unwrap(), [Outcome::Failed]);
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_stops_the_source() {
        let (mut client, server) = sockets().await;
        let (taken, delivered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (Arc::clone(&taken), Arc::clone(&delivered));
        let endless = stream::repeat_with(move || {
            counters.0.fetch_add(1, Ordering::SeqCst);
            let delivered = Arc::clone(&counters.1);
            let ack = Ack::new(move |outcome| {
                delivered.fetch_add(usize::from(outcome == Outcome::Delivered), Ordering::SeqCst);
            });
            Frame { chunk: super::super::frame::chunk(&[b'x'; 1024]), ack }
        });
        let task = tokio::spawn(StreamWriter::new(server, "".into(), Box::pin(endless), true));
        // The socket buffers fill up; from then on nothing moves until the client reads.
        let mut before = usize::MAX;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while before != delivered.load(Ordering::SeqCst) || before == 0 {
            assert!(tokio::time::Instant::now() < deadline, "the source is never stopped");
            before = delivered.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(taken.load(Ordering::SeqCst) - before <= BATCH_FRAMES_MAX);
        let mut buffer = vec![0; 1024 * 1024];
        while delivered.load(Ordering::SeqCst) == before {
            client.read_exact(&mut buffer).await.unwrap();
        }
        task.abort();
    }

    use futures::StreamExt as _;
}
