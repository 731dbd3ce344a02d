//! Programs over the harness and the contract of the tests, for users: `soak` runs everything for minutes under faults. They need
//! the services that `tests/services/with.sh` starts; `make soak` does all of it.
#![expect(clippy::print_stdout, reason = "a program that reports to its user")]
#![allow(dead_code, unused_imports, reason = "what only tests use of the harness and the contract")]

#[path = "../it/contract/mod.rs"]
mod contract;
#[path = "../it/harness/mod.rs"]
mod harness;
mod slope;
mod soak;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Runs Tidegate and real brokers together.
#[derive(Parser)]
#[command(name = "drive")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Soak(soak::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Soak(args) => soak::run(args).await,
    }
}
