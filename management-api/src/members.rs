//! JSON objects whose absent members are left out, in the order given.

use serde_json::{Map, Value};

/// An object of the members that are there.
pub(crate) fn present<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}
