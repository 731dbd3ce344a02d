//! JSON paths in the dialect of Jayway: a definite path gives a value, an indefinite one a list. A leaf that is missing
//! is null; anything missing on the way to it is an error.

mod filter;
mod function;
mod scan;
mod walk;

use super::document;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::value::Value;
use definition::json_path::{self, Literal};
use moka::sync::Cache;
use std::sync::{Arc, LazyLock};

/// Paths that stay parsed, entries over all APIs of the node.
const CACHE_MAX_ENTRIES: u64 = 1024;

static PARSED: LazyLock<Cache<Arc<str>, Arc<Path>>> = LazyLock::new(|| Cache::new(CACHE_MAX_ENTRIES));

type Path = json_path::Path<Value>;
type Step = json_path::Step<Value>;
type Function = json_path::Function<Value>;

impl Literal for Value {
    fn text(text: &str) -> Self {
        Value::text(text)
    }

    fn list(items: Vec<Self>) -> Self {
        Value::list(items)
    }

    fn parse(text: &str) -> Option<Self> {
        document::parse(text).ok()
    }
}

fn parsed(path: &str) -> Result<Arc<Path>, EvaluationError> {
    if let Some(parsed) = PARSED.get(path) {
        return Ok(parsed);
    }
    let read = Path::parse(path).map_err(|error| EvaluationError::new(error.to_string()))?;
    let parsed = Arc::new(read);
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
