//! A circuit breaker: after so many failed calls in a row nobody is let through for a while, then one call may try.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// One circuit.
#[derive(Debug, Default)]
pub(super) struct Circuit(Mutex<State>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls pass; so many failed in a row.
    Closed(u32),
    /// No call passes until then.
    Open(Instant),
    /// One call is under way and decides.
    HalfOpen,
}

impl Default for State {
    fn default() -> Self {
        State::Closed(0)
    }
}

/// The right of one call to pass. Dropped without a result it says nothing about the endpoints.
#[must_use]
pub(super) struct Passage<'c> {
    circuit: &'c Circuit,
    tries: bool,
}

impl Circuit {
    /// Lets a call pass, or not.
    pub(super) fn enter(&self, now: Instant) -> Option<Passage<'_>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let tries = match *state {
            State::Closed(_) => false,
            State::Open(until) if until <= now => {
                *state = State::HalfOpen;
                true
            }
            State::Open(_) | State::HalfOpen => return None,
        };
        Some(Passage { circuit: self, tries })
    }

    fn set(&self, change: impl FnOnce(State) -> State) -> State {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = change(*state);
        *state
    }
}

impl Passage<'_> {
    /// The call was answered: the circuit is closed.
    pub(super) fn succeeded(mut self) {
        let tried = std::mem::take(&mut self.tries);
        self.circuit.set(|state| match state {
            State::Closed(_) => State::Closed(0),
            State::HalfOpen if tried => State::Closed(0),
            // Somebody who began earlier knows nothing about now.
            State::HalfOpen | State::Open(_) => state,
        });
    }

    /// The call failed. Answers whether the circuit is open now.
    pub(super) fn failed(mut self, now: Instant, most: u32, open_for: Duration) -> bool {
        let tried = std::mem::take(&mut self.tries);
        let state = self.circuit.set(|state| match state {
            State::Closed(failures) if failures + 1 < most => State::Closed(failures + 1),
            State::Closed(_) => State::Open(now + open_for),
            State::HalfOpen if tried => State::Open(now + open_for),
            State::HalfOpen | State::Open(_) => state,
        });
        matches!(state, State::Open(_))
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        // The call that was to decide went away: the next one decides.
        if self.tries {
            self.circuit.set(|_| State::Open(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn fail(circuit: &Circuit, now: Instant) -> bool {
        circuit.enter(now).unwrap().failed(now, 2, SECOND)
    }

    #[test]
    fn failures_in_a_row_open_it_and_time_lets_one_call_try() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        assert!(!fail(&circuit, start));
        circuit.enter(start).unwrap().succeeded();
        assert!(!fail(&circuit, start), "a success began a new row");
        assert!(fail(&circuit, start));
        assert!(circuit.enter(start + SECOND / 2).is_none());
        let later = start + SECOND;
        let trying = circuit.enter(later).unwrap();
        assert!(circuit.enter(later).is_none(), "one call tries alone");
        assert!(trying.failed(later, 2, SECOND));
        assert!(circuit.enter(later + SECOND / 2).is_none());
        circuit.enter(later + SECOND).unwrap().succeeded();
        assert!(!fail(&circuit, later + SECOND));
    }

    #[test]
    fn a_trying_call_that_goes_away_leaves_the_decision_to_the_next() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        fail(&circuit, start);
        fail(&circuit, start);
        drop(circuit.enter(start + SECOND).unwrap());
        circuit.enter(Instant::now() + SECOND).unwrap().succeeded();
        assert!(circuit.enter(start).is_some());
    }

    #[test]
    fn a_call_that_began_before_it_opened_does_not_close_it() {
        let (circuit, start) = (Circuit::default(), Instant::now());
        let early = circuit.enter(start).unwrap();
        fail(&circuit, start);
        fail(&circuit, start);
        early.succeeded();
        assert!(circuit.enter(start).is_none());
    }
}
