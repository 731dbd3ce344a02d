//! The caps on clients of the library in one process: a consumer costs about four threads, seven file descriptors and
//! up to a mebibyte, a producer a little more.

use crate::failure::{Failure, key};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Consumers that one gateway runs at a time.
pub(super) const CONSUMERS_MAX: usize = 512;
/// Producers that one gateway runs at a time. Settings that depend on calls could make any number of them.
const PRODUCERS_MAX: usize = 512;

/// Counts clients of one kind; those of consumers by default.
pub(super) struct Permits {
    running: Arc<AtomicUsize>,
    most: usize,
    refusal: &'static str,
}

/// One client's place; given back when dropped.
pub(super) struct Permit(Arc<AtomicUsize>);

impl Default for Permits {
    fn default() -> Self {
        let refusal =
            "Kafka consumers: try again later, use qos none, which shares one consumer, or add gateways";
        Permits { running: Arc::default(), most: CONSUMERS_MAX, refusal }
    }
}

impl Permits {
    /// For producers.
    pub(super) fn producers() -> Self {
        let refusal = "Kafka producers: try again later, use fewer different settings, or add gateways";
        Permits { running: Arc::default(), most: PRODUCERS_MAX, refusal }
    }

    /// A place for one more.
    ///
    /// # Errors
    /// 503 when as many as may are running.
    pub(super) fn take(&self) -> Result<Permit, Failure> {
        let one_more = |running: usize| (running < self.most).then_some(running + 1);
        match self.running.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) {
            Ok(_) => Ok(Permit(Arc::clone(&self.running))),
            Err(_) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                key::CONNECTION_FAILED,
                format!("this gateway already runs {} {}", self.most, self.refusal),
            )),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_gateway_says_so_and_recovers() {
        let permits = Permits::default();
        let mut taken: Vec<Permit> = (0..CONSUMERS_MAX).map_while(|_| permits.take().ok()).collect();
        assert_eq!(taken.len(), CONSUMERS_MAX);
        let refused = permits.take().err().expect("full");
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        taken.pop();
        assert!(permits.take().is_ok());
    }
}
