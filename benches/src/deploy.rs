//! How long a deployment takes until the last gateway serves it, while requests to another API must not notice.

use crate::{
    definitions,
    http_client::{self, Connection},
    report::{Row, Spread, Target, ms, quantile},
    rig::{Cpu, Rig},
    stack::{self, Stack},
};
use anyhow::Context;
use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

const STEADY_PATH: &str = "/bench/steady";
/// Pause between two probes of one gateway; the resolution of the figure.
const PROBE_PAUSE: Duration = Duration::from_millis(1);
/// Pause between two requests to the other API, per gateway.
const STEADY_PAUSE: Duration = Duration::from_millis(10);
/// Deadline for one deployment to be served everywhere.
const DEPLOY_LIMIT: Duration = Duration::from_secs(10);

/// Time from the deploy call until the last of several gateways gives the first answer of the new definition.
///
/// Every deployment moves an API to another path; a gateway serves it when that path answers 202. Another API is called
/// on every gateway meanwhile: not one of its requests may fail. Needs no Kafka. Takes about 20 seconds.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// Gateway processes.
    #[arg(long, default_value_t = 10)]
    pub(crate) gateways: usize,
    /// Deployments.
    #[arg(long, default_value_t = 50)]
    pub(crate) deployments: usize,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(4 * args.gateways as u64)?;
    let mut stack = Stack::start(&rig, &args.product).await?;
    let mut gateways = Vec::new();
    for _ in 0..args.gateways {
        gateways.push(stack.gateway(Cpu::Any).await?);
    }
    let steady = http_client::post(STEADY_PATH, "{}");
    stack.publish(&gateways, &definitions::post_to_mock("Bench steady", STEADY_PATH), &steady).await?;
    let mut definition = definitions::post_to_mock("Bench deploy", &path(0));
    let (id, _) = stack.publish(&gateways, &definition, &http_client::post(&path(0), "{}")).await?;
    definition["id"] = id.clone().into();
    definition["visibility"] = "PRIVATE".into();

    let addresses: Vec<SocketAddr> = gateways.iter().map(|gateway| gateway.http).collect();
    let (sent, failed) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u64)));
    let mut last_ms = Vec::new();
    let mut each_ms = Vec::new();
    let deploying = async {
        for number in 1..=args.deployments {
            definition["listeners"][0]["paths"][0]["path"] = path(number).into();
            stack.management.update(&id, &definition).await?;
            let served = deploy_once(&stack, &id, &addresses, &path(number)).await?;
            last_ms.push(served.iter().copied().fold(0.0, f64::max));
            each_ms.extend(served);
        }
        anyhow::Ok(())
    };
    tokio::select! {
        result = deploying => result?,
        result = keep_calling(&addresses, &steady, &sent, &failed) => result?,
    }
    for gateway in gateways {
        gateway.process.stop().await?;
    }
    stack.stop().await?;
    Ok(rows(&args, &last_ms, &each_ms, sent.get(), failed.get()))
}

fn path(number: usize) -> String {
    format!("/bench/deploy-{number}")
}

/// Milliseconds from the deploy call to the first 202 on each gateway.
async fn deploy_once(
    stack: &Stack<'_>,
    id: &str,
    addresses: &[SocketAddr],
    path: &str,
) -> anyhow::Result<Vec<f64>> {
    let request: Rc<[u8]> = http_client::post(path, "{}").into();
    let start = Instant::now();
    let probes = addresses.iter().map(|address| {
        let request = request.clone();
        async move {
            let mut connection = Connection::open(*address).await?;
            while connection.exchange(&request).await? != 202 {
                tokio::time::sleep(PROBE_PAUSE).await;
            }
            anyhow::Ok(ms(start.elapsed()))
        }
    });
    let both = futures::future::try_join(stack.management.deploy(id), futures::future::try_join_all(probes));
    let (_, served) =
        timeout(DEPLOY_LIMIT, both).await.context("a gateway did not serve the deployment in time")??;
    Ok(served)
}

/// Calls the other API on every gateway until dropped.
async fn keep_calling(
    addresses: &[SocketAddr],
    request: &[u8],
    sent: &Cell<u64>,
    failed: &Cell<u64>,
) -> anyhow::Result<()> {
    let callers = addresses.iter().map(|address| async move {
        let mut connection = Connection::open(*address).await?;
        loop {
            let answer = connection.exchange(request).await;
            sent.set(sent.get() + 1);
            if !matches!(answer, Ok(202)) {
                failed.set(failed.get() + 1);
            }
            if answer.is_err() {
                connection = Connection::open(*address).await?;
            }
            tokio::time::sleep(STEADY_PAUSE).await;
        }
    });
    futures::future::try_join_all(callers).await.map(|_: Vec<()>| ())
}

fn rows(args: &Args, last_ms: &[f64], each_ms: &[f64], sent: u64, failed: u64) -> Vec<Row> {
    let what = |what: &str| format!("deploy → served on {} gateways, {what}", args.gateways);
    let (p50, p99) = (Spread::of(last_ms).median, quantile(last_ms, 0.99));
    let each = format!("per gateway {:.1} ms", quantile(each_ms, 0.5));
    let each_p99 = format!("per gateway {:.1} ms, {} deployments", quantile(each_ms, 0.99), last_ms.len());
    vec![
        Row::absolute(&what("p50"), p50, "ms", each, Some(Target::AtMost(100.0))),
        Row::absolute(&what("p99"), p99, "ms", each_p99, Some(Target::AtMost(300.0))),
        Row::absolute(
            "failed requests to another API meanwhile",
            failed as f64,
            "requests",
            format!("of {sent}"),
            Some(Target::AtMost(0.0)),
        ),
    ]
}
