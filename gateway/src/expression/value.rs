//! What expressions compute with: one data model for literals, documents, root objects and the few Java-like instances.
//!
//! A value is cheap to clone; parts of a document are shared with it. Root objects are only named here and read when a
//! member is asked for.

use super::instance::Instance;
use super::roots::{Bean, Entries, Pairs};
use bigdecimal::BigDecimal;
use bytes::Bytes;
use indexmap::IndexMap;
use std::sync::Arc;

/// Members in the order of the document.
pub(crate) type Members = IndexMap<Arc<str>, Value>;

/// A value.
#[derive(Debug, Clone, Default)]
pub(crate) enum Value {
    #[default]
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    /// Boxed because it is rare and large.
    Decimal(Box<BigDecimal>),
    Text(Arc<str>),
    Bytes(Bytes),
    List(Arc<Vec<Value>>),
    Map(Arc<Members>),
    /// A root object with documented members.
    Bean(Bean),
    /// Headers or parameters: names with lists of values.
    Pairs(Pairs),
    /// A map that is read from the call.
    Entries(Entries),
    /// A date, a type, a formatter, ….
    Instance(Box<Instance>),
}

impl Value {
    /// A text.
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Value {
        Value::Text(text.into())
    }

    /// A list.
    pub(crate) fn list(items: Vec<Value>) -> Value {
        Value::List(Arc::new(items))
    }

    /// A map.
    pub(crate) fn map<K: Into<Arc<str>>>(members: impl IntoIterator<Item = (K, Value)>) -> Value {
        Value::Map(Arc::new(members.into_iter().map(|(key, value)| (key.into(), value)).collect()))
    }

    /// Headers of a response that is none of the call's own; names compare without case.
    pub(crate) fn headers(pairs: Vec<(String, String)>) -> Value {
        Value::Pairs(Pairs::Owned(Arc::new(pairs)))
    }

    pub(super) fn instance(instance: Instance) -> Value {
        Value::Instance(Box::new(instance))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The element of a list that has one element, else the value itself: a header with one value is used like a text.
    pub(super) fn single(&self) -> &Value {
        match self {
            Value::List(items) => match items.as_slice() {
                [item] => item,
                _ => self,
            },
            other => other,
        }
    }

    /// Whether members are looked up by their names.
    pub(super) fn has_members(&self) -> bool {
        matches!(self, Value::Map(_) | Value::Entries(_) | Value::Pairs(_))
    }

    /// For error messages; never the value itself, which may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "a boolean",
            Value::Integer(_) | Value::Real(_) | Value::Decimal(_) => "a number",
            Value::Text(_) => "a text",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) | Value::Entries(_) => "a map",
            Value::Bean(_) => "an object",
            Value::Pairs(_) => "a map of lists",
            Value::Instance(instance) => instance.kind(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Value {
        Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
