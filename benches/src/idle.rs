//! What waiting costs: memory, threads and broker consumers of a gateway with many silent SSE clients of one API.

use crate::{
    definitions, http_client, proc_files,
    report::{Row, Target},
    rig::{Cpu, Rig},
    sse_clients::Audience,
    stack::{self, Stack},
    topic,
};

const PATH: &str = "/bench/idle";
/// Name that librdkafka gives to the main thread of each of its instances: one per consumer or producer.
const KAFKA_CLIENT_THREAD: &str = "rdk:main";

/// Memory per idle SSE client at QoS none, threads and broker consumers with one and with many clients.
///
/// The baseline is the same gateway with one client, so that what is shared (the fetch, its threads) is not counted per
/// client. Memory is read after it stopped moving for a second. Takes about 15 seconds with 1,000 clients.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) kafka: topic::Broker,
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// SSE clients.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) clients: usize,
}

/// What a gateway holds at one moment.
struct Held {
    rss_kib: u64,
    threads: u64,
    kafka_clients: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(args.clients as u64)?;
    let mut stack = Stack::start(&rig, &args.product).await?;
    let topic = topic::create(&args.kafka.kafka, "idle").await?;
    let gateways = [stack.gateway(Cpu::Contender).await?];
    let definition = definitions::kafka_to_sse(PATH, &args.kafka.kafka, &topic);
    stack.publish(&gateways, &definition, &http_client::get(PATH, "text/event-stream")).await?;
    let [gateway] = gateways;

    let first = Audience::connect(gateway.http, PATH, 1).await?;
    let one = held(&gateway.process).await?;
    let others = Audience::connect(gateway.http, PATH, args.clients - 1).await?;
    let many = held(&gateway.process).await?;
    // Fails when a client was disconnected meanwhile: its memory would have been counted as saved.
    first.delivered()?;
    others.delivered()?;
    drop((first, others));
    gateway.process.stop().await?;
    stack.stop().await?;

    let per_client = many.rss_kib.saturating_sub(one.rss_kib) as f64 / (args.clients - 1) as f64;
    let note = format!("{} → {} KiB", one.rss_kib, many.rss_kib);
    let threads = format!("{} → {}", one.threads, many.threads);
    let more_threads = many.threads as f64 - one.threads as f64;
    let kafka = format!("{} → {}", one.kafka_clients, many.kafka_clients);
    let what = |what: &str| format!("{what}, 1 → {} idle SSE clients", args.clients);
    Ok(vec![
        Row::absolute(&what("memory per client"), per_client, "KiB", note, Some(Target::AtMost(8.0))),
        Row::absolute(&what("more threads"), more_threads, "threads", threads, Some(Target::AtMost(0.0))),
        Row::absolute(
            &what("broker consumers"),
            many.kafka_clients as f64,
            "clients",
            kafka,
            Some(Target::AtMost(1.0)),
        ),
    ])
}

async fn held(process: &crate::process::Process) -> anyhow::Result<Held> {
    let rss_kib = process.quiet_rss_kib().await?;
    let kafka_clients = proc_files::threads_named(process.pid(), KAFKA_CLIENT_THREAD)?;
    Ok(Held { rss_kib, threads: proc_files::threads(process.pid())?, kafka_clients })
}
