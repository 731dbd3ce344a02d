//! Regular expressions in Java's dialect, with look-around and back references but without their run-away costs.
//!
//! Most patterns need neither and run in linear time; the others get a limit on steps and on the text.

use super::error::EvaluationError;
use definition::pattern::from_java;
use moka::sync::Cache;
use std::sync::{Arc, LazyLock};

/// Steps back that one search may take before it is given up; some milliseconds.
const BACKTRACK_MAX_STEPS: usize = 20_000;
/// Greatest text that a pattern with look-around or back references is tried on, bytes: each step may read all of it.
const BACKTRACK_TEXT_MAX_BYTES: usize = 16 * 1024;
/// Greatest text that any other pattern is tried on, bytes.
const TEXT_MAX_BYTES: usize = 256 * 1024;
/// Greatest pattern, bytes.
const PATTERN_MAX_BYTES: usize = 4096;
/// Greatest compiled pattern, bytes.
const COMPILED_MAX_BYTES: usize = 128 * 1024;
/// Patterns that stay compiled, entries over all APIs of the node.
const CACHE_MAX_ENTRIES: u64 = 512;

static COMPILED: LazyLock<Cache<Arc<str>, Arc<Pattern>>> = LazyLock::new(|| Cache::new(CACHE_MAX_ENTRIES));

/// A compiled pattern.
pub(super) enum Pattern {
    Linear(regex::Regex),
    Backtracking(fancy_regex::Regex),
}

/// Where a pattern matched: the bytes of the whole match and of its groups.
pub(super) struct Found(pub(super) Vec<Option<(usize, usize)>>);

impl Pattern {
    /// A pattern that may match anywhere in a text.
    pub(super) fn compile(source: &str) -> Result<Arc<Pattern>, EvaluationError> {
        if let Some(pattern) = COMPILED.get(source) {
            return Ok(pattern);
        }
        if source.len() > PATTERN_MAX_BYTES {
            let message = format!("the pattern is longer than {PATTERN_MAX_BYTES} bytes");
            return Err(EvaluationError::new(message));
        }
        let translated = from_java(source);
        let linear = regex::RegexBuilder::new(&translated)
            .size_limit(COMPILED_MAX_BYTES)
            .dfa_size_limit(COMPILED_MAX_BYTES)
            .build();
        let pattern = match linear {
            Ok(regex) => Pattern::Linear(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                return Err(EvaluationError::new("the pattern is too large"));
            }
            Err(_) => Pattern::Backtracking(backtracking(&translated)?),
        };
        let pattern = Arc::new(pattern);
        COMPILED.insert(source.into(), Arc::clone(&pattern));
        Ok(pattern)
    }

    /// The first match from a byte of the text on.
    pub(super) fn find(&self, text: &str, from: usize) -> Result<Option<Found>, EvaluationError> {
        match self {
            Pattern::Linear(regex) => {
                within(text, TEXT_MAX_BYTES)?;
                let captures = regex.captures_at(text, from);
                let group = |found: Option<regex::Match<'_>>| found.map(|found| (found.start(), found.end()));
                Ok(captures.map(|captures| Found(captures.iter().map(group).collect())))
            }
            Pattern::Backtracking(regex) => {
                within(text, BACKTRACK_TEXT_MAX_BYTES)?;
                let captures = regex.captures_from_pos(text, from).map_err(gave_up)?;
                let group =
                    |found: Option<fancy_regex::Match<'_>>| found.map(|found| (found.start(), found.end()));
                Ok(captures.map(|captures| Found(captures.iter().map(group).collect())))
            }
        }
    }

    fn is_match(&self, text: &str) -> Result<bool, EvaluationError> {
        match self {
            Pattern::Linear(regex) => {
                within(text, TEXT_MAX_BYTES)?;
                Ok(regex.is_match(text))
            }
            Pattern::Backtracking(regex) => {
                within(text, BACKTRACK_TEXT_MAX_BYTES)?;
                regex.is_match(text).map_err(gave_up)
            }
        }
    }
}

fn backtracking(source: &str) -> Result<fancy_regex::Regex, EvaluationError> {
    fancy_regex::RegexBuilder::new(source)
        .backtrack_limit(BACKTRACK_MAX_STEPS)
        .delegate_size_limit(COMPILED_MAX_BYTES)
        .delegate_dfa_size_limit(COMPILED_MAX_BYTES)
        .build()
        // The reason would repeat the pattern, which may come from a caller.
        .map_err(|_| EvaluationError::new("the pattern is not a regular expression"))
}

/// Whether the pattern matches the whole text.
pub(super) fn matches(pattern: &str, text: &str) -> Result<bool, EvaluationError> {
    Pattern::compile(&format!("\\A(?:{pattern})\\z"))?.is_match(text)
}

fn within(text: &str, greatest: usize) -> Result<(), EvaluationError> {
    if text.len() > greatest {
        let message = format!("the text is longer than the {greatest} bytes that this pattern is tried on");
        return Err(EvaluationError::new(message));
    }
    Ok(())
}

fn gave_up(_: fancy_regex::Error) -> EvaluationError {
    EvaluationError::new("the regular expression takes too many steps on this text")
}
