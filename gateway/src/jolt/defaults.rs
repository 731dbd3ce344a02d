//! `default`: fills in what is missing or null.

use super::{Budget, TooMuch};
use definition::jolt::{DefaultChild, DefaultKeys, DefaultTarget};
use serde_json::{Map, Value};

pub(super) fn run(
    children: &[DefaultChild],
    document: &mut Value,
    budget: &mut Budget,
) -> Result<(), TooMuch> {
    for child in children {
        match document {
            Value::Object(members) => {
                for name in names(&child.keys, members) {
                    budget.spend(1)?;
                    fill(members.entry(name).or_insert(Value::Null), &child.target, budget)?;
                }
            }
            Value::Array(items) => {
                for index in indexes(&child.keys, items.len()) {
                    budget.spend(1)?;
                    fill(&mut items[index], &child.target, budget)?;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

fn names(keys: &DefaultKeys, members: &Map<String, Value>) -> Vec<String> {
    match keys {
        DefaultKeys::Literal(name) => vec![name.clone()],
        DefaultKeys::Existing(names) => {
            names.iter().filter(|name| members.contains_key(*name)).cloned().collect()
        }
        DefaultKeys::All => members.keys().cloned().collect(),
    }
}

/// Lists have the length that they need by now.
fn indexes(keys: &DefaultKeys, length: usize) -> Vec<usize> {
    let there = |name: &String| name.parse().ok().filter(|index| *index < length);
    match keys {
        DefaultKeys::Literal(name) => there(name).into_iter().collect(),
        DefaultKeys::Existing(names) => names.iter().filter_map(there).collect(),
        DefaultKeys::All => (0..length).collect(),
    }
}

fn fill(slot: &mut Value, target: &DefaultTarget, budget: &mut Budget) -> Result<(), TooMuch> {
    match target {
        DefaultTarget::Value(value) => {
            if slot.is_null() {
                *slot = budget.copy(value)?;
            }
            Ok(())
        }
        DefaultTarget::Deeper { children, list } => {
            if slot.is_null() {
                *slot = if list.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
            }
            if let (Some(length), Value::Array(items)) = (list, &mut *slot)
                && *length > items.len()
            {
                budget.spend(*length - items.len())?;
                items.resize(*length, Value::Null);
            }
            run(children, slot, budget)
        }
    }
}
