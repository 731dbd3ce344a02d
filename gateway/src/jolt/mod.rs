//! Runs JOLT chains on documents.
//!
//! Documents come from callers and from backends, so that every run has a budget: what a chain copies, pads or computes
//! is paid for by its size.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "functions and operations know a few kinds of values and leave the others as they are"
)]

mod cardinality;
mod defaults;
mod functions;
mod modify;
mod remove;
mod shift;
#[cfg(test)]
mod tests;
mod walk;

use definition::jolt::{Chain, Operation};
use serde_json::{Map, Value};

/// Work for one run: about one per value that is visited, copied or made, and per 64 bytes of text.
const STEPS_MAX: usize = 1_000_000;

/// Why a chain has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the transformation takes too many steps")]
pub(crate) struct TooMuch;

/// What is left for one run.
struct Budget(usize);

impl Budget {
    fn spend(&mut self, steps: usize) -> Result<(), TooMuch> {
        self.0 = self.0.checked_sub(steps).ok_or(TooMuch)?;
        Ok(())
    }

    /// A copy, paid for by its size.
    fn copy(&mut self, value: &Value) -> Result<Value, TooMuch> {
        self.spend(weight(value))?;
        Ok(value.clone())
    }
}

/// Values and text of a document.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| name.len() / 64 + weight(value));
            1 + members.sum::<usize>()
        }
    }
}

/// Passes a document through all operations.
pub(crate) fn transform(chain: &Chain, mut document: Value) -> Result<Value, TooMuch> {
    let mut budget = Budget(STEPS_MAX);
    for operation in &chain.operations {
        budget.spend(weight(&document))?;
        match operation {
            Operation::Shift(spec) => document = shift::run(spec, &document, &mut budget)?,
            Operation::Default(children) => defaults::run(children, &mut document, &mut budget)?,
            Operation::Remove(removals) => remove::run(removals, &mut document, &mut budget)?,
            Operation::Sort => document = sorted(document),
            Operation::Cardinality(spec) => cardinality::run(spec, &mut document, &mut budget)?,
            Operation::Modify(mode, spec) => modify::run(*mode, spec, &mut document, &mut budget)?,
        }
    }
    Ok(document)
}

/// Members by name at every depth; names that begin with `~` come first.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            members.sort_by(|(a, _), (b, _)| (!a.starts_with('~'), a).cmp(&(!b.starts_with('~'), b)));
            Value::Object(Map::from_iter(members))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
