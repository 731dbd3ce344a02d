//! The cap on consumers of one process: each costs about four threads, seven file descriptors and up to a mebibyte.

use crate::failure::{Failure, key};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Consumers that one gateway runs at a time.
pub(super) const CONSUMERS_MAX: usize = 512;

/// Counts consumers.
#[derive(Default)]
pub(super) struct Permits(Arc<AtomicUsize>);

/// One consumer's place; given back when dropped.
pub(super) struct Permit(Arc<AtomicUsize>);

impl Permits {
    /// A place for one more consumer.
    ///
    /// # Errors
    /// 503 when `CONSUMERS_MAX` are running.
    pub(super) fn take(&self) -> Result<Permit, Failure> {
        let one_more = |running: usize| (running < CONSUMERS_MAX).then_some(running + 1);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more) {
            Ok(_) => Ok(Permit(Arc::clone(&self.0))),
            Err(_) => Err(Failure::new(
                StatusCode::SERVICE_UNAVAILABLE,
                key::CONNECTION_FAILED,
                format!(
                    "this gateway already runs {CONSUMERS_MAX} Kafka consumers: try again later, use qos none, \
                     which shares one consumer, or add gateways"
                ),
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
