//! POST → any broker: throughput, latency and CPU per request beside HTTP with the broker's client library alone.

use crate::{
    broker::{Broker, Counter},
    brokers::Args,
    definitions, http_client,
    load::{self, Load, Outcome},
    process::Process,
    produce::{BODY_BYTES, body, median},
    report::{self, Row, plain},
    rig::{Cpu, Rig},
    stack::{Gateway, Stack},
    wait,
};
use anyhow::Context;
use std::{net::SocketAddr, time::Duration};

const PATH: &str = "/bench/publish";
/// Deadline for the broker to have shown everything that was answered 202.
const COUNT_LIMIT: Duration = Duration::from_secs(10);

/// One server under load.
struct Contender {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    path: String,
    counter: Counter,
}

pub(crate) async fn run(
    args: &Args,
    rig: &Rig,
    stack: &mut Stack<'_>,
    broker: &Broker,
) -> anyhow::Result<Vec<Row>> {
    let contenders = [floor(rig, broker).await?, ours(stack, broker).await?];
    let mut rows = Vec::new();
    for &connections in &args.connections {
        let outcomes = rounds(args, &contenders, connections).await?;
        print(broker, connections, &contenders, &outcomes);
        rows.extend(compare(broker, connections, &outcomes));
    }
    for contender in contenders {
        contender.process.stop().await?;
    }
    Ok(rows)
}

async fn floor(rig: &Rig, broker: &Broker) -> anyhow::Result<Contender> {
    let destination = broker.destination("floor", true).await?;
    let (address, word) = (broker.address.to_string(), broker.kind.word());
    let args = ["floor-publish", "--broker", word, "--address", &address, "--destination", &destination];
    let counter = broker.counter(&destination).await?;
    let (process, addresses) = Process::floor(rig, &format!("floor-publish-{word}"), &args).await?;
    Ok(Contender { name: "client library", process, address: addresses[0], path: "/".into(), counter })
}

async fn ours(stack: &mut Stack<'_>, broker: &Broker) -> anyhow::Result<Contender> {
    let destination = broker.destination("publish", true).await?;
    let path = format!("{PATH}/{}", broker.kind.word());
    let counter = broker.counter(&destination).await?;
    let gateways = [stack.gateway(Cpu::Contender).await?];
    let definition = definitions::post_to_broker(&path, broker.endpoint(&destination));
    stack.publish(&gateways, &definition, &http_client::post(&path, &body())).await?;
    let [Gateway { process, http: address, .. }] = gateways;
    Ok(Contender { name: "tidegate", process, address, path, counter })
}

async fn rounds(
    args: &Args,
    contenders: &[Contender; 2],
    connections: usize,
) -> anyhow::Result<[Vec<Outcome>; 2]> {
    let mut outcomes = [Vec::new(), Vec::new()];
    for round in 0..args.pace.rounds {
        for index in [round % 2, (round + 1) % 2] {
            let contender = &contenders[index];
            let load = Load {
                address: contender.address,
                request: http_client::post_with(&contender.path, &body(), &[]).into(),
                wanted: 202,
                connections,
                warm_up: Duration::from_secs_f64(args.pace.seconds / 4.0),
                duration: Duration::from_secs_f64(args.pace.seconds),
            };
            outcomes[index].push(verified(contender, &load).await.context(contender.name)?);
        }
    }
    Ok(outcomes)
}

/// Runs a load and compares what was answered with what the broker got.
async fn verified(contender: &Contender, load: &Load) -> anyhow::Result<Outcome> {
    let before = settled(&contender.counter).await?;
    let outcome = load::closed(load, contender.process.pid()).await?;
    let refusal = outcome.first_refusal.as_deref().unwrap_or_default();
    anyhow::ensure!(outcome.refused == 0, "{} requests failed, first: {refusal}", outcome.refused);
    let mut grown = 0;
    let complete = wait::until("the broker's count", COUNT_LIMIT, async || {
        grown = contender.counter.count().await? - before;
        Ok((grown == outcome.accepted).then_some(()))
    });
    let accepted = outcome.accepted;
    complete
        .await
        .with_context(|| format!("no figure: {accepted} were answered 202, the broker got {grown}"))?;
    Ok(outcome)
}

/// The count once it stands still: requests that came before the load may still be on their way.
async fn settled(counter: &Counter) -> anyhow::Result<u64> {
    let mut last = counter.count().await?;
    let mut since = tokio::time::Instant::now();
    wait::until("the broker's count to stand still", COUNT_LIMIT, async || {
        let now = counter.count().await?;
        if now != last {
            (last, since) = (now, tokio::time::Instant::now());
        }
        Ok((since.elapsed() >= Duration::from_millis(200)).then_some(now))
    })
    .await
}

fn print(broker: &Broker, connections: usize, contenders: &[Contender; 2], outcomes: &[Vec<Outcome>; 2]) {
    let rounds = outcomes[0].len();
    let title = broker.kind.title();
    println!("POST → {title}, {connections} connections, {BODY_BYTES} B, medians of {rounds} rounds");
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

/// Ratios per round.
fn compare(broker: &Broker, connections: usize, [floor, ours]: &[Vec<Outcome>; 2]) -> Vec<Row> {
    let row = |what: &str, unit: &str, figure: fn(&Outcome) -> f64| {
        let ratios: Vec<f64> =
            ours.iter().zip(floor).map(|(ours, floor)| figure(ours) / figure(floor)).collect();
        let [ours, floor] = [ours, floor].map(|rounds| format!("{} {unit}", plain(median(rounds, figure))));
        let title = broker.kind.title();
        Row::ratio(format!("POST → {title} {what}, c={connections}"), ours, floor, &ratios, None)
    };
    vec![
        row("throughput", "req/s", Outcome::per_second),
        row("CPU", "µs/req", Outcome::cpu_us_per_request),
        row("p99", "ms", |outcome| outcome.latency_ms(0.99)),
    ]
}
