//! Why an expression has no value.

/// What went wrong while evaluating. It names members, methods and kinds, never values, which may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct EvaluationError {
    message: String,
}

impl EvaluationError {
    /// With the reason in words.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        EvaluationError { message: message.into() }
    }
}
