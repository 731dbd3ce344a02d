//! The only way a test waits for something: a condition and a limit.

use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Pause between two looks at a condition.
const STEP: Duration = Duration::from_millis(20);
/// A generous limit for anything that should happen at once; a loaded machine may need seconds.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Polls until `condition` yields a value; fails naming what was awaited.
pub(crate) async fn until<T>(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting for {what} after {limit:?}");
        sleep(STEP).await;
    }
}

/// Fails naming what was awaited when `future` takes longer than `limit`.
pub(crate) async fn within<T>(what: &str, limit: Duration, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(limit, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up waiting for {what} after {limit:?}"),
    }
}

/// Watches for the whole of `period` that `condition` stays true: for things that must not happen.
pub(crate) async fn throughout(what: &str, period: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + period;
    while Instant::now() < end {
        assert!(condition().await, "{what} did not last for {period:?}");
        sleep(STEP).await;
    }
}

/// What a peer does that answers late on purpose. Never a way to wait for something.
pub(crate) async fn be_slow(duration: Duration) {
    tokio::time::sleep(duration).await;
}
