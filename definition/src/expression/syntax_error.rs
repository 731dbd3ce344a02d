//! Why a template cannot be read, and where.

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {position}: {message}")]
pub struct SyntaxError {
    /// Characters (not bytes) from 0 in the template.
    pub position: usize,
    /// What was expected there or why it is refused.
    pub message: String,
}

impl SyntaxError {
    /// At a byte of the template.
    pub(super) fn at_byte(template: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = template.get(..byte).unwrap_or(template);
        SyntaxError { position: before.chars().count(), message: message.into() }
    }
}
