//! HTTP proxying beside nginx's `proxy_pass`: the same upstream, the same load, in turn.

use crate::{
    definitions, http_client,
    load::{self, Load, Outcome},
    nginx::Nginx,
    report::{self, Row, Spread, Target, plain},
    rig::{Cpu, Rig},
    stack::{self, Gateway, Stack},
};
use anyhow::Context;
use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// Files that load, proxies and pipes need at most.
const CONNECTIONS_MAX: u64 = 1_000;
const OPEN_PATH: &str = "/bench/open";
const KEYED_PATH: &str = "/bench/keyed";
/// Bytes of the body of a POST.
const BODY_BYTES: usize = 4096;
/// Connections of the open loop.
const OPEN_LOOP_CONNECTIONS: usize = 16;
/// Most memory of a gateway after the load, MB.
const RSS_MAX_MB: f64 = 30.0;

/// HTTP proxy beside nginx with the same upstream (nginx, 200 with 2 bytes), connections kept everywhere.
///
/// Prints requests/s, latency and CPU per request of nginx, of the product without security and of the product with an API
/// key and a headers policy; then the latency that each adds at a fixed rate, and the gateway's memory.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) product: stack::Product,
    /// Times that every contender is measured.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Length of one measurement.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) seconds: f64,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    pub(crate) connections: Vec<usize>,
    /// Requests per second of the open loop.
    #[arg(long, default_value_t = 5000.0)]
    pub(crate) rate: f64,
    /// nginx's binary.
    #[arg(long, value_name = "PATH", default_value = "/usr/sbin/nginx")]
    pub(crate) nginx: PathBuf,
}

/// One way to the upstream.
struct Contender {
    name: &'static str,
    /// Whose CPU time is taken.
    pid: u32,
    address: SocketAddr,
    path: &'static str,
    key: Option<String>,
}

const DIRECT: usize = 0;
const NGINX: usize = 1;
const OPEN: usize = 2;
const KEYED: usize = 3;

/// All outcomes with one kind of load, by contender and round.
type Outcomes = Vec<Vec<Outcome>>;

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(CONNECTIONS_MAX)?;
    let upstream = Nginx::upstream(&rig, &args.nginx).await?;
    let nginx = Nginx::proxy(&rig, &args.nginx, upstream.address).await?;
    let mut stack = Stack::start(&rig, &args.product).await?;
    let gateway = stack.gateway(Cpu::Contender).await?;
    let gateways = [gateway];
    let key = publish(&stack, &gateways, upstream.address).await?;
    let [gateway] = gateways;
    let plain = |name, pid, address, path| Contender { name, pid, address, path, key: None };
    let contenders = [
        plain("direct", upstream.process.pid(), upstream.address, "/"),
        plain("nginx", nginx.process.pid(), nginx.address, "/"),
        plain("tidegate", gateway.process.pid(), gateway.http, OPEN_PATH),
        Contender {
            key: Some(key),
            ..plain("tidegate, key + headers", gateway.process.pid(), gateway.http, KEYED_PATH)
        },
    ];
    let mut rows = Vec::new();
    for &connections in &args.connections {
        rows.extend(throughput(&args, &contenders, connections, false).await?);
    }
    rows.extend(throughput(&args, &contenders, args.connections[args.connections.len() / 2], true).await?);
    rows.extend(open_loop(&args, &contenders).await?);
    rows.push(memory(&gateway).await?);
    gateway.process.stop().await?;
    stack.stop().await?;
    nginx.process.stop().await?;
    upstream.process.stop().await?;
    Ok(rows)
}

/// The API without security, and the one with it, whose key is returned.
async fn publish(stack: &Stack<'_>, gateways: &[Gateway], upstream: SocketAddr) -> anyhow::Result<String> {
    let open = definitions::http_proxy("Bench open", OPEN_PATH, upstream, None);
    stack.publish(gateways, &open, &http_client::get(OPEN_PATH, "*/*")).await?;
    let flow = definitions::headers_flow();
    let keyed = definitions::http_proxy("Bench keyed", KEYED_PATH, upstream, Some(flow));
    let request = |key: &str| http_client::get_with(KEYED_PATH, "*/*", &[definitions::key_header(key)]);
    stack.publish_keyed(gateways, &keyed, request).await
}

async fn memory(gateway: &Gateway) -> anyhow::Result<Row> {
    let mb = gateway.process.quiet_rss_kib().await? as f64 * 1024.0 / 1e6;
    Ok(Row::absolute("gateway memory after load", mb, "MB", String::new(), Some(Target::AtMost(RSS_MAX_MB))))
}

impl Contender {
    fn request(&self, post: bool) -> Arc<[u8]> {
        let headers: Vec<String> = self.key.iter().map(|key| definitions::key_header(key)).collect();
        match post {
            false => http_client::get_with(self.path, "*/*", &headers).into(),
            true => http_client::post_with(self.path, &"x".repeat(BODY_BYTES), &headers).into(),
        }
    }

    fn load(&self, args: &Args, connections: usize, post: bool) -> Load {
        Load {
            address: self.address,
            request: self.request(post),
            wanted: 200,
            connections,
            warm_up: Duration::from_secs_f64(args.seconds / 4.0),
            duration: Duration::from_secs_f64(args.seconds),
        }
    }
}

/// Fails when a request was not answered as it should be.
fn verified(contender: &Contender, outcome: Outcome) -> anyhow::Result<Outcome> {
    let refusal = outcome.first_refusal.as_deref().unwrap_or_default();
    let (name, refused) = (contender.name, outcome.refused);
    anyhow::ensure!(refused == 0, "{name}: {refused} requests failed, first: {refusal}");
    Ok(outcome)
}

async fn throughput(
    args: &Args,
    contenders: &[Contender],
    connections: usize,
    post: bool,
) -> anyhow::Result<Vec<Row>> {
    let mut outcomes: Outcomes = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..args.rounds {
        for turn in 0..contenders.len() {
            // Each round begins with another contender, so that none always runs on the same side of a disturbance.
            let index = (round + turn) % contenders.len();
            let contender = &contenders[index];
            let load = contender.load(args, connections, post);
            let outcome = load::closed(&load, contender.pid).await.context(contender.name)?;
            outcomes[index].push(verified(contender, outcome)?);
        }
    }
    let what = format!("{}, c={connections}", if post { "POST 4 KiB" } else { "GET" });
    print_outcomes(&what, contenders, &outcomes);
    let row = |name: &str, index: usize, unit: &str, figure: fn(&Outcome) -> f64, target| {
        let (ours, nginx) = (&outcomes[index], &outcomes[NGINX]);
        let ratios: Vec<f64> =
            ours.iter().zip(nginx).map(|(ours, nginx)| figure(ours) / figure(nginx)).collect();
        let [ours, nginx] = [ours, nginx].map(|rounds| format!("{} {unit}", plain(median(rounds, figure))));
        Row::ratio(format!("proxy {name}, {what}"), ours, nginx, &ratios, target)
    };
    let (open, keyed) = (Some(Target::AtLeast(0.85)), Some(Target::AtLeast(0.6)));
    Ok(vec![
        row("throughput", OPEN, "req/s", Outcome::per_second, open),
        row("CPU", OPEN, "µs/req", Outcome::cpu_us_per_request, None),
        row("throughput with key + headers", KEYED, "req/s", Outcome::per_second, keyed),
        row("CPU with key + headers", KEYED, "µs/req", Outcome::cpu_us_per_request, None),
    ])
}

fn median(outcomes: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> f64 {
    Spread::of(&outcomes.iter().map(figure).collect::<Vec<_>>()).median
}

fn print_outcomes(what: &str, contenders: &[Contender], outcomes: &Outcomes) {
    println!("HTTP proxy, {what}, medians of {} rounds", outcomes[0].len());
    let mut lines = vec![["", "req/s", "p50 ms", "p99 ms", "CPU µs/request"].map(str::to_owned).to_vec()];
    lines.extend(contenders.iter().zip(outcomes).map(|(contender, rounds)| {
        vec![
            contender.name.to_owned(),
            plain(median(rounds, Outcome::per_second)),
            plain(median(rounds, |outcome| outcome.latency_ms(0.5))),
            plain(median(rounds, |outcome| outcome.latency_ms(0.99))),
            plain(median(rounds, Outcome::cpu_us_per_request)),
        ]
    }));
    report::print_table(&lines);
}

/// The latency that a proxy adds at the same offered rate.
async fn open_loop(args: &Args, contenders: &[Contender]) -> anyhow::Result<Vec<Row>> {
    let mut p50: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..args.rounds {
        for turn in 0..contenders.len() {
            let index = (round + turn) % contenders.len();
            let contender = &contenders[index];
            let load = contender.load(args, OPEN_LOOP_CONNECTIONS, false);
            let outcome = load::open(&load, args.rate, contender.pid).await.context(contender.name)?;
            p50[index].push(verified(contender, outcome)?.latency_ms(0.5));
        }
    }
    let added = |index: usize| -> Vec<f64> {
        p50[index].iter().zip(&p50[DIRECT]).map(|(proxied, direct)| proxied - direct).collect()
    };
    let nginx = added(NGINX);
    let row = |name: &str, index: usize, target| {
        let ours = added(index);
        let ratios: Vec<f64> = ours.iter().zip(&nginx).map(|(ours, nginx)| ours / nginx).collect();
        let [ours, nginx] = [&ours, &nginx].map(|values| format!("{:.3} ms", Spread::of(values).median));
        Row::ratio(format!("proxy added p50{name} at {:.0} req/s", args.rate), ours, nginx, &ratios, target)
    };
    Ok(vec![row("", OPEN, Some(Target::AtMost(1.3))), row(", key + headers,", KEYED, None)])
}
