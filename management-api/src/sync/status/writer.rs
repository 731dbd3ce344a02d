//! Writes the book: what users wait for at once, signs of life every few seconds, always everything in one
//! transaction. Nothing here notifies: status must never wake the deploy log's listeners.

use super::book::Book;
use super::store;
use crate::db::Db;
use chrono::{TimeDelta, Utc};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How often the signs of life of all nodes are written.
const SEEN_PERIOD: Duration = Duration::from_secs(5);
/// Wait before each write, so that the gateways that answer together are written together.
const GATHER: Duration = Duration::from_millis(10);
/// Pause after each write: what a busy time costs the store is bounded.
const FLUSH_PAUSE: Duration = Duration::from_millis(40);
/// A write that takes longer has failed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long nodes are remembered after they were last seen.
const NODES_KEPT: TimeDelta = TimeDelta::days(14);
/// How often nodes are forgotten.
const PURGE_PERIOD: Duration = Duration::from_secs(3600);

/// Writes until `shutdown`, then once more.
pub(crate) async fn run(db: Db, book: Arc<Book>, shutdown: CancellationToken) {
    let mut tick = tokio::time::interval(SEEN_PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut writable = true;
    let mut purged: Option<Instant> = None;
    loop {
        let everyone = tokio::select! {
            () = shutdown.cancelled() => {
                flush(&db, &book, false, &mut writable).await;
                return;
            }
            () = book.urgent.notified() => false,
            _ = tick.tick() => true,
        };
        tokio::time::sleep(GATHER).await;
        flush(&db, &book, everyone, &mut writable).await;
        if everyone && purged.is_none_or(|at| at.elapsed() > PURGE_PERIOD) {
            purged = Some(Instant::now());
            if let Err(error) = store::purge(&db, Utc::now() - NODES_KEPT).await {
                warn!(error = format!("{error:#}"), "old gateway nodes could not be removed");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(FLUSH_PAUSE) => {}
        }
    }
}

async fn flush(db: &Db, book: &Book, everyone: bool, writable: &mut bool) {
    let batch = book.take(everyone);
    if batch.nodes.is_empty() {
        return;
    }
    let written = tokio::time::timeout(WRITE_TIMEOUT, store::write(db, &batch)).await;
    let failure = match written {
        Ok(Ok(())) => {
            if !std::mem::replace(writable, true) {
                info!("gateway status is written again");
            }
            return;
        }
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => format!("no answer within {WRITE_TIMEOUT:?}"),
    };
    book.put_back(batch);
    if std::mem::replace(writable, false) {
        warn!(error = failure, "gateway status cannot be written: kept until the store answers");
    }
}
