//! Selections and projections of lists and maps: `.?[…]`, `.^[…]`, `.$[…]`, `.![…]`.

use super::convert;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::instance::Instance;
use super::value::{Members, Value};
use definition::expression::ast::{Expression, Selection};
use std::sync::Arc;

impl Evaluator<'_> {
    pub(super) fn select(
        &mut self,
        target: &Expression,
        kind: Selection,
        predicate: &Expression,
        safe: bool,
    ) -> Result<Value, EvaluationError> {
        match self.evaluate(target)? {
            Value::Null if safe => Ok(Value::Null),
            Value::List(items) => self.select_list(&items, kind, predicate),
            map @ (Value::Map(_) | Value::Entries(_) | Value::Pairs(_)) => {
                let members = self.members(&map)?;
                self.select_map(&members, kind, predicate)
            }
            other => Err(EvaluationError::new(format!("{} has no elements to select from", other.kind()))),
        }
    }

    /// The value of the predicate with `#this` being the element.
    fn with_element(&mut self, element: Value, predicate: &Expression) -> Result<Value, EvaluationError> {
        self.elements.push(element);
        let result = self.evaluate(predicate);
        self.elements.pop();
        result
    }

    fn keeps(&mut self, element: Value, predicate: &Expression) -> Result<bool, EvaluationError> {
        let value = self.with_element(element, predicate)?;
        convert::truth(&value)?
            .ok_or_else(|| EvaluationError::new("the condition of a selection is null for an element"))
    }

    fn select_list(
        &mut self,
        items: &[Value],
        kind: Selection,
        predicate: &Expression,
    ) -> Result<Value, EvaluationError> {
        let mut found = Vec::new();
        match kind {
            Selection::Project => {
                for item in items {
                    found.push(self.with_element(item.clone(), predicate)?);
                }
                return Ok(Value::list(found));
            }
            Selection::All => {
                for item in items {
                    if self.keeps(item.clone(), predicate)? {
                        found.push(item.clone());
                    }
                }
                return Ok(Value::list(found));
            }
            Selection::First => {
                for item in items {
                    if self.keeps(item.clone(), predicate)? {
                        return Ok(item.clone());
                    }
                }
            }
            Selection::Last => {
                for item in items.iter().rev() {
                    if self.keeps(item.clone(), predicate)? {
                        return Ok(item.clone());
                    }
                }
            }
        }
        Ok(Value::Null)
    }

    /// The elements of a map are its entries; a selection is a map again.
    fn select_map(
        &mut self,
        members: &Members,
        kind: Selection,
        predicate: &Expression,
    ) -> Result<Value, EvaluationError> {
        let mut projected = Vec::new();
        let mut kept = Members::new();
        for (key, value) in members {
            let entry = Value::instance(Instance::Entry(Arc::clone(key), value.clone()));
            if kind == Selection::Project {
                projected.push(self.with_element(entry, predicate)?);
            } else if self.keeps(entry, predicate)? {
                if kind == Selection::Last {
                    kept.clear();
                }
                kept.insert(Arc::clone(key), value.clone());
                if kind == Selection::First {
                    break;
                }
            }
        }
        Ok(if kind == Selection::Project { Value::list(projected) } else { Value::Map(Arc::new(kept)) })
    }
}
