//! One push subscription from its start to its end on this gateway: runs that end with a fault that may pass are
//! repeated, a run that panics is a failure like any other, and a run that does not stop is cut.

use crate::entrypoint::webhook::Ended;
use definition::consumer::PushState;
use futures::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Share by which pauses differ, so that subscriptions of one broker do not come back together.
const RETRY_JITTER: f64 = 0.2;
/// Attempts after the first one; `None`: it is tried for ever.
const RETRIES_MAX: Option<u32> = None;
/// Management hears of the first failed attempt and of every one of this number.
const NOTIFICATION_INTERVAL: u32 = 5;

/// The times of a supervision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Pause after the first failed attempt. It doubles with every further one.
    retry_delay: Duration,
    /// Longest pause between two attempts.
    retry_delay_max: Duration,
    /// A run that lasted this long was a success: what fails after it is the first failure.
    stable_after: Duration,
    /// A run that was asked to end and goes on for longer is cut; what it had under way comes again.
    stop_grace: Duration,
}

/// Those of the product.
pub(super) const PATIENCE: Patience = Patience {
    retry_delay: Duration::from_secs(5),
    retry_delay_max: Duration::from_secs(60),
    stable_after: Duration::from_secs(10),
    stop_grace: Duration::from_secs(10),
};

/// Repeats `run` until it is over for good.
pub(super) async fn supervise<F: Future<Output = Ended>>(
    mut run: impl FnMut() -> F,
    stop: &CancellationToken,
    tell: impl Fn(PushState, &str),
    patience: &Patience,
) -> Ended {
    let mut attempt = 0;
    tell(PushState::Running, "");
    loop {
        let began = Instant::now();
        let ended = once(run(), stop, attempt > 0, &tell, patience).await;
        let (reason, retryable) = match ended {
            Ended::Failed { reason, retryable } => (reason, retryable),
            // Its API ended under it. Another version starts another run; without one this is tried again.
            Ended::Stopped if !stop.is_cancelled() => ("the API ended".to_owned(), true),
            Ended::Stopped | Ended::Completed => return ended,
        };
        if stop.is_cancelled() {
            return Ended::Stopped;
        }
        attempt = if began.elapsed() >= patience.stable_after { 1 } else { attempt + 1 };
        if !retryable || RETRIES_MAX.is_some_and(|max| attempt > max) {
            return Ended::Failed { reason, retryable };
        }
        metrics::counter!("tidegate_push_retries_total").increment(1);
        if attempt == 1 || attempt % NOTIFICATION_INTERVAL == 0 {
            tell(PushState::Retrying, &reason);
        }
        tokio::select! {
            () = stop.cancelled() => return Ended::Stopped,
            () = tokio::time::sleep(pause(attempt, patience)) => {}
        }
    }
}

/// One run. After failures it counts as running when it has lasted.
async fn once(
    run: impl Future<Output = Ended>,
    stop: &CancellationToken,
    failed_before: bool,
    tell: &impl Fn(PushState, &str),
    patience: &Patience,
) -> Ended {
    // Unwind safety: the run is dropped with everything that it had.
    let run = AssertUnwindSafe(run).catch_unwind();
    tokio::pin!(run);
    let mut unstable = failed_before;
    let cut = async {
        stop.cancelled().await;
        tokio::time::sleep(patience.stop_grace).await;
    };
    tokio::pin!(cut);
    let stable = tokio::time::sleep(patience.stable_after);
    tokio::pin!(stable);
    loop {
        tokio::select! {
            biased;
            ended = &mut run => return ended.unwrap_or_else(|_| Ended::Failed {
                reason: "the gateway could not deliver because of a defect of its own: please report it".to_owned(),
                retryable: false,
            }),
            () = &mut cut => return Ended::Stopped,
            () = &mut stable, if unstable => {
                unstable = false;
                tell(PushState::Running, "");
            }
        }
    }
}

fn pause(attempt: u32, patience: &Patience) -> Duration {
    let doubled =
        patience.retry_delay.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(16)));
    doubled.min(patience.retry_delay_max).mul_f64(1.0 + RETRY_JITTER * rand::random_range(-1.0..=1.0))
}

#[cfg(test)]
mod tests;
