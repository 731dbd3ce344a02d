//! Waiting for a condition with a deadline.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause between two looks.
const STEP: Duration = Duration::from_millis(2);

/// Looks again and again until `condition` yields a value. Fails, naming what was awaited, after `limit`.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition().await? {
            return Ok(value);
        }
        anyhow::ensure!(Instant::now() < deadline, "gave up waiting for {what} after {limit:?}");
        sleep(STEP).await;
    }
}
