//! A backend that reads requests byte by byte and answers as its script says, so that a test sees what was sent and may
//! break every rule.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A listening backend.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heads: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

/// One connection to it.
pub(crate) struct Peer {
    pub(crate) tcp: TcpStream,
    seen: Vec<u8>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    /// Answers every request of every connection with the same bytes.
    pub(crate) async fn always(answer: &'static str) -> Backend {
        Backend::scripted(move |mut peer| async move {
            while let Some(head) = peer.head().await {
                let length =
                    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
                peer.bytes(length.unwrap_or(0)).await;
                peer.send(answer).await;
            }
        })
        .await
    }

    /// Runs the script on every connection.
    pub(crate) async fn scripted<F>(script: impl Fn(Peer) -> F + Send + 'static) -> Backend
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, heads) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (count, seen) = (Arc::clone(&connections), Arc::clone(&heads));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(script(Peer { tcp, seen: Vec::new(), heads: Arc::clone(&seen) }));
            }
        });
        Backend { address, connections, heads, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// The next head with its empty line; `None`: the connection ended.
    pub(crate) async fn head(&mut self) -> Option<String> {
        let head = self.until("\r\n\r\n").await?;
        self.heads.lock().unwrap().push(head.clone());
        Some(head)
    }

    /// Everything up to `end`; `None`: the connection ended before.
    pub(crate) async fn until(&mut self, end: &str) -> Option<String> {
        loop {
            let found = self.seen.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.seen.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.seen, rest)).ok();
            }
            if self.tcp.read_buf(&mut self.seen).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next bytes of a body.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.seen.len() < count && self.tcp.read_buf(&mut self.seen).await.is_ok_and(|read| read > 0) {}
        let rest = self.seen.split_off(count.min(self.seen.len()));
        std::mem::replace(&mut self.seen, rest)
    }

    pub(crate) async fn send(&mut self, text: &str) {
        // A gateway that is gone is what some tests want.
        self.tcp.write_all(text.as_bytes()).await.ok();
    }

    /// Waits until the gateway closes.
    pub(crate) async fn closed(mut self) {
        while self.tcp.read_buf(&mut self.seen).await.is_ok_and(|read| read > 0) {}
    }
}
