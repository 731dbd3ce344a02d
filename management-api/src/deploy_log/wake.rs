//! The wake-up of sync servers in the same process: every commit touches it.
//!
//! It is a hint and carries nothing, so one channel per process is enough even when several servers share the process
//! (tests do): a hint about another store costs one cheap read. Postgres notifications reach the other processes, and
//! polling is the truth behind both.

use std::sync::LazyLock;
use tokio::sync::watch;

static COMMITS: LazyLock<watch::Sender<()>> = LazyLock::new(|| watch::channel(()).0);

/// Tells the sync servers of this process that something was committed.
pub(crate) fn committed() {
    COMMITS.send_replace(());
}

/// Changes with every commit of this process.
pub(crate) fn commits() -> watch::Receiver<()> {
    COMMITS.subscribe()
}
