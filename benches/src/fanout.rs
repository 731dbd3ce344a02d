//! Kafka → SSE: CPU per delivery beside a raw writer with the same number of readers, paced and under a backlog. Every
//! reader checks every number; an incomplete delivery ends the run.

use crate::{
    definitions, http_client, pacer,
    process::Process,
    report::{self, Row, Spread, Target, plain},
    rig::{Cpu, Rig},
    source::Source,
    sse_clients::Audience,
    stack::{self, Gateway, Stack},
    topic, wait,
};
use anyhow::Context;
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

const PATH: &str = "/bench/fanout";
/// Audiences that are connected at once: two floors and the product.
const AUDIENCES: u64 = 3;
/// Deadline for every reader to have had a record of every partition.
const WARM_LIMIT: Duration = Duration::from_secs(30);
/// Pause between two rounds of warm-up records.
const WARM_PAUSE: Duration = Duration::from_millis(100);
/// A delivery that makes no progress for this long has lost something.
const STALLED_LIMIT: Duration = Duration::from_secs(10);
/// Deadline of one delivery that makes progress.
const DELIVERY_LIMIT: Duration = Duration::from_secs(120);
/// Records per write of the coalescing floor.
const COALESCED: &str = "16";

/// Kafka to SSE with many clients at QoS none, beside a raw socket writer that does nothing but write.
///
/// Prints CPU per delivery, deliveries/s and latency, paced (one event at a time) and under a backlog (bursts), and the
/// ratios per round. The floor of the backlog is also shown with 16 events per write. A lost, repeated or reordered event
/// ends the run. Takes about a minute with 1,000 clients.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) kafka: topic::Broker,
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// SSE clients per contender.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) clients: usize,
    #[command(flatten)]
    pub(crate) pace: Pace,
    /// Measure the floors only.
    #[arg(long)]
    pub(crate) floors_only: bool,
}

/// What is sent, and how often.
#[derive(clap::Args, Clone)]
pub(crate) struct Pace {
    /// Times that every contender is measured.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Length of one paced measurement.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) seconds: f64,
    /// Events per second of the paced measurement.
    #[arg(long, default_value_t = 50.0)]
    pub(crate) rate: f64,
    /// Events of one burst of the backlog measurement.
    #[arg(long, default_value_t = 500)]
    pub(crate) burst: u64,
}

/// One server with its readers.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) process: Process,
    pub(crate) audience: Audience,
    pub(crate) source: Source,
}

/// One measurement.
pub(crate) struct Sample {
    deliveries: u64,
    seconds: f64,
    cpu_us: u64,
    latency: Histogram<u64>,
}

impl Sample {
    pub(crate) fn cpu_us_per_delivery(&self) -> f64 {
        self.cpu_us as f64 / self.deliveries as f64
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.seconds
    }

    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(AUDIENCES * args.clients as u64)?;
    let mut contenders = vec![
        floor(&rig, "raw writer", "1", args.clients).await?,
        floor(&rig, "raw, 16 per write", COALESCED, args.clients).await?,
    ];
    let mut stack = None;
    if !args.floors_only {
        let started = stack.insert(Stack::start(&rig, &args.product).await?);
        contenders.push(ours(started, &args).await?);
    }
    for contender in &mut contenders {
        contender.warm_up().await.with_context(|| contender.name)?;
    }
    let (paced, backlog) = rounds(&args.pace, &mut contenders).await?;
    let length = format!("{} clients, {} rounds", args.clients, args.pace.rounds);
    print_samples(&format!("Kafka → SSE, paced at {}/s, {length}", args.pace.rate), &contenders, &paced);
    print_samples(&format!("Kafka → SSE, bursts of {}, {length}", args.pace.burst), &contenders, &backlog);
    let rows = compare(&args, &paced, &backlog);
    for contender in contenders {
        drop(contender.audience);
        contender.process.stop().await?;
    }
    if let Some(stack) = stack {
        stack.stop().await?;
    }
    Ok(rows)
}

async fn floor(rig: &Rig, name: &'static str, coalesce: &str, clients: usize) -> anyhow::Result<Contender> {
    let (process, addresses) =
        Process::floor(rig, &format!("floor-sse-{coalesce}"), &["floor-sse", "--coalesce", coalesce]).await?;
    let source = Source::feed(addresses[1]).await?;
    let audience = Audience::connect(addresses[0], "/", clients).await.with_context(|| name)?;
    Ok(Contender { name, process, audience, source })
}

async fn ours(stack: &mut Stack<'_>, args: &Args) -> anyhow::Result<Contender> {
    let kafka = &args.kafka.kafka;
    let topic = topic::create(kafka, "fanout").await?;
    let gateways = [stack.gateway(Cpu::Contender).await?];
    let probe = http_client::get(PATH, "text/event-stream");
    stack.publish(&gateways, &definitions::kafka_to_sse(PATH, kafka, &topic), &probe).await?;
    let [Gateway { process, http, .. }] = gateways;
    let audience = Audience::connect(http, PATH, args.clients).await.context("tidegate")?;
    Ok(Contender { name: "tidegate", process, audience, source: Source::topic(kafka, &topic)? })
}

impl Contender {
    /// Sends uncounted records until every reader has had one of every partition: from then on none may miss any.
    pub(crate) async fn warm_up(&mut self) -> anyhow::Result<()> {
        let Self { audience, source, .. } = self;
        wait::until("all SSE clients to receive", WARM_LIMIT, async || {
            if audience.is_warm()? {
                return Ok(Some(()));
            }
            source.warm_up().await?;
            tokio::time::sleep(WARM_PAUSE).await;
            Ok(None)
        })
        .await
    }

    /// One event at a time at a fixed rate.
    async fn paced(&mut self, rate: f64, duration: Duration) -> anyhow::Result<Sample> {
        let start = Instant::now();
        let mut ticks = pacer::ticks(rate, start, start + duration);
        self.sample(async |source| {
            let mut events = 0;
            while ticks.recv().await.is_some() {
                source.send(1).await?;
                events += 1;
            }
            Ok(events)
        })
        .await
    }

    /// Many events at once.
    async fn burst(&mut self, events: u64) -> anyhow::Result<Sample> {
        self.sample(async |source| source.send(events).await.map(|()| events)).await
    }

    /// Measures from the first event until every reader has had every event that `send` says it sent.
    async fn sample(
        &mut self,
        send: impl AsyncFnOnce(&mut Source) -> anyhow::Result<u64>,
    ) -> anyhow::Result<Sample> {
        let (start, cpu_before, before) =
            (Instant::now(), self.process.cpu_us()?, self.audience.delivered()?);
        drop(self.audience.take_latency());
        let expected = send(&mut self.source).await? * self.audience.size() as u64;
        let (mut seen, mut progress) = (0, Instant::now());
        wait::until("the delivery", DELIVERY_LIMIT, async || {
            let delivered = self.audience.delivered()? - before;
            if delivered > seen {
                (seen, progress) = (delivered, Instant::now());
            }
            anyhow::ensure!(
                progress.elapsed() < STALLED_LIMIT,
                "no figure: {seen} of {expected} deliveries were made"
            );
            Ok((delivered == expected).then_some(()))
        })
        .await?;
        let (seconds, cpu_us) = (start.elapsed().as_secs_f64(), self.process.cpu_us()? - cpu_before);
        Ok(Sample { deliveries: expected, seconds, cpu_us, latency: self.audience.take_latency() })
    }
}

/// Samples by contender and round, paced and backlog.
pub(crate) type Samples = Vec<Vec<Sample>>;

pub(crate) async fn rounds(pace: &Pace, contenders: &mut [Contender]) -> anyhow::Result<(Samples, Samples)> {
    let count = contenders.len();
    let [mut paced, mut backlog]: [Samples; 2] =
        std::array::from_fn(|_| (0..count).map(|_| Vec::new()).collect());
    for round in 0..pace.rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let contender = &mut contenders[index];
            let name = contender.name;
            let length = Duration::from_secs_f64(pace.seconds);
            paced[index].push(contender.paced(pace.rate, length).await.with_context(|| name)?);
            backlog[index].push(contender.burst(pace.burst).await.with_context(|| name)?);
        }
    }
    Ok((paced, backlog))
}

pub(crate) fn median(samples: &[Sample], figure: impl Fn(&Sample) -> f64) -> f64 {
    Spread::of(&samples.iter().map(figure).collect::<Vec<_>>()).median
}

pub(crate) fn print_samples(title: &str, contenders: &[Contender], samples: &Samples) {
    println!("{title}, medians; every event delivered to every client");
    let mut lines =
        vec![["", "CPU µs/delivery", "deliveries/s", "p50 ms", "p99 ms"].map(str::to_owned).to_vec()];
    lines.extend(contenders.iter().zip(samples).map(|(contender, rounds)| {
        vec![
            contender.name.to_owned(),
            format!("{:.2}", median(rounds, Sample::cpu_us_per_delivery)),
            plain(median(rounds, Sample::per_second)),
            plain(median(rounds, |sample| sample.latency_ms(0.5))),
            plain(median(rounds, |sample| sample.latency_ms(0.99))),
        ]
    }));
    report::print_table(&lines);
}

/// Ratios per round. What a burst costs is compared with both floors, because coalescing is allowed there.
fn compare(args: &Args, paced: &Samples, backlog: &Samples) -> Vec<Row> {
    let row = |what: &str, ours: &[Sample], floor: &[Sample], figure: Figure, target| {
        let ratios: Vec<f64> =
            ours.iter().zip(floor).map(|(ours, floor)| (figure.of)(ours) / (figure.of)(floor)).collect();
        let [ours, floor] =
            [ours, floor].map(|samples| format!("{} {}", plain(median(samples, figure.of)), figure.unit));
        Row::ratio(format!("Kafka → SSE {what}, {} clients", args.clients), ours, floor, &ratios, target)
    };
    let cpu = Figure { unit: "µs", of: Sample::cpu_us_per_delivery };
    let speed = Figure { unit: "/s", of: Sample::per_second };
    let p50 = Figure { unit: "ms", of: |sample| sample.latency_ms(0.5) };
    let p99 = Figure { unit: "ms", of: |sample| sample.latency_ms(0.99) };
    let (Some(ours_paced), Some(ours_backlog)) = (paced.get(2), backlog.get(2)) else {
        return vec![row("CPU per delivery, burst, 16 : 1 per write", &backlog[1], &backlog[0], cpu, None)];
    };
    vec![
        row("CPU per delivery, paced", ours_paced, &paced[0], cpu, Some(Target::AtMost(1.5))),
        row("p50, paced", ours_paced, &paced[0], p50, None),
        row("p99, paced", ours_paced, &paced[0], p99, None),
        row("CPU per delivery, burst", ours_backlog, &backlog[0], cpu, Some(Target::AtMost(1.5))),
        row(
            "CPU per delivery, burst, floor 16 per write",
            ours_backlog,
            &backlog[1],
            cpu,
            Some(Target::AtMost(2.5)),
        ),
        row(
            "deliveries/s, burst, floor 16 per write",
            ours_backlog,
            &backlog[1],
            speed,
            Some(Target::AtLeast(0.4)),
        ),
    ]
}

/// A figure of a sample, with its unit.
#[derive(Clone, Copy)]
struct Figure {
    unit: &'static str,
    of: fn(&Sample) -> f64,
}
