//! JSON paths in the dialect of Jayway: a definite path gives a value, an indefinite one a list. A leaf that is missing
//! is null; anything missing on the way to it is an error.

mod filter;
mod function;
mod parse;
mod scan;
mod walk;

use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::value::Value;
use moka::sync::Cache;
use std::sync::{Arc, LazyLock};

/// Greatest path, bytes.
const PATH_MAX_BYTES: usize = 2048;
/// Paths that stay parsed, entries over all APIs of the node.
const CACHE_MAX_ENTRIES: u64 = 1024;

static PARSED: LazyLock<Cache<Arc<str>, Arc<Path>>> = LazyLock::new(|| Cache::new(CACHE_MAX_ENTRIES));

/// A path that was read.
#[derive(Debug)]
struct Path {
    steps: Vec<Step>,
    /// What is computed from the result.
    functions: Vec<Function>,
}

/// One step into a document.
#[derive(Debug)]
enum Step {
    /// `.name`, `['a', 'b']`
    Names(Vec<Arc<str>>),
    /// `[0]`, `[0, -1]`
    Places(Vec<i64>),
    /// `[1:3]`
    Slice(Option<i64>, Option<i64>),
    /// `.*`, `[*]`
    All,
    /// `..`: the step behind it, at every depth.
    Scan,
    /// `[?(…)]`
    Filter(filter::Condition),
}

#[derive(Debug)]
struct Function {
    name: function::Name,
    arguments: Vec<filter::Operand>,
}

impl Step {
    /// Whether the step leads to one place at most.
    fn is_definite(&self) -> bool {
        match self {
            // Several names make one object.
            Step::Names(_) => true,
            Step::Places(places) => places.len() == 1,
            Step::Slice(..) | Step::All | Step::Scan | Step::Filter(_) => false,
        }
    }
}

impl Path {
    fn is_definite(&self) -> bool {
        self.steps.iter().all(Step::is_definite)
    }
}

fn parsed(path: &str) -> Result<Arc<Path>, EvaluationError> {
    if let Some(parsed) = PARSED.get(path) {
        return Ok(parsed);
    }
    if path.len() > PATH_MAX_BYTES {
        return Err(EvaluationError::new(format!("the JSON path is longer than {PATH_MAX_BYTES} bytes")));
    }
    let parsed = Arc::new(parse::path(path)?);
    PARSED.insert(path.into(), Arc::clone(&parsed));
    Ok(parsed)
}

/// What is at `path` of a text, when that can be said without reading all of it. The first path on a text is tried this
/// way; with a second one it is cheaper to have the document.
pub(super) fn in_text(
    evaluator: &mut Evaluator<'_>,
    text: &Arc<str>,
    path: &str,
) -> Result<Option<Value>, EvaluationError> {
    if evaluator.is_parsed(text) || evaluator.scanned.as_ref().is_some_and(|known| Arc::ptr_eq(known, text)) {
        return Ok(None);
    }
    let path = parsed(path)?;
    evaluator.budget.spend_bytes(text.len())?;
    evaluator.scanned = Some(Arc::clone(text));
    Ok(scan::value(text, &path))
}

/// What is at `path` of a document.
pub(super) fn evaluate(
    evaluator: &mut Evaluator<'_>,
    document: &Value,
    path: &str,
) -> Result<Value, EvaluationError> {
    let path = parsed(path)?;
    let value = walk::result(evaluator, &path, document, document)?;
    let found =
        value.ok_or_else(|| EvaluationError::new("the JSON path leads to nothing in this document"))?;
    path.functions
        .iter()
        .try_fold(found, |value, function| function::apply(evaluator, function, &value, document))
}
