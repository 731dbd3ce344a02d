//! One client connection: HTTP/1.1 and HTTP/2 with prior knowledge, told apart by their first bytes.
//!
//! HTTP/1 requests are read and answered by hyper. When the answer is a stream or leaves HTTP, the service leaves it
//! in the connection's slot and stays pending; the socket is then taken back from hyper, whose buffers are freed, and
//! served directly. After a stream that ended well hyper gets the socket again for the next request.

use super::head::{Framing, head_bytes};
use super::http1::{self, AfterHttp1, StreamAnswer, Takeover, join};
use super::http2;
use super::io::Io;
use super::reply::Session;
use super::serve::{Front, Peer};
use super::stream::{Ended, StreamWriter};
use crate::stop::Stop;
use bytes::Bytes;
use http::{Response, Version};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

/// How every HTTP/2 connection begins.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes read before the protocol is known: room for a usual request head, which then needs no second read.
const FIRST_READ_BYTES: usize = 1024;
/// After the last response: time and bytes that a client may still send before the socket is closed. Without it a
/// refusal that was sent before the whole request was read would be lost with the connection's reset.
const LINGER_MS: u64 = 1_000;
const LINGER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Serves a connection until it ends. `drain`: finish what is running, take nothing new.
pub(crate) async fn serve_connection(tcp: TcpStream, peer: Peer, front: Arc<Front>, drain: Arc<Stop>) {
    let peer = Arc::new(peer);
    let first = tokio::select! {
        first = Box::pin(first_bytes(tcp, &front)) => first,
        _ = drain.wait() => None,
    };
    let Some((protocol, mut io)) = first else { return };
    if protocol == Version::HTTP_2 {
        return Box::pin(http2::serve_requests(io, peer, front, drain)).await;
    }
    loop {
        let after = Box::pin(http1::serve_requests(io, &peer, &front, &drain)).await;
        match after {
            AfterHttp1::Failed => return,
            AfterHttp1::Finished(tcp) => return Box::pin(linger(tcp)).await,
            AfterHttp1::Taken(Takeover::Upgrade { head, session }, tcp, early) => {
                return Box::pin(upgrade(head, session, tcp, early)).await;
            }
            AfterHttp1::Taken(Takeover::Stream(writer), tcp, early) => {
                // What came before the request was read completely counts as sent during the stream.
                let Some(next) = stream(writer, tcp, early, &drain).await else { return };
                io = next;
            }
        }
    }
}

/// Reads until the protocol is certain. A client that connects ahead of its first request is idle, not slow.
async fn first_bytes(mut tcp: TcpStream, front: &Front) -> Option<(Version, Io)> {
    let mut first = Vec::with_capacity(FIRST_READ_BYTES);
    let mut deadline = Instant::now() + front.idle_patience;
    let protocol = loop {
        if timeout_at(deadline, tcp.read_buf(&mut first)).await.ok()?.ok()? == 0 {
            return None;
        }
        deadline = deadline.min(Instant::now() + front.head_patience);
        let known = first.len().min(HTTP2_PREFACE.len());
        if first[..known] != HTTP2_PREFACE[..known] {
            break Version::HTTP_11;
        }
        if known == HTTP2_PREFACE.len() {
            break Version::HTTP_2;
        }
    };
    Some((protocol, Io::new(first.into(), tcp)))
}

/// Writes the stream. Gives the connection back when another request may follow.
async fn stream(answer: StreamAnswer, tcp: TcpStream, early: Bytes, drain: &Arc<Stop>) -> Option<Io> {
    let StreamAnswer { head, frames, framing } = answer;
    let chunked = matches!(framing, Framing::Chunked { .. });
    let writer = StreamWriter::new(tcp, head_bytes(&head, framing), frames, chunked);
    drop(head);
    let Ended::Complete(tcp, sent_meanwhile) = writer.await else { return None };
    if framing == (Framing::Chunked { keep_alive: true }) && drain.reason().is_none() {
        return Some(Io::new(join(early, sent_meanwhile), tcp));
    }
    Box::pin(linger(tcp)).await;
    None
}

async fn upgrade(head: Response<()>, session: Session, mut tcp: TcpStream, early: Bytes) {
    if tcp.write_all(&head_bytes(&head, Framing::Upgrade)).await.is_ok() {
        drop(head);
        session(Io::new(early, tcp)).await;
    }
}

/// Ends the connection without losing what was written: says so, then waits for the client's end.
async fn linger(mut tcp: TcpStream) {
    let close = async {
        tcp.shutdown().await?;
        let mut sink = vec![0; 16 * 1024];
        let mut total = 0;
        while total < LINGER_BYTES_MAX {
            match tcp.read(&mut sink).await? {
                0 => break,
                count => total += count,
            }
        }
        std::io::Result::Ok(())
    };
    // Whatever happens here, the connection is over.
    timeout(Duration::from_millis(LINGER_MS), close).await.ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Shared;
    use crate::table::Table;
    use tokio::net::TcpListener;

    /// Over in a moment, and long enough for what must happen before.
    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(600);

    async fn connected(head_patience: Duration, idle_patience: Duration) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, address) = listener.accept().await.unwrap();
        let table = Arc::new(Table::new(Shared::default()));
        let front = Arc::new(Front { head_patience, idle_patience, ..Front::new(table, Default::default()) });
        let peer = Peer::new(address.ip(), tcp.local_addr().unwrap());
        let connection = serve_connection(tcp, peer, front, Arc::default());
        assert!(size_of_val(&connection) <= 1024, "{} bytes for each connection", size_of_val(&connection));
        tokio::spawn(connection);
        client
    }

    async fn rest(client: &mut TcpStream) -> String {
        let mut text = String::new();
        timeout(Duration::from_secs(10), client.read_to_string(&mut text))
            .await
            .expect("not closed")
            .unwrap();
        text
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_to_an_end_ends_the_connection() {
        for begun in ["GET /x HTTP/1.1\r\nhost: h\r\nx-slow", "PRI * HTTP"] {
            let mut client = connected(SHORT, LONG).await;
            client.write_all(begun.as_bytes()).await.unwrap();
            assert_eq!(rest(&mut client).await, "", "{begun:?}");
        }
        let mut client = connected(SHORT, LONG).await;
        client.write_all(b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        let mut head = [0; 12];
        client.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 404");
        client.write_all(b"GET /y HTTP").await.unwrap();
        assert!(rest(&mut client).await.ends_with("No context-path matches the request URI."));
    }

    #[tokio::test]
    async fn an_idle_connection_has_more_time_than_a_head() {
        let mut silent = connected(LONG, SHORT).await;
        assert_eq!(rest(&mut silent).await, "");
        let mut client = connected(SHORT, SHORT * 4).await;
        let begun = tokio::time::Instant::now();
        client.write_all(b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
        assert!(rest(&mut client).await.starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert!(begun.elapsed() >= SHORT * 4, "{:?}", begun.elapsed());
    }
}
