//! A webhook receiver that breaks rules on purpose: speaks HTTP byte by byte, and does with every call what the test says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    Answer(u16),
    /// Bytes that are no HTTP.
    Garbage,
    /// The call is read, and nothing more happens.
    Stall,
    /// The connection ends without an answer.
    HangUp,
    /// 200, and a body without an end.
    Endless,
}

/// Decides by the body and by how often it came before.
type Manners = Arc<dyn Fn(&str, usize) -> Reaction + Send + Sync>;

/// A listening receiver; it stops with the test.
pub(crate) struct Rude {
    address: SocketAddr,
    calls: Calls,
    task: JoinHandle<()>,
}

type Calls = Arc<Mutex<Vec<(String, Reaction)>>>;

impl Rude {
    pub(crate) async fn start(manners: impl Fn(&str, usize) -> Reaction + Send + Sync + 'static) -> Rude {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (calls, manners): (Calls, Manners) = (Calls::default(), Arc::new(manners));
        let task = tokio::spawn({
            let (calls, seen) = (Arc::clone(&calls), Arc::<Mutex<HashMap<String, usize>>>::default());
            async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    let (calls, seen, manners) =
                        (Arc::clone(&calls), Arc::clone(&seen), Arc::clone(&manners));
                    tokio::spawn(async move {
                        let mut connection = Connection { tcp, read: Vec::new() };
                        while let Some(body) = connection.call().await {
                            let times = {
                                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                                let times = seen.entry(body.clone()).or_default();
                                std::mem::replace(times, *times + 1)
                            };
                            let reaction = manners(&body, times);
                            calls.lock().unwrap_or_else(PoisonError::into_inner).push((body, reaction));
                            if !connection.react(reaction).await {
                                return;
                            }
                        }
                    });
                }
            }
        });
        Rude { address, calls, task }
    }

    /// Where subscriptions deliver to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The bodies of the calls so far, in order of arrival.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.of(|_| true)
    }

    /// Those that got a 2xx.
    pub(crate) fn accepted(&self) -> Vec<String> {
        self.of(|reaction| matches!(reaction, Reaction::Answer(200..300) | Reaction::Endless))
    }

    fn of(&self, wanted: impl Fn(Reaction) -> bool) -> Vec<String> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|(_, reaction)| wanted(*reaction)).map(|(body, _)| body.clone()).collect()
    }
}

impl Drop for Rude {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Connection {
    tcp: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// The body of the next call; `None`: the gateway has closed.
    async fn call(&mut self) -> Option<String> {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break self.read.drain(..end + 4).collect::<Vec<u8>>();
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.unwrap_or(0);
        while self.read.len() < length {
            self.more().await?;
        }
        let body = self.read.drain(..length).collect::<Vec<u8>>();
        Some(String::from_utf8_lossy(&body).into_owned())
    }

    async fn more(&mut self) -> Option<()> {
        let count = self.tcp.read_buf(&mut self.read).await.ok()?;
        (count > 0).then_some(())
    }

    /// Whether the connection goes on.
    async fn react(&mut self, reaction: Reaction) -> bool {
        match reaction {
            Reaction::Answer(status) => {
                let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n");
                self.tcp.write_all(answer.as_bytes()).await.is_ok()
            }
            Reaction::Garbage => {
                self.tcp.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await.ok();
                false
            }
            // Until the gateway closes.
            Reaction::Stall => {
                while self.more().await.is_some() {}
                false
            }
            Reaction::HangUp => false,
            Reaction::Endless => {
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                let mut sent = self.tcp.write_all(head).await;
                while sent.is_ok() {
                    sent = self.tcp.write_all(b"5\r\nagain\r\n").await;
                }
                false
            }
        }
    }
}
