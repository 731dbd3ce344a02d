//! `tidegate-bench` measures Tidegate beside floors: small programs that do only the unavoidable work of the same task,
//! run in the same minutes on the same machine. What it prints are ratios, because absolute figures of a shared machine
//! mean little. A run that lost a message has no figure: it ends with an error. A missed target is printed, never an
//! error, and nothing here is part of the tests.
#![expect(clippy::print_stdout, reason = "a program that reports to its user")]

mod all;
mod broker;
mod broker_fanout;
mod broker_publish;
mod brokers;
mod chunked;
mod definitions;
mod deploy;
mod event;
mod expressions;
mod fanout;
mod floor_broker;
mod floor_http;
mod floor_kafka;
mod floor_sse;
mod http_client;
mod idle;
mod load;
mod management;
mod nginx;
mod pacer;
mod proc_files;
mod process;
mod produce;
mod proxy;
mod report;
mod rig;
mod source;
mod sse_clients;
mod sse_reader;
mod stack;
mod start;
mod topic;
mod wait;

use clap::{Parser, Subcommand};

// The allocator of the product, so that floors and product differ in their work only.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Tidegate beside floors in the same run and prints ratios with their targets.
///
/// Needs the product built with `cargo build --release --workspace` and, for most commands, a real Kafka. Uses loopback
/// only. With two or more CPUs and `taskset`, contenders run on one CPU, load generator and reader on another.
#[derive(Parser)]
#[command(name = "tidegate-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    All(all::Args),
    Produce(produce::Args),
    Proxy(proxy::Args),
    Fanout(fanout::Args),
    Brokers(Box<brokers::Args>),
    Idle(idle::Args),
    Start(start::Args),
    Deploy(deploy::Args),
    Expressions(expressions::Args),
    /// The bare HTTP server, as a process of its own.
    #[command(hide = true)]
    FloorHttp,
    /// HTTP and a Kafka producer, as a process of its own.
    #[command(hide = true)]
    FloorKafka(floor_kafka::Args),
    /// HTTP and a client library of a broker, as a process of its own.
    #[command(hide = true)]
    FloorPublish(floor_broker::Args),
    /// A client library of a broker and the raw SSE writer, as a process of its own.
    #[command(hide = true)]
    FloorBroadcast(floor_broker::Args),
    /// The raw SSE writer, as a process of its own.
    #[command(hide = true)]
    FloorSse(floor_sse::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::FloorHttp => floor_runtime()?.block_on(floor_http::serve()),
        Command::FloorKafka(args) => floor_runtime()?.block_on(floor_kafka::serve(args)),
        Command::FloorPublish(args) => floor_runtime()?.block_on(floor_broker::publish(args)),
        Command::FloorBroadcast(args) => floor_runtime()?.block_on(floor_broker::fan_out(args)),
        Command::FloorSse(args) => floor_runtime()?.block_on(floor_sse::serve(args)),
        Command::All(args) => measure(all::run(args)),
        Command::Produce(args) => measure(print(produce::run(args))),
        Command::Proxy(args) => measure(print(proxy::run(args))),
        Command::Fanout(args) => measure(print(fanout::run(args))),
        Command::Brokers(args) => measure(print(brokers::run(*args))),
        Command::Idle(args) => measure(print(idle::run(args))),
        Command::Start(args) => measure(print(start::run(args))),
        Command::Deploy(args) => measure(print(deploy::run(args))),
        Command::Expressions(args) => measure(print(async { expressions::run(&args) })),
    }
}

/// The product's kind of runtime: one worker per CPU that the process may use.
fn floor_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// One thread makes all load: it shares its CPU with the broker, and hand-overs between threads would cost more than
/// they bring. A signal drops the measurement, and with it every process that it started.
fn measure(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = work => result,
            _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
            _ = terminate.recv() => anyhow::bail!("terminated"),
        }
    })
}

async fn print(work: impl Future<Output = anyhow::Result<Vec<report::Row>>>) -> anyhow::Result<()> {
    report::print_summary(&work.await?);
    Ok(())
}
