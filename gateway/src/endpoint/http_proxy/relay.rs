//! A WebSocket connection through the gateway: bytes are copied both ways, each side as fast as the other takes them.

use super::frames::{self, Frames};
use super::transport::Transport;
use crate::http::io::Io;
use crate::stop::{StopReason, StopWatch};
use bytes::Bytes;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Buffer of each direction, bytes.
const BUFFER_BYTES: usize = 8 * 1024;
/// Time for a client to take the close frame, milliseconds.
const CLOSE_TIMEOUT_MS: u64 = 1000;
/// Codes of RFC 6455 and its registry.
const GOING_AWAY: u16 = 1001;
const POLICY_VIOLATION: u16 = 1008;
const SERVICE_RESTART: u16 = 1012;
const TRY_AGAIN_LATER: u16 = 1013;

/// What runs after the handshake.
pub(super) struct Relay {
    pub(super) backend: Transport,
    /// What the backend sent behind its handshake.
    pub(super) early: Bytes,
    /// Time without a byte in either direction after which both sides are asked whether they are there, and after which
    /// the connection is given up when neither says so.
    pub(super) patience: Option<Duration>,
    pub(super) stop: StopWatch,
}

impl Relay {
    /// Runs until one side closes, nothing moves for too long, or the API stops.
    pub(super) async fn run(self, client: Io) {
        let Relay { backend, early, patience, stop } = self;
        let (mut from_client, mut to_client) = tokio::io::split(client);
        let (mut from_backend, mut to_backend) = tokio::io::split(backend);
        let (mut up, mut down) = (Frames::default(), Frames::default());
        let moved = AtomicBool::new(false);
        let (ask_backend, ask_client) = (Ask::new(frames::masked_ping()), Ask::new(frames::ping()));
        let reason = tokio::select! {
            _ = async {
                tokio::join!(
                    pump(Bytes::new(), &mut from_client, &mut to_backend, &mut up, &ask_backend, &moved),
                    pump(early, &mut from_backend, &mut to_client, &mut down, &ask_client, &moved),
                )
            } => return,
            () = silence(patience, &moved, [&ask_backend, &ask_client]) => return,
            reason = stop.wait() => reason,
        };
        let (code, text) = match reason {
            StopReason::Stopped => (TRY_AGAIN_LATER, "Try Again Later"),
            StopReason::Redeployed => (SERVICE_RESTART, "Service Restart"),
            StopReason::Shutdown => (GOING_AWAY, "Endpoint unavailable"),
            StopReason::AccessEnded => (POLICY_VIOLATION, "Subscription ended"),
        };
        let farewell = async {
            if up.between() {
                to_backend.write_all(&frames::masked_close(GOING_AWAY)).await?;
                to_backend.flush().await?;
            }
            if down.between() {
                to_client.write_all(&frames::close(code, text)).await?;
            }
            to_client.shutdown().await?;
            // The client's own close frame, so that ours is not lost with a reset of the connection.
            from_client.read(&mut [0; 256]).await
        };
        // Whatever happens here, the connection is over.
        timeout(Duration::from_millis(CLOSE_TIMEOUT_MS), farewell).await.ok();
    }
}

/// A ping for one side, and when it is due.
struct Ask {
    frame: Vec<u8>,
    due: Notify,
}

impl Ask {
    fn new(frame: Vec<u8>) -> Ask {
        Ask { frame, due: Notify::new() }
    }
}

/// Copies one direction to its end, and passes the end on. A ping that is due goes between two frames, or not at all:
/// who is in the middle of a frame is there.
async fn pump<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    early: Bytes,
    from: &mut R,
    to: &mut W,
    frames: &mut Frames,
    ask: &Ask,
    moved: &AtomicBool,
) -> io::Result<()> {
    pass(&early, to, frames).await?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = tokio::select! {
            count = from.read(&mut buffer) => count?,
            () = ask.due.notified() => {
                if frames.between() {
                    pass(&ask.frame, to, frames).await?;
                }
                continue;
            }
        };
        if count == 0 {
            return to.shutdown().await;
        }
        moved.store(true, Ordering::Relaxed);
        pass(&buffer[..count], to, frames).await?;
    }
}

/// Writes piece by piece, so that it is known what is out whenever this is given up.
async fn pass<W: AsyncWrite + Unpin>(mut bytes: &[u8], to: &mut W, frames: &mut Frames) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = to.write(bytes).await?;
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        frames.passed(&bytes[..count]);
        bytes = &bytes[count..];
    }
    to.flush().await
}

/// Returns when nothing moved for that long, and nobody answered for as long again.
async fn silence(patience: Option<Duration>, moved: &AtomicBool, sides: [&Ask; 2]) {
    let Some(patience) = patience else { return std::future::pending().await };
    let mut asked = false;
    loop {
        tokio::time::sleep(patience).await;
        let silent = !moved.swap(false, Ordering::Relaxed);
        if silent && asked {
            return;
        }
        if silent {
            sides.iter().for_each(|side| side.due.notify_one());
        }
        asked = silent;
    }
}
