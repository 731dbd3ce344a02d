//! How long a start takes until `/ready`, and what an idle process holds.

use crate::{
    definitions, http_client,
    process::Process,
    report::{Row, Spread, Target, ms},
    rig::{Cpu, Rig},
    stack::{self, Stack},
};
use std::time::Instant;

const PATH: &str = "/bench/start";
/// Path of the API that `dev` comes with.
const DEV_PATH: &str = "/hello";
/// KiB in the megabyte that targets are written in.
const KIB_PER_MB: f64 = 1e6 / 1024.0;

/// Time from starting a gateway until `/ready`, beside a running management with one API, and its memory when idle; time
/// from starting `tidegate dev` in an empty folder until its example API is served.
///
/// Needs no Kafka. Takes about 15 seconds.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// Starts of each kind.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(0)?;
    let mut stack = Stack::start(&rig, &args.product).await?;
    let first = [stack.gateway(Cpu::Any).await?];
    let definition = definitions::post_to_mock("Bench start", PATH);
    stack.publish(&first, &definition, &http_client::post(PATH, "{}")).await?;
    let [first] = first;
    let rss_kib = first.process.quiet_rss_kib().await?;
    first.process.stop().await?;

    let mut gateway_ms = Vec::new();
    for _ in 0..args.rounds {
        let start = Instant::now();
        let gateway = stack.gateway(Cpu::Any).await?;
        gateway_ms.push(ms(start.elapsed()));
        gateway.process.stop().await?;
    }
    stack.stop().await?;
    let mut dev_ms = Vec::new();
    for round in 0..args.rounds {
        let start = Instant::now();
        let dev = start_dev(&rig, &args, round).await?;
        dev_ms.push(ms(start.elapsed()));
        dev.stop().await?;
    }
    let spread = |values: &[f64]| {
        let Spread { median, least, greatest } = Spread::of(values);
        (median, format!("{least:.0}–{greatest:.0} ms in {} starts", values.len()))
    };
    let ((gateway, gateway_range), (dev, dev_range)) = (spread(&gateway_ms), spread(&dev_ms));
    let rss_mb = rss_kib as f64 / KIB_PER_MB;
    Ok(vec![
        Row::absolute("gateway, start → ready", gateway, "ms", gateway_range, Some(Target::AtMost(300.0))),
        Row::absolute("dev, start → example API served", dev, "ms", dev_range, Some(Target::AtMost(1_000.0))),
        Row::absolute(
            "gateway, memory when idle",
            rss_mb,
            "MB",
            format!("{rss_kib} KiB"),
            Some(Target::AtMost(30.0)),
        ),
    ])
}

/// Starts `dev` with an empty data folder and waits until it does what it promises to a newcomer: management answers, and
/// the gateway streams its example API.
async fn start_dev(rig: &Rig, args: &Args, round: usize) -> anyhow::Result<Process> {
    let [rest, sync, http] = stack::free_addresses()?;
    let env = vec![
        ("TIDEGATE_REST_LISTEN", rest.to_string()),
        ("TIDEGATE_SYNC_LISTEN", sync.to_string()),
        ("TIDEGATE_GATEWAY_LISTEN", http.to_string()),
    ];
    let mut dev = stack::spawn(rig, &args.product.binary()?, &format!("dev-{round}"), "dev", env, Cpu::Any)?;
    stack::answers(&mut dev, rest, &http_client::get("/openapi.json", "*/*")).await?;
    stack::answers(&mut dev, http, &http_client::get(DEV_PATH, "text/event-stream")).await?;
    Ok(dev)
}
