//! The `tidegate` binary: wiring only. `dev` runs everything in one process, `management` and `gateway` run one
//! plane each, `openapi` prints the REST document.

use clap::{Parser, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

mod config;
mod demo;
mod dev;
mod log;
mod run;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Event-native API management: a management API and stateless gateways between web clients and message brokers.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    /// TOML file with settings; `TIDEGATE_*` variables win over it. Default: `$TIDEGATE_CONFIG`, else none.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Management, one gateway and a demo Kafka in one process, on loopback, with SQLite in ./.tidegate.
    Dev,
    /// The management REST API and the sync server.
    Management,
    /// One gateway node.
    Gateway,
    /// Prints the OpenAPI document of the management API.
    Openapi,
}

/// What ends the process is told in words, on one line when it has one reason; backtraces are for bugs.
fn main() -> ExitCode {
    match start(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to be told that this cannot be written.
            writeln!(std::io::stderr(), "tidegate: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<()> {
    if matches!(cli.command, Command::Openapi) {
        return Ok(writeln!(std::io::stdout(), "{}", management_api::openapi().to_pretty_json()?)?);
    }
    let mut settings = config::Settings::read(cli.config.as_deref());
    log::install(&settings.log());
    run::prepare_process();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = CancellationToken::new();
        run::cancel_on_signal(shutdown.clone());
        match cli.command {
            Command::Dev => dev::run(settings, shutdown).await,
            Command::Gateway => run::gateway(settings, shutdown).await,
            Command::Management => run::management(settings, shutdown).await,
            Command::Openapi => Ok(()),
        }
    })
}
