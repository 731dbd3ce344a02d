//! Dates: access that ends by the clock ends the streams that it opened, without anybody deploying anything.

use super::Consumers;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

/// Longest pause between two looks at the clock, milliseconds: it may be set while this sleeps.
const LOOK_AT_LEAST_EVERY_MS: i64 = 10_000;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// Ends what is over, until `shutdown`.
pub(crate) async fn close_at_their_end(consumers: Arc<Consumers>, shutdown: CancellationToken) {
    loop {
        let now = now_ms();
        let next = consumers.write().end_what_is_over(now);
        let pause = next.map_or(LOOK_AT_LEAST_EVERY_MS, |next| (next - now).clamp(1, LOOK_AT_LEAST_EVERY_MS));
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause.unsigned_abs())) => {}
            () = consumers.dates_changed.notified() => {}
            () = shutdown.cancelled() => return,
        }
    }
}
