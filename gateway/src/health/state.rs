//! What checks have found out about one endpoint.
//!
//! An endpoint leaves the balancer when so many checks in a row failed, and comes back with the first success after
//! that: a backend that answers again is needed at once, and one more failure takes it out again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Health of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum State {
    #[default]
    Up,
    /// Up, and the last checks failed.
    TransitionallyDown,
    /// Not to be chosen.
    Down,
    /// Was down, and the last checks succeeded.
    TransitionallyUp,
}

/// Checks in a row that settle a transition; at least 1 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) success: u32,
    pub(crate) failure: u32,
}

/// What is known about an endpoint. One that is never checked is up.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The common question, answered without a lock.
    down: AtomicBool,
    tally: Mutex<Tally>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    state: State,
    /// Equal results in a row since the state before last.
    row: u32,
}

impl State {
    pub(crate) fn label(self) -> &'static str {
        match self {
            State::Up => "UP",
            State::TransitionallyDown => "TRANSITIONALLY_DOWN",
            State::Down => "DOWN",
            State::TransitionallyUp => "TRANSITIONALLY_UP",
        }
    }
}

impl Tally {
    fn after(self, success: bool, thresholds: Thresholds) -> Tally {
        let state = match (self.state, success) {
            (State::Up | State::TransitionallyDown, true) => return Tally { state: State::Up, row: 0 },
            (State::Down | State::TransitionallyUp, false) => return Tally { state: State::Down, row: 0 },
            (State::Up | State::TransitionallyDown, false) if self.row + 1 >= thresholds.failure => {
                State::Down
            }
            (State::Up | State::TransitionallyDown, false) => State::TransitionallyDown,
            (State::Down | State::TransitionallyUp, true) if self.row + 1 >= thresholds.success => State::Up,
            (State::Down | State::TransitionallyUp, true) => State::TransitionallyUp,
        };
        let settled = matches!(state, State::Up | State::Down);
        Tally { state, row: if settled { 0 } else { self.row + 1 } }
    }
}

impl Health {
    /// Whether the endpoint may be chosen.
    pub(crate) fn is_available(&self) -> bool {
        !self.down.load(Ordering::Relaxed)
    }

    /// Takes the result of a check in; answers the states before and after it.
    pub(crate) fn report(&self, success: bool, thresholds: Thresholds) -> (State, State) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tally.state;
        *tally = tally.after(success, thresholds);
        self.down.store(tally.state == State::Down, Ordering::Relaxed);
        (before, tally.state)
    }

    /// Knows what `other` knows.
    pub(crate) fn take_over(&self, other: &Health) {
        let known = *other.tally.lock().unwrap_or_else(PoisonError::into_inner);
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner) = known;
        self.down.store(known.state == State::Down, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Results as `+` and `-`; states as their initials, in lower case while transitional.
    fn check(success: u32, failure: u32, results: &str, expected: &str) {
        let health = Health::default();
        let states = results.chars().map(|result| {
            let (_, state) = health.report(result == '+', Thresholds { success, failure });
            assert_eq!(health.is_available(), state != State::Down);
            match state {
                State::Up => 'U',
                State::TransitionallyUp => 'u',
                State::TransitionallyDown => 'd',
                State::Down => 'D',
            }
        });
        assert_eq!(states.collect::<String>(), expected, "{results}");
    }

    #[test]
    fn results_in_a_row_settle_a_transition() {
        check(2, 3, "+---+++", "UddDuUU");
        check(2, 3, "--+--+---", "ddUddUddD");
        check(2, 3, "---+-+-++", "ddDuDuDuU");
        check(1, 1, "-+-+", "DUDU");
        check(3, 2, "--++++", "dDuuUU");
    }

    #[test]
    fn what_is_known_can_be_taken_over() {
        let thresholds = Thresholds { success: 2, failure: 2 };
        let (old, new) = (Health::default(), Health::default());
        old.report(false, thresholds);
        new.take_over(&old);
        assert!(new.is_available());
        assert_eq!(new.report(false, thresholds), (State::TransitionallyDown, State::Down));
        old.take_over(&new);
        assert!(!old.is_available());
    }
}
