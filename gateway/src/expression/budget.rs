//! What one evaluation may cost. An expression is written by the publisher of an API and fed by callers; neither may
//! stall a node.

use super::error::EvaluationError;
use std::time::{Duration, Instant};

/// Nodes, elements and pieces of text that one evaluation may touch; about 50 ns each.
const STEPS_MAX: u64 = 500_000;
/// Bytes of text that count as one step.
const BYTES_PER_STEP: usize = 64;
/// Time for work whose steps nobody can count, such as a search that is repeated, milliseconds.
const UNCOUNTED_MAX_MS: u64 = 100;
/// Greatest text that an evaluation makes, bytes.
pub(super) const TEXT_MAX_BYTES: usize = 2 * 1024 * 1024;
/// Greatest list that an evaluation makes, elements.
const LIST_MAX_ELEMENTS: usize = 100_000;

/// What is left.
#[derive(Debug)]
pub(super) struct Budget {
    steps: u64,
    /// Set by the first work that is not counted.
    deadline: Option<Instant>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Budget { steps: STEPS_MAX, deadline: None }
    }

    /// Counts `steps` steps.
    pub(super) fn spend(&mut self, steps: usize) -> Result<(), EvaluationError> {
        let left = u64::try_from(steps).ok().and_then(|steps| self.steps.checked_sub(steps));
        self.steps = left.ok_or_else(|| {
            EvaluationError::new(format!("the expression takes more than {STEPS_MAX} steps; make it simpler"))
        })?;
        Ok(())
    }

    /// Counts work that goes over `bytes` bytes once.
    pub(super) fn spend_bytes(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.spend(bytes / BYTES_PER_STEP + 1)
    }

    /// Counts a text that is about to be made.
    pub(super) fn spend_text(&mut self, bytes: usize) -> Result<(), EvaluationError> {
        self.text_within(bytes)?;
        self.spend_bytes(bytes)
    }

    /// Counts a list that is about to be made.
    pub(super) fn spend_list(&mut self, elements: usize) -> Result<(), EvaluationError> {
        self.list_within(elements)?;
        self.spend(elements)
    }

    /// Refuses a list that grows too long.
    pub(super) fn list_within(&self, elements: usize) -> Result<(), EvaluationError> {
        if elements > LIST_MAX_ELEMENTS {
            let message = format!("the expression makes a list of more than {LIST_MAX_ELEMENTS} elements");
            return Err(EvaluationError::new(message));
        }
        Ok(())
    }

    /// Refuses a text that grows too long.
    pub(super) fn text_within(&self, bytes: usize) -> Result<(), EvaluationError> {
        if bytes > TEXT_MAX_BYTES {
            let message = format!("the expression makes a text of more than {TEXT_MAX_BYTES} bytes");
            return Err(EvaluationError::new(message));
        }
        Ok(())
    }

    /// Asked between pieces of work whose steps are not counted.
    pub(super) fn in_time(&mut self) -> Result<(), EvaluationError> {
        self.spend(1)?;
        let now = Instant::now();
        let deadline = *self.deadline.get_or_insert(now + Duration::from_millis(UNCOUNTED_MAX_MS));
        if now > deadline {
            return Err(EvaluationError::new(format!(
                "the expression takes longer than {UNCOUNTED_MAX_MS} ms"
            )));
        }
        Ok(())
    }
}
