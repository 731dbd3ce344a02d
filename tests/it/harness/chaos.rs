//! A TCP proxy that misbehaves on command: it stalls (nothing passes, back-pressure reaches the peers), refuses
//! (connections are accepted and dropped) or cuts (a reset on every open connection).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// Bytes read in one go and so the most that the proxy itself holds per direction.
const CHUNK_BYTES: usize = 16 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    Stall,
    Refuse,
}

#[derive(Clone)]
struct Line {
    target: SocketAddr,
    mode: watch::Receiver<Mode>,
    cuts: watch::Receiver<u64>,
    to_server: Arc<AtomicU64>,
    to_client: Arc<AtomicU64>,
    accepted: Arc<AtomicU64>,
}

/// A running proxy; it ends, with its connections, when dropped.
pub(crate) struct Chaos {
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    to_server: Arc<AtomicU64>,
    to_client: Arc<AtomicU64>,
    accepted: Arc<AtomicU64>,
    task: AbortHandle,
}

impl Chaos {
    /// Listens on `port` of the loopback (0: any) and connects each client to `target`.
    pub(crate) async fn start(port: u16, target: SocketAddr) -> Chaos {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("the fault proxy's port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (mode, mode_seen) = watch::channel(Mode::Pass);
        let (cuts, cuts_seen) = watch::channel(0);
        let (to_server, to_client) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let accepted = Arc::new(AtomicU64::new(0));
        let line = Line {
            target,
            mode: mode_seen,
            cuts: cuts_seen,
            to_server: Arc::clone(&to_server),
            to_client: Arc::clone(&to_client),
            accepted: Arc::clone(&accepted),
        };
        let task = tokio::spawn(accept(listener, line)).abort_handle();
        Chaos { address, mode, cuts, to_server, to_client, accepted, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Resets every open connection; new ones are served as the mode says.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Connections accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Bytes passed so far: from clients to the server, and back.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        (self.to_server.load(Ordering::Relaxed), self.to_client.load(Ordering::Relaxed))
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, line: Line) {
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                line.accepted.fetch_add(1, Ordering::Relaxed);
                if *line.mode.borrow() != Mode::Refuse {
                    open.spawn(connect(client, line.clone()));
                }
            }
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

async fn connect(mut client: TcpStream, mut line: Line) {
    let Ok(mut server) = TcpStream::connect(line.target).await else { return };
    // A proxy that waits for more bytes would make one-message-at-a-time protocols twenty times slower.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    line.cuts.mark_unchanged();
    let (client_in, client_out) = client.split();
    let (server_in, server_out) = server.split();
    let cut = tokio::select! {
        () = async {
            tokio::join!(
                pump(client_in, server_out, line.mode.clone(), &line.to_server),
                pump(server_in, client_out, line.mode.clone(), &line.to_client),
            );
        } => false,
        _ = line.cuts.changed() => true,
    };
    if cut {
        // Without lingering, the close that follows is a reset; an error only means that the peer was gone first.
        drop((client.set_zero_linger(), server.set_zero_linger()));
    }
}

/// Copies one direction until its source ends, then ends its sink.
async fn pump(
    mut source: impl AsyncReadExt + Unpin,
    mut sink: impl AsyncWriteExt + Unpin,
    mut mode: watch::Receiver<Mode>,
    passed: &AtomicU64,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(count @ 1..) = source.read(&mut chunk).await {
        if mode.wait_for(|mode| *mode != Mode::Stall).await.is_err()
            || sink.write_all(&chunk[..count]).await.is_err()
        {
            return;
        }
        passed.fetch_add(count as u64, Ordering::Relaxed);
    }
    drop(sink.shutdown().await);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::wait::{SOON, within};
    use std::time::Duration;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut source, mut sink) = peer.split();
                    tokio::io::copy(&mut source, &mut sink).await
                });
            }
        });
        address
    }

    async fn exchange(peer: &mut TcpStream) -> std::io::Result<[u8; 4]> {
        let mut answer = [0; 4];
        peer.write_all(b"ping").await?;
        peer.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn the_proxy_passes_stalls_cuts_and_refuses() {
        let chaos = Chaos::start(0, echo().await).await;
        let mut peer = TcpStream::connect(chaos.address()).await.expect("the proxy listens");
        assert_eq!(&exchange(&mut peer).await.expect("passes"), b"ping");
        assert_eq!(chaos.bytes(), (4, 4));

        chaos.set(Mode::Stall);
        let stalled = tokio::time::timeout(Duration::from_millis(200), exchange(&mut peer)).await;
        assert!(stalled.is_err(), "nothing passes while stalled");

        chaos.set(Mode::Pass);
        let mut late = [0; 4];
        within("the stalled bytes", SOON, peer.read_exact(&mut late)).await.expect("they arrive when mended");
        chaos.cut();
        let reset = within("the reset", SOON, peer.read(&mut late)).await;
        assert!(
            matches!(&reset, Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset),
            "{reset:?}"
        );

        chaos.set(Mode::Refuse);
        let mut refused = TcpStream::connect(chaos.address()).await.expect("the proxy still accepts");
        assert!(within("the refusal", SOON, exchange(&mut refused)).await.is_err());
    }
}
