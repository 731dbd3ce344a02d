//! A time limit that every call sets and hardly any call reaches.
//!
//! The runtime's timers are queued and taken out again under a lock. An alarm stays queued from call to call: moved to a
//! later time it is left where it is, and only when that is reached it is queued for the later one. So a call costs
//! a look at the clock, and its owner is woken in vain once per limit at most.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep_until};

/// Nothing is set at first.
#[derive(Default)]
pub(crate) struct Alarm {
    until: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Goes off after `limit`, from now.
    pub(crate) fn set(&mut self, limit: Duration) {
        self.until = Instant::now().checked_add(limit);
    }

    /// Does not go off.
    pub(crate) fn unset(&mut self) {
        self.until = None;
    }

    /// Ready when it has gone off; the task of `cx` is woken for it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }

    /// Goes off once `lasts` was true for `limit`, from one call to the other.
    pub(crate) fn poll_over(&mut self, lasts: bool, limit: Duration, cx: &mut Context<'_>) -> bool {
        if !lasts {
            self.unset();
            return false;
        }
        if self.until.is_none() {
            self.set(limit);
        }
        self.poll(cx).is_ready()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::time::timeout;

    const LIMIT: Duration = Duration::from_millis(100);
    /// Whatever is waited for here has happened by then.
    const DEADLINE: Duration = Duration::from_secs(20);

    async fn has_gone_off(alarm: &mut Alarm) -> bool {
        poll_fn(|cx| Poll::Ready(alarm.poll(cx).is_ready())).await
    }

    /// The time until it goes off.
    async fn patience(alarm: &mut Alarm) -> Duration {
        let begun = Instant::now();
        timeout(DEADLINE, poll_fn(|cx| alarm.poll(cx))).await.expect("it never goes off");
        begun.elapsed()
    }

    #[tokio::test]
    async fn it_goes_off_when_its_time_is_over_however_often_it_was_moved() {
        let mut alarm = Alarm::default();
        assert!(!has_gone_off(&mut alarm).await, "nothing is set");
        for longer in 1..=3 {
            alarm.set(LIMIT * longer);
            has_gone_off(&mut alarm).await;
        }
        let begun = Instant::now();
        alarm.set(LIMIT * 3);
        patience(&mut alarm).await;
        assert!(begun.elapsed() >= LIMIT * 3, "{:?}", begun.elapsed());
        assert!(has_gone_off(&mut alarm).await, "it stays so");
        alarm.unset();
        assert!(!has_gone_off(&mut alarm).await);
    }

    #[tokio::test]
    async fn an_earlier_time_counts() {
        let mut alarm = Alarm::default();
        alarm.set(DEADLINE * 10);
        assert!(!has_gone_off(&mut alarm).await);
        alarm.set(LIMIT);
        assert!(patience(&mut alarm).await < DEADLINE);
    }

    #[tokio::test]
    async fn what_ends_and_begins_again_has_all_its_time() {
        let mut alarm = Alarm::default();
        let mut over = async |lasts| poll_fn(|cx| Poll::Ready(alarm.poll_over(lasts, LIMIT, cx))).await;
        assert!(!over(true).await);
        tokio::time::sleep(LIMIT * 2).await;
        assert!(!over(false).await, "it has ended");
        let begun = Instant::now();
        over(true).await;
        timeout(DEADLINE, poll_fn(|cx| alarm.poll(cx))).await.expect("it never goes off");
        assert!(begun.elapsed() >= LIMIT, "{:?}", begun.elapsed());
    }
}
