//! Everything after one another, with one table at the end.

use crate::{deploy, expressions, fanout, idle, produce, proxy, report, stack, start, topic};
use clap::Parser;

/// Runs every measurement with its defaults and prints one table. Takes about eight minutes.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    kafka: topic::Broker,
    #[command(flatten)]
    product: stack::Product,
}

/// Parses no words at all: how the commands' own defaults are had without writing them a second time.
#[derive(Parser)]
struct Defaults<A: clap::Args> {
    #[command(flatten)]
    args: A,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { kafka, product } = args;
    let words = ["tidegate-bench", "--kafka", &kafka.kafka];
    let mut rows = Vec::new();

    let mut start: start::Args = Defaults::try_parse_from(&words[..1])?.args;
    start.product = product.clone();
    rows.extend(start::run(start).await?);

    let mut deploy: deploy::Args = Defaults::try_parse_from(&words[..1])?.args;
    deploy.product = product.clone();
    rows.extend(deploy::run(deploy).await?);

    let expressions: expressions::Args = Defaults::try_parse_from(&words[..1])?.args;
    rows.extend(expressions::run(&expressions)?);

    let mut idle: idle::Args = Defaults::try_parse_from(words)?.args;
    idle.product = product.clone();
    rows.extend(idle::run(idle).await?);

    let mut produce: produce::Args = Defaults::try_parse_from(words)?.args;
    produce.product = product.clone();
    rows.extend(produce::run(produce).await?);

    let mut proxy: proxy::Args = Defaults::try_parse_from(&words[..1])?.args;
    proxy.product = product.clone();
    rows.extend(proxy::run(proxy).await?);

    let mut fanout: fanout::Args = Defaults::try_parse_from(words)?.args;
    fanout.product = product;
    rows.extend(fanout::run(fanout).await?);

    report::print_summary(&rows);
    Ok(())
}
