//! POST → Kafka: throughput, latency and CPU per request beside the producer floor. Throughput and CPU come from closed
//! loops, latency additionally from an open loop at the same rate for floor and product.

use crate::{
    definitions, http_client,
    load::{self, Load, Outcome},
    process::Process,
    report::{self, Row, Spread, Target, plain},
    rig::{Cpu, Rig},
    stack::{self, Gateway, Stack},
    topic,
};
use anyhow::Context;
use std::{net::SocketAddr, rc::Rc, time::Duration};

/// Files that load, broker connections and pipes need at most.
const CONNECTIONS_MAX: u64 = 1_000;
const PATH: &str = "/bench/produce";
const KEYED_PATH: &str = "/bench/produce-keyed";
/// Bytes of the JSON body.
pub(crate) const BODY_BYTES: usize = 200;
/// Share of the slower contender's throughput that the open loop offers.
const OPEN_LOOP_SHARE: f64 = 0.5;

/// POST to Kafka beside F0 (bare HTTP server) and F1 (HTTP and a Kafka producer, the better of 1 and 5 requests in
/// flight), 200-byte JSON, 4 partitions, acks=all.
///
/// The product is measured without security, and with an API key and three policies. Prints requests/s, p50, p99 and CPU per
/// request of all five in turn, and the ratios to the better F1 per round. Every 202 is compared with the topic's end
/// offsets. Takes about four minutes (rounds × connections × 5 × seconds, and an open loop at half the throughput).
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) kafka: topic::Broker,
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
    /// Measure the floors only.
    #[arg(long)]
    pub(crate) floors_only: bool,
}

/// One server under load, or one API of it.
struct Contender {
    name: &'static str,
    process: Rc<Process>,
    address: SocketAddr,
    path: &'static str,
    /// API key that its requests carry.
    key: Option<String>,
    /// Topic that its records go to; none for F0.
    topic: Option<String>,
}

const F1_NAMES: [&str; 2] = ["F1 1 in flight", "F1 5 in flight"];
const OURS: &str = "tidegate";
const KEYED: &str = "tidegate, key + 3 policies";

/// All outcomes with one number of connections, by contender and round.
type Outcomes = Vec<Vec<Outcome>>;

pub(crate) async fn run(args: Args) -> anyhow::Result<Vec<Row>> {
    let rig = Rig::prepare(CONNECTIONS_MAX)?;
    let mut contenders = floors(&rig, &args.kafka.kafka).await?;
    let mut stack = None;
    if !args.floors_only {
        let started = stack.insert(Stack::start(&rig, &args.product).await?);
        contenders.extend(ours(started, &args.kafka.kafka).await?);
    }
    let mut rows = Vec::new();
    for &connections in &args.connections {
        let outcomes = rounds(&args, &contenders, connections).await?;
        print_outcomes(connections, &contenders, &outcomes);
        rows.extend(compare(connections, &contenders, &outcomes));
        if connections == args.connections[args.connections.len() / 2] {
            rows.extend(open_loop(&args, &contenders, connections, &outcomes).await?);
        }
    }
    for contender in contenders {
        // The product's two contenders are one process, which the last of them stops.
        if let Some(process) = Rc::into_inner(contender.process) {
            process.stop().await?;
        }
    }
    if let Some(stack) = stack {
        stack.stop().await?;
    }
    Ok(rows)
}

async fn floors(rig: &Rig, kafka: &str) -> anyhow::Result<Vec<Contender>> {
    let (process, addresses) = Process::floor(rig, "floor-http", &["floor-http"]).await?;
    let mut contenders = vec![floor("F0 HTTP only", process, addresses[0], None)];
    for (name, in_flight) in F1_NAMES.into_iter().zip(["1", "5"]) {
        let topic = topic::create(kafka, "floor").await?;
        let args = ["floor-kafka", "--kafka", kafka, "--topic", &topic, "--in-flight", in_flight];
        let (process, addresses) = Process::floor(rig, &format!("floor-kafka-{in_flight}"), &args).await?;
        contenders.push(floor(name, process, addresses[0], Some(topic)));
    }
    Ok(contenders)
}

fn floor(name: &'static str, process: Process, address: SocketAddr, topic: Option<String>) -> Contender {
    Contender { name, process: Rc::new(process), address, path: "/", key: None, topic }
}

/// The product without security, and with an API key and three policies, in one gateway.
async fn ours(stack: &mut Stack<'_>, kafka: &str) -> anyhow::Result<[Contender; 2]> {
    let (open_topic, keyed_topic) =
        (topic::create(kafka, "produce").await?, topic::create(kafka, "produce-keyed").await?);
    let gateways = [stack.gateway(Cpu::Contender).await?];
    let open = definitions::post_to_kafka(PATH, kafka, &open_topic);
    stack.publish(&gateways, &open, &http_client::post(PATH, &body())).await?;
    let keyed = definitions::post_to_kafka_with_policies(KEYED_PATH, kafka, &keyed_topic);
    let request = |key: &str| http_client::post_with(KEYED_PATH, &body(), &[definitions::key_header(key)]);
    let key = stack.publish_keyed(&gateways, &keyed, request).await?;
    let [Gateway { process, http: address, .. }] = gateways;
    let process = Rc::new(process);
    let (open_topic, keyed_topic) = (Some(open_topic), Some(keyed_topic));
    Ok([
        Contender {
            name: OURS,
            process: Rc::clone(&process),
            address,
            path: PATH,
            key: None,
            topic: open_topic,
        },
        Contender { name: KEYED, process, address, path: KEYED_PATH, key: Some(key), topic: keyed_topic },
    ])
}

/// JSON as a client may send it.
pub(crate) fn body() -> String {
    let head = r#"{"order":1234567,"customer":"8f14e45f-ceea-467f-9f3c-6d1b2a7e0c11","items":[{"sku":"A-100","count":2}],"note":""#;
    format!("{head}{:x<1$}\"}}", "", BODY_BYTES - head.len() - 2)
}

fn load(args: &Args, contender: &Contender, connections: usize) -> Load {
    let headers: Vec<String> = contender.key.iter().map(|key| definitions::key_header(key)).collect();
    Load {
        address: contender.address,
        request: http_client::post_with(contender.path, &body(), &headers).into(),
        wanted: 202,
        connections,
        warm_up: Duration::from_secs_f64(args.seconds / 4.0),
        duration: Duration::from_secs_f64(args.seconds),
    }
}

async fn rounds(args: &Args, contenders: &[Contender], connections: usize) -> anyhow::Result<Outcomes> {
    let mut outcomes: Outcomes = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..args.rounds {
        for turn in 0..contenders.len() {
            // Each round begins with another contender, so that none always runs on the same side of a disturbance.
            let index = (round + turn) % contenders.len();
            let contender = &contenders[index];
            let load = load(args, contender, connections);
            outcomes[index]
                .push(verified(args, contender, load::closed(&load, contender.process.pid())).await?);
        }
    }
    Ok(outcomes)
}

/// Runs a load and compares what was answered with what the broker holds.
async fn verified(
    args: &Args,
    contender: &Contender,
    run: impl Future<Output = anyhow::Result<Outcome>>,
) -> anyhow::Result<Outcome> {
    let held = async || match &contender.topic {
        Some(topic) => topic::records(&args.kafka.kafka, topic).await,
        None => Ok(0),
    };
    let before = held().await?;
    let outcome = run.await.with_context(|| contender.name)?;
    let grown = held().await? - before;
    let refusal = outcome.first_refusal.as_deref().unwrap_or_default();
    anyhow::ensure!(
        outcome.refused == 0,
        "{}: {} requests failed, first: {refusal}",
        contender.name,
        outcome.refused
    );
    anyhow::ensure!(
        contender.topic.is_none() || grown == outcome.accepted,
        "{}: no figure: {} requests were answered 202, the topic grew by {grown} records",
        contender.name,
        outcome.accepted
    );
    Ok(outcome)
}

pub(crate) fn median(outcomes: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> f64 {
    Spread::of(&outcomes.iter().map(figure).collect::<Vec<_>>()).median
}

fn print_outcomes(connections: usize, contenders: &[Contender], outcomes: &Outcomes) {
    println!(
        "POST → Kafka, {connections} connections, {BODY_BYTES} B, medians of {} rounds",
        outcomes[0].len()
    );
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

/// The contender and its outcomes under a name.
fn find<'a>(contenders: &[Contender], outcomes: &'a Outcomes, name: &str) -> Option<&'a Vec<Outcome>> {
    contenders.iter().position(|contender| contender.name == name).map(|index| &outcomes[index])
}

/// Ratios per round to the F1 that had more throughput in that round; the floors' own against each other without the
/// product.
fn compare(connections: usize, contenders: &[Contender], outcomes: &Outcomes) -> Vec<Row> {
    let [Some(one), Some(five)] = F1_NAMES.map(|name| find(contenders, outcomes, name)) else {
        return Vec::new();
    };
    let Some(ours) = find(contenders, outcomes, OURS) else {
        let ratios: Vec<f64> =
            five.iter().zip(one).map(|(five, one)| five.per_second() / one.per_second()).collect();
        let [one, five] =
            [one, five].map(|rounds| format!("{} req/s", plain(median(rounds, Outcome::per_second))));
        return vec![Row::ratio(format!("F1 5 : 1 in flight, c={connections}"), five, one, &ratios, None)];
    };
    let better = |round: usize| {
        if one[round].per_second() > five[round].per_second() { &one[round] } else { &five[round] }
    };
    let row = |ours: &Vec<Outcome>, what: &str, unit: &str, figure: fn(&Outcome) -> f64, target| {
        let floors: Vec<f64> = (0..ours.len()).map(|round| figure(better(round))).collect();
        let ratios: Vec<f64> = ours.iter().zip(&floors).map(|(ours, floor)| figure(ours) / floor).collect();
        let ours = format!("{} {unit}", plain(median(ours, figure)));
        let floor = format!("{} {unit}", plain(Spread::of(&floors).median));
        Row::ratio(format!("POST → Kafka {what}, c={connections}"), ours, floor, &ratios, target)
    };
    let mut rows = vec![
        row(ours, "throughput", "req/s", Outcome::per_second, Some(Target::AtLeast(0.8))),
        row(ours, "CPU", "µs/req", Outcome::cpu_us_per_request, Some(Target::AtMost(1.5))),
        row(ours, "p50, closed loop", "ms", |outcome| outcome.latency_ms(0.5), None),
        row(ours, "p99, closed loop", "ms", |outcome| outcome.latency_ms(0.99), None),
    ];
    if let Some(keyed) = find(contenders, outcomes, KEYED) {
        let target = Some(Target::AtLeast(0.65));
        rows.push(row(keyed, "with key + 3 policies", "req/s", Outcome::per_second, target));
        rows.push(row(keyed, "CPU with key + 3 policies", "µs/req", Outcome::cpu_us_per_request, None));
    }
    rows
}

/// Latency of the better F1 and of the product at the same offered rate.
async fn open_loop(
    args: &Args,
    contenders: &[Contender],
    connections: usize,
    closed: &Outcomes,
) -> anyhow::Result<Vec<Row>> {
    let speed =
        |name: &str| find(contenders, closed, name).map_or(0.0, |rounds| median(rounds, Outcome::per_second));
    let floor_name = if speed(F1_NAMES[0]) > speed(F1_NAMES[1]) { F1_NAMES[0] } else { F1_NAMES[1] };
    let contender = |name: &str| contenders.iter().find(|contender| contender.name == name);
    let (Some(floor), Some(ours)) = (contender(floor_name), contender(OURS)) else { return Ok(Vec::new()) };
    let rate = OPEN_LOOP_SHARE * speed(floor_name).min(speed(OURS));
    let (mut p50, mut p99) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for round in 0..args.rounds {
        for index in [round % 2, (round + 1) % 2] {
            let contender = [floor, ours][index];
            let load = load(args, contender, connections);
            let outcome = verified(args, contender, load::open(&load, rate, contender.process.pid())).await?;
            p50[index].push(outcome.latency_ms(0.5));
            p99[index].push(outcome.latency_ms(0.99));
        }
    }
    let row = |what: &str, [floor, ours]: [Vec<f64>; 2], target| {
        let ratios: Vec<f64> = ours.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect();
        let [floor, ours] = [floor, ours].map(|values| format!("{} ms", plain(Spread::of(&values).median)));
        Row::ratio(format!("POST → Kafka {what} at {rate:.0} req/s"), ours, floor, &ratios, target)
    };
    Ok(vec![row("p50", p50, None), row("p99", p99, Some(Target::AtMost(1.3)))])
}
