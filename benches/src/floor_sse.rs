//! The floor of fan-out: one prebuilt SSE event per record, written to every connection, and nothing else: no routing,
//! no broker, no task per client. Records come over a second socket, so that floor and product are paced by the same
//! program. With `--coalesce` several records share one write, which only a backlog allows.

use crate::event::EVENT_BYTES;
use std::io::{self, Write};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Connections that were accepted and wait for the writer.
const ACCEPTED_MAX: usize = 1024;
/// Bytes of records that are read from the feed at once.
const FEED_BYTES: usize = 64 * 1024;

const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream;charset=UTF-8\r\ntransfer-encoding: chunked\r\n\r\n";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Greatest number of records in one write.
    #[arg(long, default_value_t = 1)]
    coalesce: usize,
}

/// Listens on two free loopback ports, one for readers and one for the feed, says which, and serves until the feed ends.
pub(crate) async fn serve(args: Args) -> anyhow::Result<()> {
    let readers = TcpListener::bind(("127.0.0.1", 0)).await?;
    let feed = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening {} {}", readers.local_addr()?, feed.local_addr()?);
    let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
    tokio::spawn(accept(readers, sender));
    let (feed, _) = feed.accept().await?;
    fan_out(feed, accepted, args.coalesce).await
}

/// The same for records that come from elsewhere: listens on one free loopback port for readers and says which.
pub(crate) async fn serve_from(feed: impl AsyncRead + Unpin) -> anyhow::Result<()> {
    let readers = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("listening {}", readers.local_addr()?);
    let (sender, accepted) = mpsc::channel(ACCEPTED_MAX);
    tokio::spawn(accept(readers, sender));
    fan_out(feed, accepted, 1).await
}

async fn accept(listener: TcpListener, sender: mpsc::Sender<TcpStream>) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await? > 0 {}
        stream.write_all(RESPONSE).await?;
        if sender.send(stream).await.is_err() {
            return Ok(());
        }
    }
}

async fn fan_out(
    mut feed: impl AsyncRead + Unpin,
    mut accepted: mpsc::Receiver<TcpStream>,
    coalesce: usize,
) -> anyhow::Result<()> {
    let mut streams: Vec<TcpStream> = Vec::new();
    let mut records = Vec::with_capacity(FEED_BYTES);
    while feed.read_buf(&mut records).await? > 0 {
        while let Ok(stream) = accepted.try_recv() {
            streams.push(stream);
        }
        let whole = records.len() - records.len() % EVENT_BYTES;
        for batch in records[..whole].chunks(EVENT_BYTES * coalesce) {
            write_to_all(&mut streams, &frame(batch)?).await;
        }
        records.drain(..whole);
    }
    Ok(())
}

/// One chunk of the response with the events of all records in `batch`.
fn frame(batch: &[u8]) -> io::Result<Vec<u8>> {
    let mut events = Vec::new();
    for record in batch.chunks(EVENT_BYTES) {
        events.extend_from_slice(b"event: message\ndata: ");
        events.extend_from_slice(record);
        events.extend_from_slice(b"\n\n");
    }
    let mut chunk = Vec::with_capacity(events.len() + 16);
    write!(chunk, "{:x}\r\n", events.len())?;
    chunk.extend_from_slice(&events);
    chunk.extend_from_slice(b"\r\n");
    Ok(chunk)
}

async fn write_to_all(streams: &mut Vec<TcpStream>, frame: &[u8]) {
    let mut gone = Vec::new();
    for (index, stream) in streams.iter_mut().enumerate() {
        let result = match stream.try_write(frame) {
            Ok(written) if written == frame.len() => continue,
            Ok(written) => stream.write_all(&frame[written..]).await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.write_all(frame).await,
            Err(error) => Err(error),
        };
        if result.is_err() {
            gone.push(index);
        }
    }
    for index in gone.into_iter().rev() {
        streams.swap_remove(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chunked::Decoder,
        event::{Event, Kind},
        http_client,
    };

    #[test]
    fn a_frame_is_a_chunk_of_events() {
        let record = Event { kind: Kind::Counted, partition: 0, number: 0, sent_us: 0 }.encode();
        let mut body = Vec::new();
        Decoder::new().feed(&frame(&record.repeat(2)).unwrap(), &mut body).unwrap();
        let event = format!("event: message\ndata: {}\n\n", str::from_utf8(&record).unwrap());
        assert_eq!(body, event.repeat(2).as_bytes());
        assert_eq!(http_client::parse_head(RESPONSE).unwrap().unwrap().status, 200);
    }
}
