//! `cardinality`: lists become one value, or one value a list.

use super::walk::{Matched, Walk, matches};
use super::{Budget, TooMuch};
use definition::jolt::{Cardinalities, Cardinality, CardinalityTarget};
use serde_json::Value;

/// Cardinalities refer to nothing.
struct Nowhere;

impl Walk for Nowhere {
    fn matched(&self, _level: usize) -> Option<&Matched> {
        None
    }

    fn value(&self, _level: usize) -> Option<&Value> {
        None
    }
}

pub(super) fn run(spec: &Cardinalities, document: &mut Value, budget: &mut Budget) -> Result<(), TooMuch> {
    if let Some(own) = spec.own {
        adjust(document, own);
    }
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                member(spec, name, value, budget)?;
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                member(spec, &index.to_string(), value, budget)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

fn member(spec: &Cardinalities, key: &str, value: &mut Value, budget: &mut Budget) -> Result<(), TooMuch> {
    budget.spend(1 + spec.members.len() / 4)?;
    let target = spec.members.iter().find(|(pattern, _)| matches(pattern, key, &Nowhere).is_some());
    match target {
        Some((_, CardinalityTarget::Becomes(cardinality))) => adjust(value, *cardinality),
        Some((_, CardinalityTarget::Deeper(spec))) => run(spec, value, budget)?,
        None => {}
    }
    Ok(())
}

fn adjust(value: &mut Value, cardinality: Cardinality) {
    match (cardinality, &mut *value) {
        (Cardinality::One, Value::Array(items)) => {
            *value = if items.is_empty() { Value::Null } else { items.swap_remove(0) };
        }
        (Cardinality::One, _) | (Cardinality::Many, Value::Array(_)) => {}
        (Cardinality::Many, Value::Null) => *value = Value::Array(Vec::new()),
        (Cardinality::Many, other) => *value = Value::Array(vec![other.take()]),
    }
}
