//! `remove`: takes members away.

use super::walk::{Matched, Walk, matches};
use super::{Budget, TooMuch};
use definition::jolt::Removals;
use serde_json::Value;

/// Removals refer to nothing.
struct Nowhere;

impl Walk for Nowhere {
    fn matched(&self, _level: usize) -> Option<&Matched> {
        None
    }

    fn value(&self, _level: usize) -> Option<&Value> {
        None
    }
}

pub(super) fn run(removals: &Removals, document: &mut Value, budget: &mut Budget) -> Result<(), TooMuch> {
    for (pattern, within) in removals {
        let applies = |key: &str| matches(pattern, key, &Nowhere).is_some();
        match (document as &mut Value, within) {
            (Value::Object(members), None) => {
                budget.spend(members.len())?;
                members.retain(|name, _| !applies(name));
            }
            (Value::Array(items), None) => {
                budget.spend(items.len())?;
                let mut index = 0;
                items.retain(|_| {
                    index += 1;
                    !applies(&(index - 1).to_string())
                });
            }
            (Value::Object(members), Some(within)) => {
                budget.spend(members.len())?;
                for (_, value) in members.iter_mut().filter(|(name, _)| applies(name)) {
                    run(&within.0, value, budget)?;
                }
            }
            (Value::Array(items), Some(within)) => {
                budget.spend(items.len())?;
                for (index, value) in items.iter_mut().enumerate() {
                    if applies(&index.to_string()) {
                        run(&within.0, value, budget)?;
                    }
                }
            }
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {}
        }
    }
    Ok(())
}
