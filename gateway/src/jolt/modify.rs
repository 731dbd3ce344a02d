//! `modify-…-beta`: computes values where they stand.

use super::walk::{self, Matched, Walk};
use super::{Budget, TooMuch, functions};
use definition::jolt::{Mode, ModifyChild, ModifyContainer, ModifyKey, ModifyTarget, Pattern, Source};
use serde_json::{Map, Value};

pub(super) fn run(
    mode: Mode,
    spec: &ModifyContainer,
    document: &mut Value,
    budget: &mut Budget,
) -> Result<(), TooMuch> {
    let mut run = Run { place: Place { document, keys: Vec::new() }, mode, budget };
    run.container(spec)
}

/// One step from the root.
struct Key {
    matched: Matched,
    /// Set in lists.
    index: Option<usize>,
}

/// The document, and the way to the current place.
struct Place<'d> {
    document: &'d mut Value,
    keys: Vec<Key>,
}

struct Run<'d, 'b> {
    place: Place<'d>,
    mode: Mode,
    budget: &'b mut Budget,
}

impl Walk for Place<'_> {
    fn matched(&self, level: usize) -> Option<&Matched> {
        self.keys.iter().rev().nth(level).map(|key| &key.matched)
    }

    fn value(&self, level: usize) -> Option<&Value> {
        // The root is its own parent.
        (level <= self.keys.len() + 1).then_some(())?;
        let mut keys = self.keys.iter().take(self.keys.len().saturating_sub(level));
        keys.try_fold(&*self.document, |value, key| key.of(value))
    }
}

impl Key {
    fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self.index, value) {
            (Some(index), Value::Array(items)) => items.get(index),
            (None, Value::Object(members)) => members.get(&self.matched.key),
            _ => None,
        }
    }
}

impl Place<'_> {
    /// The value at the place, when it is there.
    fn current(&self) -> Option<&Value> {
        self.value(0)
    }

    fn container(&mut self, depth: usize) -> Option<&mut Value> {
        self.keys.iter().take(depth).try_fold(&mut *self.document, |value, key| match (key.index, value) {
            (Some(index), Value::Array(items)) => items.get_mut(index),
            (None, Value::Object(members)) => members.get_mut(&key.matched.key),
            _ => None,
        })
    }

    /// Writes the value at the place.
    fn set(&mut self, value: Value) {
        let Some(depth) = self.keys.len().checked_sub(1) else { return };
        let (key, index) = (self.keys[depth].matched.key.clone(), self.keys[depth].index);
        match (self.container(depth), index) {
            (Some(Value::Object(members)), None) => {
                members.insert(key, value);
            }
            (Some(Value::Array(items)), Some(index)) => {
                if let Some(slot) = items.get_mut(index) {
                    *slot = value;
                }
            }
            _ => {}
        }
    }
}

impl Run<'_, '_> {
    /// The members of the container at the place.
    fn container(&mut self, spec: &ModifyContainer) -> Result<(), TooMuch> {
        let mut length = None;
        if let (Some(least), Some(Value::Array(items))) = (spec.list, self.place.container(usize::MAX)) {
            length = Some(items.len());
            if least > items.len() {
                self.budget.spend(least - items.len())?;
                items.resize(least, Value::Null);
            }
        }
        let mut named: Vec<String> = Vec::new();
        for child in &spec.children {
            match &child.key {
                ModifyKey::Pattern(Pattern::Literal(name)) => {
                    named.push(name.clone());
                    let index = match self.place.current() {
                        Some(Value::Array(_)) => name.parse().ok(),
                        _ => None,
                    };
                    self.child(child, Matched::whole(name), index, true)?;
                }
                ModifyKey::Index(index) => {
                    let there = length.is_none_or(|length| *index < length);
                    named.push(index.to_string());
                    self.child(child, Matched::whole(index.to_string()), Some(*index), there)?;
                }
                ModifyKey::Pattern(Pattern::Star(_) | Pattern::Computed(_)) => {}
            }
        }
        let patterns = spec.children.iter().filter_map(|child| match &child.key {
            ModifyKey::Pattern(pattern @ (Pattern::Star(_) | Pattern::Computed(_))) => Some((pattern, child)),
            ModifyKey::Pattern(Pattern::Literal(_)) | ModifyKey::Index(_) => None,
        });
        let computed: Vec<_> = patterns.collect();
        if computed.is_empty() {
            return Ok(());
        }
        let keys: Vec<(String, Option<usize>)> = match self.place.current() {
            Some(Value::Object(members)) => members.keys().map(|name| (name.clone(), None)).collect(),
            Some(Value::Array(items)) => {
                (0..items.len()).map(|index| (index.to_string(), Some(index))).collect()
            }
            _ => Vec::new(),
        };
        self.budget.spend(keys.len())?;
        for (key, index) in keys.into_iter().filter(|(key, _)| !named.contains(key)) {
            let found = computed.iter().find_map(|(pattern, child)| {
                walk::matches(pattern, &key, &self.place).map(|matched| (matched, *child))
            });
            if let Some((matched, child)) = found {
                self.child(child, matched, index, true)?;
            }
        }
        Ok(())
    }

    /// `was_there`: an element that a list had before it was made longer.
    fn child(
        &mut self,
        child: &ModifyChild,
        matched: Matched,
        index: Option<usize>,
        was_there: bool,
    ) -> Result<(), TooMuch> {
        self.budget.spend(1)?;
        self.place.keys.push(Key { matched, index });
        let present = was_there && self.place.current().is_some();
        let done = if child.only_existing && !present { Ok(()) } else { self.target(child, present) };
        self.place.keys.pop();
        done
    }

    fn target(&mut self, child: &ModifyChild, present: bool) -> Result<(), TooMuch> {
        let null = self.place.current().is_none_or(Value::is_null);
        let writes = match child.mode.unwrap_or(self.mode) {
            Mode::Overwrite => true,
            Mode::Default => null,
            Mode::Define => !present,
        };
        match &child.target {
            ModifyTarget::Deeper(spec) => {
                if null && writes && spec.list.is_some() {
                    self.place.set(Value::Array(Vec::new()));
                } else if null && writes && spec.makes_object {
                    self.place.set(Value::Object(Map::new()));
                }
                let fits = match self.place.current() {
                    Some(Value::Array(_)) => !spec.makes_object,
                    Some(Value::Object(_)) => spec.list.is_none(),
                    _ => false,
                };
                if fits { self.container(spec) } else { Ok(()) }
            }
            ModifyTarget::FirstOf(sources) => {
                for source in sources.iter().filter(|_| writes) {
                    if let Some(value) = self.evaluate(source)? {
                        self.place.set(value);
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn evaluate(&mut self, source: &Source) -> Result<Option<Value>, TooMuch> {
        self.budget.spend(1)?;
        Ok(match source {
            Source::Literal(value) => Some(self.budget.copy(value)?),
            Source::Lookup(lookup) => match walk::found(lookup, &self.place) {
                Some(value) => Some(self.budget.copy(value)?),
                None => None,
            },
            Source::Call(function, None) => match self.place.current() {
                Some(value) => {
                    let value = self.budget.copy(value)?;
                    functions::call(*function, vec![value], self.budget)?
                }
                None => None,
            },
            Source::Call(function, Some(arguments)) => {
                let mut values = Vec::new();
                for argument in arguments {
                    values.push(self.evaluate(argument)?.unwrap_or(Value::Null));
                }
                functions::call(*function, values, self.budget)?
            }
        })
    }
}
