//! Load on an HTTP server that answers with one status: closed loops for throughput and CPU, an open loop for latency. Everything
//! that was answered is counted, warm-up included, so that it can be compared with what the broker holds; figures come
//! from the window after the warm-up only.

use crate::{http_client::Connection, pacer, proc_files::cpu_us};
use hdrhistogram::Histogram;
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
    time::sleep_until,
};

/// Greatest latency that is told apart, nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Significant decimal digits of latencies.
const LATENCY_DIGITS: u8 = 3;

/// What is sent, and for how long.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) request: Arc<[u8]>,
    /// The status of an answer that counts as accepted.
    pub(crate) wanted: u16,
    pub(crate) connections: usize,
    pub(crate) warm_up: Duration,
    pub(crate) duration: Duration,
}

/// What came of it.
pub(crate) struct Outcome {
    /// All answers with the wanted status, warm-up included.
    pub(crate) accepted: u64,
    /// All other answers and broken connections, warm-up included.
    pub(crate) refused: u64,
    /// The first of those in words.
    pub(crate) first_refusal: Option<String>,
    /// Answers inside the window.
    pub(crate) measured: u64,
    /// Length of the window.
    pub(crate) seconds: f64,
    /// CPU time of the server inside the window, microseconds.
    pub(crate) cpu_us: u64,
    /// Latencies inside the window, nanoseconds.
    pub(crate) latency: Histogram<u64>,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.measured as f64 / self.seconds
    }

    pub(crate) fn cpu_us_per_request(&self) -> f64 {
        self.cpu_us as f64 / self.measured as f64
    }

    /// A latency in milliseconds.
    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// A histogram for latencies in nanoseconds.
pub(crate) fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1_000, LATENCY_MAX_NS, LATENCY_DIGITS)?)
}

/// What one connection counted.
struct Count {
    accepted: u64,
    refused: u64,
    first_refusal: Option<String>,
    measured: u64,
    latency: Histogram<u64>,
}

impl Count {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { accepted: 0, refused: 0, first_refusal: None, measured: 0, latency: histogram()? })
    }

    fn answered(
        &mut self,
        result: std::io::Result<u16>,
        wanted: u16,
        from: Instant,
        window: &Window,
    ) -> bool {
        let now = Instant::now();
        let kept = result.is_ok();
        match result {
            Ok(status) if status == wanted => self.accepted += 1,
            Ok(status) => self.refuse(format!("status {status}")),
            Err(error) => self.refuse(error.to_string()),
        }
        if now >= window.start && now < window.end {
            self.measured += 1;
            self.latency.saturating_record(now.saturating_duration_since(from).as_nanos() as u64);
        }
        kept
    }

    fn refuse(&mut self, reason: String) {
        self.refused += 1;
        self.first_refusal.get_or_insert(reason);
    }
}

#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
}

/// Every connection sends its next request as soon as the last one was answered. `server` is the pid whose CPU time is
/// taken.
pub(crate) async fn closed(load: &Load, server: u32) -> anyhow::Result<Outcome> {
    let window = window(load);
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn(closed_loop(load.clone(), window));
    }
    collect(connections, window, server).await
}

/// `per_second` requests in total are sent when they are due, whatever the answers do; latency counts from when they
/// were due. Fails when the load could not be sent at that rate.
pub(crate) async fn open(load: &Load, per_second: f64, server: u32) -> anyhow::Result<Outcome> {
    let window = window(load);
    let due = pacer::ticks(per_second, window.start - load.warm_up, window.end);
    let due = Arc::new(Mutex::new(due));
    let mut connections = JoinSet::new();
    for _ in 0..load.connections {
        connections.spawn(open_loop(load.clone(), due.clone(), window));
    }
    let outcome = collect(connections, window, server).await?;
    let (offered, sent) =
        (pacer::count(per_second, load.warm_up + load.duration), outcome.accepted + outcome.refused);
    anyhow::ensure!(
        sent * 100 >= offered * 98,
        "only {sent} of {offered} requests could be sent at {per_second:.0}/s"
    );
    Ok(outcome)
}

fn window(load: &Load) -> Window {
    let start = Instant::now() + load.warm_up;
    Window { start, end: start + load.duration }
}

async fn closed_loop(load: Load, window: Window) -> anyhow::Result<Count> {
    let mut count = Count::new()?;
    let mut connection = Connection::open(load.address).await?;
    while Instant::now() < window.end {
        let sent = Instant::now();
        let result = connection.exchange(&load.request).await;
        if !count.answered(result, load.wanted, sent, &window) {
            connection = Connection::open(load.address).await?;
        }
    }
    Ok(count)
}

async fn open_loop(
    load: Load,
    due: Arc<Mutex<mpsc::Receiver<Instant>>>,
    window: Window,
) -> anyhow::Result<Count> {
    let mut count = Count::new()?;
    let mut connection = Connection::open(load.address).await?;
    loop {
        let next = due.lock().await.recv().await;
        let Some(due_at) = next else { return Ok(count) };
        let result = connection.exchange(&load.request).await;
        if !count.answered(result, load.wanted, due_at, &window) {
            connection = Connection::open(load.address).await?;
        }
    }
}

async fn collect(
    mut connections: JoinSet<anyhow::Result<Count>>,
    window: Window,
    server: u32,
) -> anyhow::Result<Outcome> {
    sleep_until(window.start.into()).await;
    let (started, cpu_before) = (Instant::now(), cpu_us(server)?);
    sleep_until(window.end.into()).await;
    let (seconds, used_us) = (started.elapsed().as_secs_f64(), cpu_us(server)? - cpu_before);
    let mut total = Count::new()?;
    while let Some(count) = connections.join_next().await {
        let count = count??;
        total.accepted += count.accepted;
        total.refused += count.refused;
        total.measured += count.measured;
        total.first_refusal = total.first_refusal.or(count.first_refusal);
        total.latency.add(count.latency)?;
    }
    let Count { accepted, refused, first_refusal, measured, latency } = total;
    anyhow::ensure!(measured > 0, "no request was answered in {seconds:.1} s");
    Ok(Outcome { accepted, refused, first_refusal, measured, seconds, cpu_us: used_us, latency })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{floor_http, http_client};
    use hyper::StatusCode;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::net::TcpListener;

    /// A server that counts its requests and answers each with `status`.
    async fn server(status: StatusCode) -> (Load, Arc<AtomicU64>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(AtomicU64::new(0));
        let counter = seen.clone();
        tokio::spawn(floor_http::serve_on(listener, move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            std::future::ready(status)
        }));
        let request = http_client::post("/", "{}").into();
        let (warm_up, duration) = (Duration::from_millis(50), Duration::from_millis(200));
        (Load { address, request, wanted: 202, connections: 3, warm_up, duration }, seen)
    }

    #[tokio::test]
    async fn a_closed_loop_counts_every_request() {
        let (load, seen) = server(StatusCode::ACCEPTED).await;
        let outcome = closed(&load, std::process::id()).await.unwrap();
        assert_eq!((outcome.accepted, outcome.refused), (seen.load(Ordering::Relaxed), 0));
        assert!(outcome.measured < outcome.accepted, "the warm-up is not measured");
        assert_eq!(outcome.latency.len(), outcome.measured);
    }

    #[tokio::test]
    async fn an_open_loop_sends_what_is_due() {
        let (load, seen) = server(StatusCode::ACCEPTED).await;
        let outcome = open(&load, 400.0, std::process::id()).await.unwrap();
        assert_eq!((outcome.accepted, seen.load(Ordering::Relaxed)), (100, 100));
    }

    #[tokio::test]
    async fn other_answers_are_refusals() {
        let (load, seen) = server(StatusCode::SERVICE_UNAVAILABLE).await;
        let outcome = closed(&load, std::process::id()).await.unwrap();
        assert_eq!((outcome.accepted, outcome.refused), (0, seen.load(Ordering::Relaxed)));
        assert_eq!(outcome.first_refusal.as_deref(), Some("status 503"));
    }
}
