//! Any broker → SSE: CPU per delivery beside the broker's client library and a raw writer with as many readers.

use crate::{
    broker::{Broker, Kind},
    brokers::Args,
    definitions,
    fanout::{self, Contender, Sample},
    http_client,
    process::Process,
    report::{Row, plain},
    rig::{Cpu, Rig},
    source::Source,
    sse_clients::Audience,
    stack::{Gateway, Stack},
};
use anyhow::Context;

const PATH: &str = "/bench/broadcast";

pub(crate) async fn run(
    args: &Args,
    rig: &Rig,
    stack: &mut Stack<'_>,
    broker: &Broker,
) -> anyhow::Result<Vec<Row>> {
    let mut contenders = [floor(args, rig, broker).await?, ours(args, stack, broker).await?];
    for contender in &mut contenders {
        contender.warm_up().await.with_context(|| contender.name)?;
    }
    let (paced, backlog) = fanout::rounds(&args.pace, &mut contenders).await?;
    let (title, pace) = (broker.kind.title(), &args.pace);
    let length = format!("{} clients, {} rounds", args.clients, pace.rounds);
    fanout::print_samples(&format!("{title} → SSE, paced at {}/s, {length}", pace.rate), &contenders, &paced);
    fanout::print_samples(
        &format!("{title} → SSE, bursts of {}, {length}", pace.burst),
        &contenders,
        &backlog,
    );
    for contender in contenders {
        drop(contender.audience);
        contender.process.stop().await?;
    }
    let mut rows = compare(&format!("{title} → SSE, paced, {} clients:", args.clients), &paced);
    rows.extend(compare(&format!("{title} → SSE, bursts, {} clients:", args.clients), &backlog));
    Ok(rows)
}

async fn source(broker: &Broker, destination: &str) -> anyhow::Result<Source> {
    match broker.kind {
        // Its order is one of partitions, so the source chooses them.
        Kind::Kafka => Source::topic(&broker.address.socket(), destination),
        Kind::Mqtt | Kind::Rabbitmq | Kind::Amqp => Ok(Source::broker(broker.publisher(destination).await?)),
    }
}

async fn floor(args: &Args, rig: &Rig, broker: &Broker) -> anyhow::Result<Contender> {
    let destination = broker.destination("floor", false).await?;
    let (address, word) = (broker.address.to_string(), broker.kind.word());
    let words = ["floor-broadcast", "--broker", word, "--address", &address, "--destination", &destination];
    let (process, addresses) = Process::floor(rig, &format!("floor-broadcast-{word}"), &words).await?;
    let name = "client library";
    let audience = Audience::connect(addresses[0], "/", args.clients).await.context(name)?;
    Ok(Contender { name, process, audience, source: source(broker, &destination).await? })
}

async fn ours(args: &Args, stack: &mut Stack<'_>, broker: &Broker) -> anyhow::Result<Contender> {
    let destination = broker.destination("fanout", false).await?;
    let path = format!("{PATH}/{}", broker.kind.word());
    let gateways = [stack.gateway(Cpu::Contender).await?];
    let definition = definitions::broker_to_sse(&path, broker.endpoint(&destination));
    stack.publish(&gateways, &definition, &http_client::get(&path, "text/event-stream")).await?;
    let [Gateway { process, http, .. }] = gateways;
    let name = "tidegate";
    let audience = Audience::connect(http, &path, args.clients).await.context(name)?;
    Ok(Contender { name, process, audience, source: source(broker, &destination).await? })
}

/// Ratios per round.
fn compare(what: &str, samples: &fanout::Samples) -> Vec<Row> {
    let (floor, ours) = (&samples[0], &samples[1]);
    let row = |name: &str, unit: &str, figure: fn(&Sample) -> f64| {
        let ratios: Vec<f64> =
            ours.iter().zip(floor).map(|(ours, floor)| figure(ours) / figure(floor)).collect();
        let [ours, floor] =
            [ours, floor].map(|rounds| format!("{} {unit}", plain(fanout::median(rounds, figure))));
        Row::ratio(format!("{what} {name}"), ours, floor, &ratios, None)
    };
    vec![
        row("CPU per delivery", "µs", Sample::cpu_us_per_delivery),
        row("p99", "ms", |sample| sample.latency_ms(0.99)),
    ]
}
