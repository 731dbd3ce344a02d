//! The state of a circuit breaker: closed with a window over the last calls, open for a time, then half open until one
//! call told whether the backend is well again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Percent.
    pub(super) failed: usize,
    /// Percent.
    pub(super) slow: usize,
    pub(super) slow_from: Duration,
    /// Calls.
    pub(super) window: usize,
    pub(super) open_for: Duration,
}

/// A breaker, shared by all calls of a step.
pub(super) struct Breaker {
    rules: Rules,
    state: Mutex<State>,
}

enum State {
    Closed(Window),
    Open {
        until: Instant,
    },
    /// One call is under way that decides.
    HalfOpen,
}

/// The last calls, and how many of them were not good.
#[derive(Default)]
struct Window {
    calls: VecDeque<(bool, bool)>,
    failed: usize,
    slow: usize,
}

/// A call that may go to the backend. Dropped without a result, a call that decides leaves the decision to the next.
pub(super) struct Permit {
    breaker: Arc<Breaker>,
    begun: Instant,
    decides: bool,
}

impl Breaker {
    pub(super) fn new(rules: Rules) -> Arc<Self> {
        Arc::new(Breaker { rules, state: Mutex::new(State::Closed(Window::default())) })
    }

    /// Whether a call may go to the backend now.
    pub(super) fn admit(self: &Arc<Self>, begun: Instant) -> Option<Permit> {
        let mut state = self.state();
        let decides = match &*state {
            State::Closed(_) => false,
            State::Open { until } if *until <= begun => true,
            State::Open { .. } | State::HalfOpen => return None,
        };
        if decides {
            *state = State::HalfOpen;
        }
        Some(Permit { breaker: Arc::clone(self), begun, decides })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The backend answered now, well or not.
    pub(super) fn settle(mut self, failed: bool, now: Instant) {
        let breaker = Arc::clone(&self.breaker);
        let slow = now.saturating_duration_since(self.begun) >= breaker.rules.slow_from;
        let mut state = breaker.state();
        if std::mem::take(&mut self.decides) {
            *state = State::Closed(Window::default());
        }
        // What was under way when the breaker opened says nothing about the time behind it.
        if let State::Closed(window) = &mut *state
            && window.note(failed, slow, &breaker.rules)
        {
            *state = State::Open { until: now + breaker.rules.open_for };
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.decides {
            *self.breaker.state() = State::Open { until: self.begun };
        }
    }
}

impl Window {
    /// Adds a call; true: there are too many bad ones.
    fn note(&mut self, failed: bool, slow: bool, rules: &Rules) -> bool {
        self.calls.push_back((failed, slow));
        self.failed += usize::from(failed);
        self.slow += usize::from(slow);
        if self.calls.len() > rules.window
            && let Some((failed, slow)) = self.calls.pop_front()
        {
            self.failed -= usize::from(failed);
            self.slow -= usize::from(slow);
        }
        let share = |count: usize| count * 100 / self.calls.len();
        share(self.failed) >= rules.failed || share(self.slow) >= rules.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(failed: usize, window: usize) -> Arc<Breaker> {
        let (slow_from, open_for) = (Duration::from_millis(100), Duration::from_millis(1000));
        Breaker::new(Rules { failed, slow: 100, slow_from, window, open_for })
    }

    fn after(begun: Instant, milliseconds: u64) -> Instant {
        begun + Duration::from_millis(milliseconds)
    }

    #[test]
    fn only_the_last_calls_count() {
        let (breaker, now) = (breaker(50, 4), Instant::now());
        for failed in [false, false, false, true, false, false, true] {
            breaker.admit(now).expect("the breaker is closed").settle(failed, now);
        }
        assert!(breaker.admit(now).is_none(), "two of the last four failed");
    }

    #[test]
    fn one_call_decides_after_the_pause() {
        let (breaker, begun) = (breaker(50, 10), Instant::now());
        breaker.admit(begun).unwrap().settle(true, begun);
        assert!(breaker.admit(after(begun, 999)).is_none());
        let first = breaker.admit(after(begun, 1000)).expect("one call tries");
        assert!(breaker.admit(after(begun, 1000)).is_none(), "only one");
        first.settle(true, after(begun, 1010));
        assert!(breaker.admit(after(begun, 2009)).is_none(), "open again");
        drop(breaker.admit(after(begun, 2010)).expect("one call tries"));
        let next = breaker.admit(after(begun, 2010)).expect("the one before told nothing");
        next.settle(false, after(begun, 2010));
        for _ in 0..2 {
            breaker.admit(after(begun, 2010)).expect("closed").settle(false, after(begun, 2010));
        }
    }

    #[test]
    fn slow_calls_open_it_and_late_ones_do_not_matter() {
        let (breaker, begun) = (breaker(50, 10), Instant::now());
        let (late, slow) = (breaker.admit(begun).unwrap(), breaker.admit(begun).unwrap());
        slow.settle(false, after(begun, 100));
        assert!(breaker.admit(after(begun, 100)).is_none(), "all calls were slow");
        late.settle(false, after(begun, 101));
        assert!(breaker.admit(after(begun, 101)).is_none(), "still open");
    }
}
