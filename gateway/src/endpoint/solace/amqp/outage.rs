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
        sleep(self.delay(fault, Instant::now())?).await;
        Ok(())
    }

    fn delay(&mut self, fault: Fault, now: Instant) -> Result<Duration, Fault> {
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

    /// How often it is tried again and for how long, when every attempt fails at once.
    fn attempts(outage: &mut Outage, fault: &Fault) -> (u32, Duration) {
        let begin = Instant::now();
        let (mut now, mut attempts) = (begin, 0);
        while let Ok(pause) = outage.delay(fault.clone(), now) {
            now += pause;
            attempts += 1;
        }
        (attempts, now - begin)
    }

    #[test]
    fn a_broker_that_worked_is_waited_for_and_one_that_never_did_is_not() {
        let mut outage = Outage::new();
        assert_eq!(attempts(&mut outage, &Fault::Unreachable).0, 0);
        let (tried, waited) = attempts(&mut outage, &Fault::Busy);
        assert!(tried > 2 && waited <= TAKEOVER, "{tried} in {waited:?}");

        outage.over();
        let (tried, waited) = attempts(&mut outage, &Fault::Closed);
        assert!(waited <= BRIDGED && waited > BRIDGED / 2, "{waited:?}");
        assert!((15..60).contains(&tried), "{tried} attempts are neither a storm nor too few");
        outage.over();
        assert_eq!(attempts(&mut outage, &Fault::Credentials).0, 0);
    }
}
