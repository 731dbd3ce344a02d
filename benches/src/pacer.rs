//! Ticks at a fixed rate for open loops. The runtime's timer counts whole milliseconds, which is longer than what is
//! measured; a thread that parks wakes within some tens of microseconds.

use std::{
    thread,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Ticks that may wait to be taken. A consumer this far behind is overloaded, and the run has no figure.
const TICKS_WAITING_MAX: usize = 65_536;

/// Sends the intended time of each tick, `per_second` of them from `start` until `end`, however late they are taken.
/// The channel closes after the last tick, or early when its consumer fell behind by `TICKS_WAITING_MAX`.
pub(crate) fn ticks(per_second: f64, start: Instant, end: Instant) -> mpsc::Receiver<Instant> {
    let (sender, receiver) = mpsc::channel(TICKS_WAITING_MAX);
    thread::spawn(move || {
        for number in 0_u32.. {
            let intended = start + Duration::from_secs_f64(f64::from(number) / per_second);
            if intended >= end {
                break;
            }
            while let Some(wait) =
                intended.checked_duration_since(Instant::now()).filter(|wait| !wait.is_zero())
            {
                thread::park_timeout(wait);
            }
            if sender.try_send(intended).is_err() {
                break;
            }
        }
    });
    receiver
}

/// How many ticks such a run has.
pub(crate) fn count(per_second: f64, duration: Duration) -> u64 {
    (per_second * duration.as_secs_f64()).ceil() as u64
}
