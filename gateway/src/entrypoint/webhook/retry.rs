//! When a call is made again.

use definition::subscription::webhook::{Retry, RetryStrategy};
use std::time::Duration;

/// Greatest part that chance adds to a pause, so that many subscriptions do not come back at the same moment.
const JITTER: f64 = 0.2;

/// The pause before the next call. `made`: calls after the first one so far; `chance`: 0 to 1. `None`: no more calls.
pub(super) fn pause(retry: Option<&Retry>, made: u32, chance: f64) -> Option<Duration> {
    let retry = retry.filter(|retry| made < retry.attempts)?;
    let pause = match retry.strategy {
        RetryStrategy::Linear => retry.initial_delay,
        RetryStrategy::Exponential => {
            let factor = 1_u32.checked_shl(made).unwrap_or(u32::MAX);
            retry.initial_delay.saturating_mul(factor)
        }
    };
    Some(pause.min(retry.max_delay).mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn seconds(retry: &Retry, chance: f64) -> Vec<f64> {
        (0..).map_while(|made| pause(Some(retry), made, chance)).map(|pause| pause.as_secs_f64()).collect()
    }

    #[test]
    fn pauses_grow_to_the_longest_and_then_there_are_no_more() {
        let second = Duration::from_secs(1);
        let retry = Retry {
            strategy: RetryStrategy::Exponential,
            attempts: 6,
            initial_delay: second,
            max_delay: second * 10,
        };
        assert_eq!(seconds(&retry, 0.0), [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]);
        assert_eq!(seconds(&Retry { attempts: 2, ..retry }, 1.0), [1.2, 2.4]);
        let linear =
            Retry { strategy: RetryStrategy::Linear, attempts: 3, initial_delay: second * 2, ..retry };
        assert_eq!(seconds(&linear, 0.0), [2.0, 2.0, 2.0]);
        let endless = Retry { attempts: u32::MAX, ..retry };
        assert_eq!(pause(Some(&endless), 1_000, 0.0), Some(second * 10), "no overflow");
        assert_eq!(pause(None, 0, 0.0), None);
    }
}
