//! Built-ins of lists and hashes.

use super::number::Number;
use super::value::Value;
use super::{RenderError, Run, describe};
use definition::freemarker::{Builtin, Expr};
use std::cmp::Ordering;

impl Run<'_> {
    /// Keys and values of a hash, in order.
    pub(super) fn entries(
        &mut self,
        of: &Value,
        place: impl FnOnce() -> String,
    ) -> Result<Vec<(Value, Value)>, RenderError> {
        let entries: Vec<(Value, Value)> = match of {
            Value::Hash(hash) | Value::Headers(hash) => {
                hash.iter().map(|(name, value)| (Value::text_of(name.as_str()), value.clone())).collect()
            }
            Value::Root(root) => {
                let names = self.root_names(*root).into_iter();
                names
                    .filter_map(|name| Some((self.root_member(*root, &name)?, name)))
                    .map(|(v, n)| (Value::text_of(n), v))
                    .collect()
            }
            _ => return Err(of.unexpected(place, "a hash")),
        };
        self.spend(entries.len())?;
        Ok(entries)
    }

    pub(super) fn sequence(
        &mut self,
        place: &Expr,
        of: &Value,
        name: Builtin,
        arguments: &[Expr],
    ) -> Result<Option<Value>, RenderError> {
        use Builtin as B;
        let place = || describe(place);
        match name {
            B::Keys => Ok(Some(Value::list_of(self.entries(of, place)?.into_iter().map(|(key, _)| key)))),
            B::Values => {
                Ok(Some(Value::list_of(self.entries(of, place)?.into_iter().map(|(_, value)| value))))
            }
            B::Size if !matches!(of, Value::List(_)) => {
                let entries = self.entries(of, place)?;
                Ok(Some(count(entries.len())))
            }
            _ => {
                let items = of.list(place)?;
                self.spend(items.len())?;
                self.list_builtin(items, name, arguments)
            }
        }
    }

    fn list_builtin(
        &mut self,
        items: &[Value],
        name: Builtin,
        arguments: &[Expr],
    ) -> Result<Option<Value>, RenderError> {
        use Builtin as B;
        Ok(match name {
            B::Size => Some(count(items.len())),
            B::First => items.first().filter(|value| !matches!(value, Value::Null)).cloned(),
            B::Last => items.last().filter(|value| !matches!(value, Value::Null)).cloned(),
            B::Reverse => Some(Value::list_of(items.iter().rev().cloned())),
            B::Join => Some(self.joined(items, arguments)?),
            B::Sort => Some(sorted(items, Some)?),
            B::SortBy => {
                let key = self.present(&arguments[0])?;
                let key = key.text(|| describe(&arguments[0]))?;
                Some(sorted(items, |item| match item {
                    Value::Hash(hash) => hash.get(&*key),
                    _ => None,
                })?)
            }
            B::SeqContains | B::SeqIndexOf => {
                let wanted = self.present(&arguments[0])?;
                let found = items.iter().position(|item| same(item, &wanted));
                Some(match (name, found) {
                    (B::SeqContains, found) => Value::Bool(found.is_some()),
                    (_, Some(found)) => count(found),
                    (_, None) => Value::Number(Number::Integer(-1)),
                })
            }
            _ => {
                let numbers: Result<Vec<_>, _> =
                    items.iter().map(|item| item.number(|| "an element".to_owned())).collect();
                let numbers = numbers?.into_iter();
                let found = if name == B::Min {
                    numbers.min_by(|a, b| a.compare(*b))
                } else {
                    numbers.max_by(|a, b| a.compare(*b))
                };
                found.map(Value::Number)
            }
        })
    }

    /// `join(separator, when_empty, ending)`.
    fn joined(&mut self, items: &[Value], arguments: &[Expr]) -> Result<Value, RenderError> {
        let mut parts = Vec::new();
        for argument in arguments {
            parts.push(self.present(argument)?.text(|| describe(argument))?.into_owned());
        }
        if let (true, Some(when_empty)) = (items.is_empty(), parts.get(1)) {
            return Ok(Value::text_of(when_empty.as_str()));
        }
        let separator = parts.first().map(String::as_str).unwrap_or_default();
        let mut joined = String::new();
        for (index, item) in items.iter().filter(|item| !matches!(item, Value::Null)).enumerate() {
            if index > 0 {
                joined.push_str(separator);
            }
            joined.push_str(&item.text(|| "an element".to_owned())?);
            if joined.len() > super::TEXT_MAX_BYTES {
                return Err(RenderError::Other("a text is larger than 10 MiB"));
            }
        }
        if let (false, Some(ending)) = (items.is_empty(), parts.get(2)) {
            joined.push_str(ending);
        }
        self.made(joined)
    }
}

fn count(count: usize) -> Value {
    Value::Number(Number::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.compare(*b) == Ordering::Equal,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        _ => false,
    }
}

/// Numbers by size, texts by letter; lists of both have no order.
fn sorted<'v>(
    items: &'v [Value],
    key: impl Fn(&'v Value) -> Option<&'v Value>,
) -> Result<Value, RenderError> {
    let keyed: Option<Vec<_>> = items.iter().map(|item| key(item).map(|key| (key, item))).collect();
    let mut keyed = keyed.ok_or(RenderError::Other("an element has not what it is to be sorted by"))?;
    let numbers = keyed.iter().all(|(key, _)| matches!(key, Value::Number(_)));
    let texts = keyed.iter().all(|(key, _)| matches!(key, Value::Text(_)));
    if !numbers && !texts {
        return Err(RenderError::Other("only numbers, or only texts, can be sorted"));
    }
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.compare(*b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        _ => Ordering::Equal,
    });
    Ok(Value::list_of(keyed.into_iter().map(|(_, item)| item.clone())))
}
