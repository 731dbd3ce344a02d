//! The race that a revision sequence must survive, runnable on either engine: several writers that think between
//! taking a revision and committing it, some of which roll back, while a reader follows the log.
//!
//! A sequence or a timestamp in place of the counter row loses about a third of the deployments here.

use super::{Change, Operation, append, put_content, store};
use crate::db::Db;
use crate::scope::Scope;
use anyhow::{Context, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for the writers and for the reader to catch up.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause of the reader between two reads.
const READ_PERIOD: Duration = Duration::from_millis(2);
/// Every how many deployments a writer rolls back.
const ROLLBACK_EVERY: usize = 5;
/// Every how many deployments a writer keeps its transaction open for a while.
const THINK_EVERY: usize = 7;
/// How long it then thinks.
const THINK: Duration = Duration::from_millis(20);

/// Runs `writers` concurrent writers of `deployments` each in an environment of their own and follows them.
/// Fails when the reader sees a gap, a repetition or fewer revisions than were committed.
pub async fn revisions_are_contiguous(db: &Db, writers: usize, deployments: usize) -> anyhow::Result<()> {
    let scope = Scope { organization: "PROOF".to_owned(), environment: uuid::Uuid::now_v7().to_string() };
    let committed = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..writers {
        tasks.spawn(write(db.clone(), scope.clone(), writer, deployments, Arc::clone(&committed)));
    }
    let deadline = Instant::now() + DEADLINE;
    let mut cursor = 0;
    loop {
        let finished = tasks.is_empty();
        for revision in store::revisions_after(db, &scope, cursor).await? {
            ensure!(revision == cursor + 1, "revision {revision} follows {cursor}");
            cursor = revision;
        }
        if finished {
            break;
        }
        ensure!(Instant::now() < deadline, "the writers did not finish within {DEADLINE:?}");
        tokio::time::sleep(READ_PERIOD).await;
        while let Some(ended) = tasks.try_join_next() {
            ended.context("a writer panicked")??;
        }
    }
    let committed = i64::try_from(committed.load(Ordering::SeqCst))?;
    ensure!(cursor == committed, "{committed} deployments were committed, the reader saw {cursor}");
    Ok(())
}

async fn write(
    db: Db,
    scope: Scope,
    writer: usize,
    deployments: usize,
    committed: Arc<AtomicUsize>,
) -> anyhow::Result<()> {
    for n in 1..=deployments {
        let mut tx = db.begin().await?;
        let body = format!("{{\"writer\":{writer},\"n\":{n}}}");
        let digest = put_content(&mut tx, "proof", 1, body.as_bytes()).await?;
        let id = format!("resource-{writer}");
        let change = Change {
            kind: "proof",
            id: &id,
            operation: Operation::Publish,
            digest: Some(digest),
            tags: &[],
            actor: "proof",
            label: None,
        };
        append(&mut tx, &scope, change).await?;
        if (n + writer).is_multiple_of(THINK_EVERY) {
            tokio::time::sleep(THINK).await;
        }
        if (n + writer).is_multiple_of(ROLLBACK_EVERY) {
            drop(tx);
        } else {
            tx.commit().await?;
            committed.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}
