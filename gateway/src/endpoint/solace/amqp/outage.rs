//! How long a broker may be away before its readers are told, and the pace of attempts meanwhile.

use super::fault::Fault;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// A broker that comes back within this time is missed by nobody who reads.
const BRIDGED: Duration = Duration::from_secs(30);
/// A subscription that another gateway holds may be given up in a moment; a client that just came waits this long.
const TAKEOVER: Duration = Duration::from_secs(3);
/// Pause before the second attempt, milliseconds; it doubles up to the next limit.
const PAUSE_FIRST_MS: u64 = 100;
const PAUSE_MAX_MS: u64 = 2_000;

/// Counts attempts and time.
pub(super) struct Outage {
    since: Instant,
    attempts: u32,
    /// It worked once.
    worked: bool,
}

impl Outage {
    /// Before the first attempt.
    pub(super) fn new() -> Outage {
        Outage { since: Instant::now(), attempts: 0, worked: false }
    }

    /// It works.
    pub(super) fn over(&mut self) {
        self.attempts = 0;
        self.worked = true;
    }

    /// Waits before the next attempt; the fault when there is to be none.
    pub(super) async fn pause(&mut self, fault: Fault) -> Result<(), Fault> {
        sleep(self.next(fault, Instant::now())?).await;
        Ok(())
    }

    fn next(&mut self, fault: Fault, now: Instant) -> Result<Duration, Fault> {
        if self.worked && self.attempts == 0 {
            self.since = now;
        }
        let patience = match (&fault, self.worked) {
            (fault, true) if fault.passes() => BRIDGED,
            (Fault::Busy, false) => TAKEOVER,
            (_, true | false) => return Err(fault),
        };
        let pause = PAUSE_FIRST_MS.saturating_mul(1 << self.attempts.min(8)).min(PAUSE_MAX_MS);
        let pause = Duration::from_millis(rand::random_range(pause / 2..=pause));
        self.attempts += 1;
        if now.duration_since(self.since) + pause > patience {
            return Err(fault);
        }
        Ok(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attempts while `fault` lasts, and the time that they took together.
    fn attempts(outage: &mut Outage, fault: impl Fn() -> Fault) -> (u32, Duration) {
        let begin = Instant::now();
        let (mut count, mut waited) = (0, Duration::ZERO);
        while let Ok(pause) = outage.next(fault(), begin + waited) {
            waited += pause;
            count += 1;
        }
        (count, waited)
    }

    #[test]
    fn a_broker_that_worked_is_waited_for_and_one_that_never_did_is_not() {
        let mut outage = Outage::new();
        assert_eq!(outage.next(Fault::Unreachable, Instant::now()), Err(Fault::Unreachable));
        let (count, waited) = attempts(&mut outage, || Fault::Busy);
        assert!(waited <= TAKEOVER && count > 2, "{count} in {waited:?}");

        outage.over();
        let (count, waited) = attempts(&mut outage, || Fault::Closed);
        assert!(waited <= BRIDGED && waited > BRIDGED / 2, "{waited:?}");
        assert!((15..60).contains(&count), "{count} attempts are neither a storm nor too few");
        outage.over();
        assert_eq!(outage.next(Fault::Credentials, Instant::now()), Err(Fault::Credentials));
    }
}
