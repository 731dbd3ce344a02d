//! `shift`: builds a new document of values that are taken from the old one.

use super::walk::{self, Matched, Step, Walk};
use super::{Budget, TooMuch};
use definition::jolt::{Path, Shift, ShiftTarget, Special};
use serde_json::{Map, Value};

/// Shifts a document. Where nothing matched, null.
pub(super) fn run(spec: &Shift, document: &Value, budget: &mut Budget) -> Result<Value, TooMuch> {
    let root = Place { matched: Matched::whole("root"), value: Some(document) };
    let mut run = Run { places: vec![root.clone(), root], output: Value::Null, budget };
    run.children(spec, Some(document))?;
    Ok(run.output)
}

#[derive(Clone)]
struct Place<'a> {
    matched: Matched,
    value: Option<&'a Value>,
}

struct Run<'a, 'b> {
    places: Vec<Place<'a>>,
    output: Value,
    budget: &'b mut Budget,
}

impl Walk for Vec<Place<'_>> {
    fn matched(&self, level: usize) -> Option<&Matched> {
        self.iter().rev().nth(level).map(|place| &place.matched)
    }

    fn value(&self, level: usize) -> Option<&Value> {
        self.iter().rev().nth(level).and_then(|place| place.value)
    }
}

impl<'a> Run<'a, '_> {
    /// The members of what the last place is.
    fn children(&mut self, spec: &Shift, input: Option<&'a Value>) -> Result<(), TooMuch> {
        for (special, target) in &spec.specials {
            self.special(special, target, input)?;
        }
        match input {
            Some(Value::Object(members)) if spec.computed.is_empty() => {
                for (name, target) in &spec.literals {
                    if let Some(value) = members.get(name) {
                        self.apply(target, Matched::whole(name), Some(value))?;
                    }
                }
            }
            Some(Value::Object(members)) => {
                for (name, value) in members {
                    self.key(spec, name, Some(value))?;
                }
            }
            Some(Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    self.key(spec, &index.to_string(), Some(value))?;
                }
            }
            // A value that has no members is matched itself.
            Some(Value::String(text)) => self.key(spec, text, None)?,
            Some(scalar @ (Value::Bool(_) | Value::Number(_))) => {
                self.key(spec, &scalar.to_string(), None)?
            }
            Some(Value::Null) | None => {}
        }
        Ok(())
    }

    fn key(&mut self, spec: &Shift, key: &str, value: Option<&'a Value>) -> Result<(), TooMuch> {
        self.budget.spend(1 + spec.literals.len() / 16 + spec.computed.len())?;
        if let Some((_, target)) = spec.literals.iter().find(|(name, _)| name == key) {
            return self.apply(target, Matched::whole(key), value);
        }
        for (pattern, target) in &spec.computed {
            if let Some(matched) = walk::matches(pattern, key, &self.places) {
                return self.apply(target, matched, value);
            }
        }
        Ok(())
    }

    /// A key that matched.
    fn apply(
        &mut self,
        target: &ShiftTarget,
        matched: Matched,
        value: Option<&'a Value>,
    ) -> Result<(), TooMuch> {
        self.budget.spend(1)?;
        self.places.push(Place { matched, value });
        match target {
            ShiftTarget::Deeper(spec) => self.children(spec, value)?,
            ShiftTarget::Paths(paths) => self.write(paths, value.unwrap_or(&Value::Null))?,
        }
        self.places.pop();
        self.counted();
        Ok(())
    }

    fn counted(&mut self) {
        if let Some(parent) = self.places.last_mut() {
            parent.matched.count += 1;
        }
    }

    fn special(
        &mut self,
        special: &Special,
        target: &ShiftTarget,
        input: Option<&'a Value>,
    ) -> Result<(), TooMuch> {
        self.budget.spend(1)?;
        let mut matched = self.places.last().map(|place| place.matched.clone()).unwrap_or_default();
        let mut value = input;
        let mut text = None;
        match special {
            Special::Itself => {}
            Special::Lookup(lookup) => match self.found(lookup) {
                Some(found) => value = Some(found),
                None => return Ok(()),
            },
            Special::Key { level, group } => {
                let Some(key) = self.places.matched(*level).and_then(|matched| matched.group(*group)) else {
                    return Ok(());
                };
                matched = Matched::whole(key);
                text = Some(Value::from(key));
            }
            Special::Text(literal) => {
                matched = Matched::whole(literal);
                text = Some(Value::from(literal.as_str()));
            }
        }
        self.places.push(Place { matched, value });
        match target {
            ShiftTarget::Deeper(spec) => self.children(spec, value)?,
            ShiftTarget::Paths(paths) => {
                self.write(paths, text.as_ref().or(value).unwrap_or(&Value::Null))?;
            }
        }
        self.places.pop();
        if matches!(target, ShiftTarget::Deeper(_)) {
            self.counted();
        }
        Ok(())
    }

    /// As `walk::found`, with the life of the document instead of the walk's.
    fn found(&self, lookup: &definition::jolt::Lookup) -> Option<&'a Value> {
        let start = self.places.iter().rev().nth(lookup.level)?.value?;
        lookup.path.iter().try_fold(start, |value, step| match (walk::resolved(step, &self.places)?, value) {
            (Step::Member(name), Value::Object(members)) => members.get(&name),
            (Step::Index(index), Value::Array(items)) => items.get(index),
            _ => None,
        })
    }

    fn write(&mut self, paths: &[Path], value: &Value) -> Result<(), TooMuch> {
        for path in paths {
            let steps: Option<Vec<_>> = path.iter().map(|step| walk::resolved(step, &self.places)).collect();
            // A path that cannot be made of this document leads nowhere.
            if let Some(steps) = steps {
                self.budget.spend(steps.len())?;
                let value = self.budget.copy(value)?;
                put(&mut self.output, &steps, value, self.budget)?;
            }
        }
        Ok(())
    }
}

/// Writes a value; a second one at the same place makes a list of both. What is of another kind than the path stays.
fn put(slot: &mut Value, steps: &[Step], value: Value, budget: &mut Budget) -> Result<(), TooMuch> {
    let Some((step, rest)) = steps.split_first() else {
        match slot {
            Value::Null => *slot = value,
            Value::Array(items) => items.push(value),
            other => *other = Value::Array(vec![other.take(), value]),
        }
        return Ok(());
    };
    if slot.is_null() {
        *slot = match step {
            Step::Member(_) => Value::Object(Map::new()),
            Step::Append | Step::Index(_) => Value::Array(Vec::new()),
        };
    }
    match (step, slot) {
        (Step::Member(name), Value::Object(members)) => {
            put(members.entry(name.as_str()).or_insert(Value::Null), rest, value, budget)
        }
        (Step::Append, Value::Array(items)) => {
            items.push(Value::Null);
            items.last_mut().map_or(Ok(()), |last| put(last, rest, value, budget))
        }
        (Step::Index(index), Value::Array(items)) => {
            if *index >= items.len() {
                // The index may be the caller's choice.
                budget.spend(*index - items.len())?;
                items.resize(*index + 1, Value::Null);
            }
            put(&mut items[*index], rest, value, budget)
        }
        _ => Ok(()),
    }
}
