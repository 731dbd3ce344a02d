//! Logging: one subscriber for the process, text for people and JSON for machines.

use crate::config::Log;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

/// The RabbitMQ library prints messages that come back, with what is in them, and every lost connection several times;
/// the MQTT library warns of answers that are expected. What matters of both is logged by the endpoints. A filter that
/// names a library decides by itself.
const QUIET: [&str; 2] = ["lapin", "rumqttc"];

/// Installs the subscriber. An unreadable filter falls back to `info` and says so.
pub(crate) fn install(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter);
    let unreadable = filter.as_ref().err().map(ToString::to_string);
    let filter = filter.unwrap_or_else(|_| EnvFilter::new("info"));
    let filter =
        QUIET.iter().filter(|library| !log.filter.contains(**library)).fold(filter, |filter, library| {
            match format!("{library}=off").parse() {
                Ok(quiet) => filter.add_directive(quiet),
                Err(_) => filter,
            }
        });
    let builder = tracing_subscriber::fmt()
        // Colours are for people at a terminal, not for files and collectors.
        .with_ansi(std::io::stderr().is_terminal())
        // A reader of the log that has gone must not stop the process; reporting it would write to the same place.
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_env_filter(filter);
    if log.json {
        builder.json().init();
    } else {
        builder.init();
    }
    if let Some(error) = unreadable {
        tracing::warn!(%error, "TIDEGATE_LOG cannot be read, logging at info");
    }
}
