//! Values of templates. Null is no value: what is null is missing.

use super::RenderError;
use super::model::Root;
use super::number::Number;
use indexmap::IndexMap;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::sync::Arc;

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Stands in lists and hashes only; whoever reads it finds nothing.
    Null,
    Text(Arc<str>),
    Number(Number),
    Bool(bool),
    List(Arc<[Value]>),
    Hash(Arc<IndexMap<String, Value>>),
    /// Names without case, in order of arrival.
    Headers(Arc<IndexMap<String, Value>>),
    /// Read when a member is asked for.
    Root(Root),
}

impl Value {
    pub(super) fn text_of(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    pub(super) fn list_of(items: impl IntoIterator<Item = Value>) -> Value {
        Value::List(items.into_iter().collect())
    }

    /// A name that may have several values has a list of them.
    pub(super) fn headers_of<'h>(pairs: impl Iterator<Item = (&'h str, String)>) -> Value {
        Value::Headers(Arc::new(grouped(pairs, str::eq_ignore_ascii_case)))
    }

    /// The same with exact names.
    pub(super) fn multi_map_of<'p>(pairs: impl Iterator<Item = (&'p str, String)>) -> Value {
        Value::Hash(Arc::new(grouped(pairs, |a, b| a == b)))
    }

    /// The size of a JSON document is that of the text it came from, which somebody limited.
    pub(super) fn of_json(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Bool(truth) => Value::Bool(*truth),
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Number(Number::Integer(integer)),
                None => Value::Number(Number::Real(number.as_f64().unwrap_or(f64::NAN))),
            },
            Json::String(text) => Value::text_of(text.as_str()),
            Json::Array(items) => Value::list_of(items.iter().map(Value::of_json)),
            Json::Object(members) => Value::Hash(Arc::new(
                members.iter().map(|(name, value)| (name.clone(), Value::of_json(value))).collect(),
            )),
        }
    }

    /// What kind of value it is, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Text(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::List(_) => "a list",
            Value::Hash(_) | Value::Headers(_) | Value::Root(_) => "a hash",
        }
    }

    /// As text. A list of one element is that element: headers have lists of values.
    pub(super) fn text(&self, place: impl FnOnce() -> String) -> Result<Cow<'_, str>, RenderError> {
        match self {
            Value::Text(text) => Ok(Cow::Borrowed(text)),
            Value::Number(number) => Ok(Cow::Owned(number.to_string())),
            Value::Bool(truth) => Ok(Cow::Borrowed(if *truth { "true" } else { "false" })),
            Value::List(items) if items.len() == 1 => items[0].text(place),
            Value::Null | Value::List(_) | Value::Hash(_) | Value::Headers(_) | Value::Root(_) => {
                Err(self.unexpected(place, "a text"))
            }
        }
    }

    /// As a number. Texts are no numbers.
    pub(super) fn number(&self, place: impl FnOnce() -> String) -> Result<Number, RenderError> {
        match self {
            Value::Number(number) => Ok(*number),
            _ => Err(self.unexpected(place, "a number")),
        }
    }

    /// The elements of a list.
    pub(super) fn list(&self, place: impl FnOnce() -> String) -> Result<&Arc<[Value]>, RenderError> {
        match self {
            Value::List(items) => Ok(items),
            _ => Err(self.unexpected(place, "a list")),
        }
    }

    pub(super) fn unexpected(&self, place: impl FnOnce() -> String, expected: &'static str) -> RenderError {
        RenderError::Type { place: place(), found: self.kind(), expected }
    }
}

fn grouped<'p>(
    pairs: impl Iterator<Item = (&'p str, String)>,
    same: impl Fn(&str, &str) -> bool,
) -> IndexMap<String, Value> {
    let mut groups: Vec<(&str, Vec<Value>)> = Vec::new();
    for (name, value) in pairs {
        let value = Value::text_of(value);
        match groups.iter_mut().find(|(known, _)| same(known, name)) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    groups.into_iter().map(|(name, values)| (name.to_owned(), Value::list_of(values))).collect()
}
