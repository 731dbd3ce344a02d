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
/// KiB in the megabyte that targets are written in.
const KIB_PER_MB: f64 = 1e6 / 1024.0;

/// Time from starting a process until `/ready`: a gateway beside a running management with one API, and `tidegate dev`.
/// Resident memory of the idle gateway.
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
        Row::absolute("dev, start → ready", dev, "ms", dev_range, Some(Target::AtMost(1_000.0))),
        Row::absolute(
            "gateway, memory when idle",
            rss_mb,
            "MB",
            format!("{rss_kib} KiB"),
            Some(Target::AtMost(30.0)),
        ),
    ])
}

/// Starts `dev` with an empty data folder and waits until management and gateway are ready.
async fn start_dev(rig: &Rig, args: &Args, round: usize) -> anyhow::Result<Process> {
    let [rest, sync, http, management_node, gateway_node] = stack::free_addresses()?;
    let env = vec![
        ("TIDEGATE_REST_LISTEN", rest.to_string()),
        ("TIDEGATE_SYNC_LISTEN", sync.to_string()),
        ("TIDEGATE_GATEWAY_LISTEN", http.to_string()),
    ];
    let _ = (management_node, gateway_node, round);
    let mut dev = stack::spawn(rig, &args.product.binary()?, "dev", "dev", env, Cpu::Any)?;
    stack::ready(&mut dev, management_node).await?;
    stack::ready(&mut dev, gateway_node).await?;
    Ok(dev)
}
