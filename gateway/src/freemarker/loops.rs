//! Lists: the body once per element, and what an element knows about its place.

use super::value::Value;
use super::{Ended, RenderError, Run, describe};
use definition::freemarker::{Builtin, Expr, Node};
use std::sync::Arc;

/// A list that is being gone through.
pub(super) struct Loop {
    name: String,
    key_name: Option<String>,
    keys: Vec<Value>,
    items: Arc<[Value]>,
    index: usize,
}

impl Loop {
    pub(super) fn has_next(&self) -> bool {
        self.index + 1 < self.items.len()
    }

    /// The element, or its key. Outer `None`: the name is not of this loop.
    fn variable(&self, name: &str) -> Option<Option<Value>> {
        if name == self.name {
            return Some(self.items.get(self.index).cloned());
        }
        if self.key_name.as_deref() == Some(name) {
            return Some(self.keys.get(self.index).cloned());
        }
        // The spelling before there were built-ins for it.
        let place = name.strip_prefix(self.name.as_str())?;
        match place {
            "_index" => Some(Some(self.place(Builtin::Index))),
            "_has_next" => Some(Some(self.place(Builtin::HasNext))),
            _ => None,
        }
    }

    fn place(&self, builtin: Builtin) -> Value {
        let number = |index: usize| {
            Value::Number(super::number::Number::Integer(i64::try_from(index).unwrap_or(i64::MAX)))
        };
        match builtin {
            Builtin::Index => number(self.index),
            Builtin::Counter => number(self.index + 1),
            Builtin::HasNext => Value::Bool(self.has_next()),
            Builtin::IsFirst => Value::Bool(self.index == 0),
            _ => Value::Bool(!self.has_next()),
        }
    }
}

impl Run<'_> {
    pub(super) fn list(
        &mut self,
        over: &Expr,
        names: &[String],
        body: &[Node],
        otherwise: &[Node],
    ) -> Result<Ended, RenderError> {
        let over_value = self.present(over)?;
        let mut looping = match (names, &over_value) {
            ([name], Value::List(items)) => Loop {
                name: name.clone(),
                key_name: None,
                keys: Vec::new(),
                items: Arc::clone(items),
                index: 0,
            },
            ([key, value], _) => {
                let entries = self.entries(&over_value, || describe(over))?;
                let (keys, items): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
                Loop { name: value.clone(), key_name: Some(key.clone()), keys, items: items.into(), index: 0 }
            }
            _ => return Err(over_value.unexpected(|| describe(over), "a list")),
        };
        if looping.items.is_empty() {
            return self.nodes(otherwise);
        }
        for index in 0..looping.items.len() {
            self.spend(1)?;
            looping.index = index;
            self.loops.push(looping);
            let ended = self.nodes(body)?;
            let Some(current) = self.loops.pop() else { break };
            looping = current;
            if ended == Ended::Break {
                break;
            }
        }
        Ok(Ended::Fully)
    }

    /// A variable of a list around, innermost first. Outer `None`: there is none of this name.
    pub(super) fn loop_variable(&self, name: &str) -> Option<Option<Value>> {
        self.loops.iter().rev().find_map(|looping| looping.variable(name))
    }

    /// What a built-in tells about the place of an element.
    pub(super) fn loop_place(&self, name: &str, builtin: Builtin) -> Result<Value, RenderError> {
        let of = self
            .loops
            .iter()
            .rev()
            .find(|known| known.name == name || known.key_name.as_deref() == Some(name));
        of.map(|known| known.place(builtin))
            .ok_or(RenderError::Other("a built-in of lists stands outside of its list"))
    }
}
