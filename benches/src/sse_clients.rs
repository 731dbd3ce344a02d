//! The audience of a fan-out: many SSE connections in one thread, each of which checks every event it gets. The first
//! loss, repetition or broken connection is the audience's end: it has no count any more.

use crate::{event::clock_us, http_client, load, sse_reader::Reader, wait};
use anyhow::Context;
use hdrhistogram::Histogram;
use std::{
    cell::RefCell,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

/// Bytes that one read may bring.
const READ_BYTES: usize = 64 * 1024;
/// Deadline for all connections to be open.
const OPEN_LIMIT: Duration = Duration::from_secs(60);
/// Connections that are opened before the first of them must be answered.
const OPENING_MAX: usize = 100;

/// What all readers of one audience counted together.
struct Tally {
    opened: usize,
    warm: usize,
    delivered: u64,
    /// Nanoseconds from sending to reading.
    latency: Histogram<u64>,
    /// The first thing that went wrong.
    broken: Option<String>,
}

/// Readers that stay connected until the value is dropped.
pub(crate) struct Audience {
    size: usize,
    tally: Arc<Mutex<Tally>>,
    _readers: JoinSet<()>,
}

impl Audience {
    /// Opens `size` connections and waits until each was answered with 200.
    pub(crate) async fn connect(address: SocketAddr, path: &str, size: usize) -> anyhow::Result<Self> {
        let tally = Tally { opened: 0, warm: 0, delivered: 0, latency: load::histogram()?, broken: None };
        let tally = Arc::new(Mutex::new(tally));
        let request: Arc<[u8]> = http_client::get(path, "text/event-stream").into();
        let mut readers = JoinSet::new();
        for number in 1..=size {
            let (request, readers_tally) = (request.clone(), tally.clone());
            readers.spawn(async move {
                let tally = readers_tally;
                let end = read(address, &request, &tally).await;
                let reason = end.err().map_or("the stream ended".to_owned(), |error| format!("{error:#}"));
                with(&tally, |tally| {
                    tally.broken.get_or_insert(format!("reader {number}: {reason}"));
                });
            });
            if number % OPENING_MAX == 0 || number == size {
                wait::until("SSE connections to open", OPEN_LIMIT, async || {
                    observe(&tally, |tally| (tally.opened == number).then_some(()))
                })
                .await?;
            }
        }
        Ok(Self { size, tally, _readers: readers })
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// True once every reader has had a record of every partition.
    pub(crate) fn is_warm(&self) -> anyhow::Result<bool> {
        Ok(observe(&self.tally, |tally| (tally.warm == self.size).then_some(()))?.is_some())
    }

    /// Counted records that were delivered so far, all readers together. Fails when a reader saw a gap or its end.
    pub(crate) fn delivered(&self) -> anyhow::Result<u64> {
        observe(&self.tally, |tally| Some(tally.delivered))?.context("no count")
    }

    /// Latencies since the last call, nanoseconds.
    pub(crate) fn take_latency(&self) -> Histogram<u64> {
        with(&self.tally, |tally| {
            let latency = tally.latency.clone();
            tally.latency.reset();
            latency
        })
    }
}

fn with<T>(tally: &Mutex<Tally>, work: impl FnOnce(&mut Tally) -> T) -> T {
    work(&mut tally.lock().unwrap_or_else(PoisonError::into_inner))
}

fn observe<T>(tally: &Mutex<Tally>, look: impl FnOnce(&Tally) -> Option<T>) -> anyhow::Result<Option<T>> {
    with(tally, |tally| match &tally.broken {
        Some(reason) => Err(anyhow::anyhow!("no figure: {reason}")),
        None => Ok(look(tally)),
    })
}

/// One reader: from the request to the end of the stream, which is always an error for the audience.
async fn read(address: SocketAddr, request: &[u8], tally: &Mutex<Tally>) -> anyhow::Result<()> {
    thread_local! {
        // One buffer for all readers: it is only used between two awaits.
        static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let (mut head, mut reader) = (Some(Vec::new()), Reader::new());
    loop {
        stream.readable().await?;
        let ended = SCRATCH.with_borrow_mut(|scratch| -> anyhow::Result<bool> {
            let count = match stream.try_read(scratch) {
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            };
            let bytes = &scratch[..count];
            match head.take() {
                None => take(&mut reader, bytes, tally)?,
                Some(mut begun) => {
                    begun.extend_from_slice(bytes);
                    match http_client::parse_head(&begun)? {
                        None => head = Some(begun),
                        Some(parsed) => {
                            anyhow::ensure!(parsed.status == 200, "status {}", parsed.status);
                            with(tally, |tally| tally.opened += 1);
                            take(&mut reader, &begun[parsed.bytes..], tally)?;
                        }
                    }
                }
            }
            Ok(count == 0 || reader.is_ended())
        })?;
        if ended {
            return Ok(());
        }
    }
}

fn take(reader: &mut Reader, bytes: &[u8], tally: &Mutex<Tally>) -> anyhow::Result<()> {
    let (was_warm, now) = (reader.is_warm(), clock_us());
    with(tally, |tally| {
        reader.take(bytes, |event| {
            tally.delivered += 1;
            tally.latency.saturating_record(now.saturating_sub(event.sent_us) * 1_000);
        })?;
        tally.warm += usize::from(!was_warm && reader.is_warm());
        Ok(())
    })
}
