//! Follows the steps of a path through a document.

use super::filter;
use super::{Path, Step};
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::value::{Members, Value};
use std::sync::Arc;

/// Greatest nesting of a document that `..` goes into, levels.
const DOCUMENT_MAX_DEPTH: usize = 256;

struct Walk<'p> {
    path: &'p Path,
    root: &'p Value,
    found: Vec<Value>,
}

/// The value of a definite path, `None` when a place in a list does not exist; the list of an indefinite one.
pub(super) fn result(
    evaluator: &mut Evaluator<'_>,
    path: &Path,
    from: &Value,
    root: &Value,
) -> Result<Option<Value>, EvaluationError> {
    let mut walk = Walk { path, root, found: Vec::new() };
    walk.step(evaluator, 0, from, true)?;
    Ok(if path.is_definite() { walk.found.pop() } else { Some(Value::list(walk.found)) })
}

impl Walk<'_> {
    /// Takes the step at `index` from `value`. `definite`: every step before it was.
    fn step(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        index: usize,
        value: &Value,
        definite: bool,
    ) -> Result<(), EvaluationError> {
        evaluator.budget.spend(1)?;
        let path = self.path;
        let Some(step) = path.steps.get(index) else {
            self.found.push(value.clone());
            return evaluator.budget.list_within(self.found.len());
        };
        match step {
            Step::Names(names) => self.names(evaluator, index, names, value, definite),
            Step::Places(places) => {
                let Some(items) = list(value, definite)? else { return Ok(()) };
                for place in places {
                    if let Some(item) = at(items, *place) {
                        self.step(evaluator, index + 1, item, definite && step.is_definite())?;
                    }
                }
                Ok(())
            }
            Step::Slice(start, end) => {
                let Some(items) = list(value, definite)? else { return Ok(()) };
                let bound = |bound: i64| {
                    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                    let from_start = if bound < 0 { bound.saturating_add(length) } else { bound };
                    usize::try_from(from_start.clamp(0, length)).unwrap_or(0)
                };
                let (start, end) = (start.map_or(0, bound), end.map_or(items.len(), bound));
                for item in items.get(start..end).unwrap_or_default() {
                    self.step(evaluator, index + 1, item, false)?;
                }
                Ok(())
            }
            Step::All => self.children(evaluator, index + 1, value),
            Step::Scan => self.scan(evaluator, index + 1, value, 0),
            Step::Filter(condition) => self.filter(evaluator, index, condition, value, definite),
        }
    }

    fn names(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        index: usize,
        names: &[Arc<str>],
        value: &Value,
        definite: bool,
    ) -> Result<(), EvaluationError> {
        let Value::Map(members) = value else {
            if definite {
                let message = format!("the JSON path asks {} for a member", value.kind());
                return Err(EvaluationError::new(message));
            }
            return Ok(());
        };
        let leaf = index + 1 == self.path.steps.len();
        let [name] = names else {
            let picked = names.iter().filter_map(|name| members.get_key_value(name));
            let picked: Members = picked.map(|(name, member)| (Arc::clone(name), member.clone())).collect();
            return self.step(evaluator, index + 1, &Value::Map(Arc::new(picked)), definite);
        };
        match members.get(name) {
            Some(member) => self.step(evaluator, index + 1, member, definite),
            None if leaf => self.step(evaluator, index + 1, &Value::Null, definite),
            None if definite => Err(EvaluationError::new(format!(
                "the JSON path leads over `{name}`, which the document lacks"
            ))),
            None => Ok(()),
        }
    }

    fn children(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        next: usize,
        value: &Value,
    ) -> Result<(), EvaluationError> {
        match value {
            Value::List(items) => items.iter().try_for_each(|item| self.step(evaluator, next, item, false)),
            Value::Map(members) => {
                members.values().try_for_each(|member| self.step(evaluator, next, member, false))
            }
            _ => Ok(()),
        }
    }

    /// The step at `next` from every place below `value` where it leads anywhere, and from `value` itself.
    fn scan(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        next: usize,
        value: &Value,
        depth: usize,
    ) -> Result<(), EvaluationError> {
        evaluator.budget.spend(1)?;
        if depth > DOCUMENT_MAX_DEPTH {
            return Err(EvaluationError::new("the document is nested too deeply"));
        }
        let leads = match (self.path.steps.get(next), value) {
            (Some(Step::Names(names)), Value::Map(members)) => {
                names.iter().any(|name| members.contains_key(name))
            }
            (Some(Step::Names(_)), _) => false,
            // The elements of a list are tried, not the list's members once more.
            (Some(Step::Filter(_)), Value::Map(_)) => false,
            _ => true,
        };
        if leads {
            self.step(evaluator, next, value, false)?;
        }
        match value {
            Value::List(items) => {
                items.iter().try_for_each(|item| self.scan(evaluator, next, item, depth + 1))
            }
            Value::Map(members) => {
                members.values().try_for_each(|member| self.scan(evaluator, next, member, depth + 1))
            }
            _ => Ok(()),
        }
    }

    fn filter(
        &mut self,
        evaluator: &mut Evaluator<'_>,
        index: usize,
        condition: &filter::Condition,
        value: &Value,
        definite: bool,
    ) -> Result<(), EvaluationError> {
        match value {
            Value::List(items) => {
                for item in items.iter() {
                    if filter::holds(evaluator, condition, item, self.root)? {
                        self.step(evaluator, index + 1, item, false)?;
                    }
                }
                Ok(())
            }
            Value::Map(_) => {
                if filter::holds(evaluator, condition, value, self.root)? {
                    self.step(evaluator, index + 1, value, false)?;
                }
                Ok(())
            }
            other if definite => Err(EvaluationError::new(format!("the JSON path filters {}", other.kind()))),
            _ => Ok(()),
        }
    }
}

fn list(value: &Value, definite: bool) -> Result<Option<&[Value]>, EvaluationError> {
    match value {
        Value::List(items) => Ok(Some(items)),
        other if definite => {
            Err(EvaluationError::new(format!("the JSON path asks {} for an element", other.kind())))
        }
        _ => Ok(None),
    }
}

/// An element, counted from the end when the place is negative.
pub(super) fn at(items: &[Value], place: i64) -> Option<&Value> {
    let length = i64::try_from(items.len()).ok()?;
    let place = if place < 0 { place.checked_add(length)? } else { place };
    items.get(usize::try_from(place).ok()?)
}
