//! Methods of maps, whether they were written, parsed or are read from the call.

use super::Answer;
use crate::expression::access;
use crate::expression::compare;
use crate::expression::evaluate::Evaluator;
use crate::expression::instance::Instance;
use crate::expression::value::Value;
use std::sync::Arc;

pub(super) fn call(evaluator: &mut Evaluator<'_>, map: &Value, name: &str, arguments: &[Value]) -> Answer {
    // These need one entry only.
    match (name, arguments) {
        ("get", [key]) => return access::index(evaluator, map, key).map(Some),
        ("getOrDefault", [key, otherwise]) => {
            let value = access::index(evaluator, map, key)?;
            return Ok(Some(if value.is_null() { otherwise.clone() } else { value }));
        }
        _ => {}
    }
    if !matches!(
        name,
        "containsKey" | "containsValue" | "keySet" | "values" | "entrySet" | "size" | "isEmpty"
    ) {
        return Ok(None);
    }
    let members = evaluator.members(map)?;
    evaluator.budget.spend(members.len())?;
    Ok(Some(match (name, arguments) {
        ("containsKey", [Value::Null]) => Value::Boolean(false),
        ("containsKey", [key]) => {
            let key = evaluator.key(key)?;
            // An attribute has two names, of which the list of all entries holds one.
            let found = members.contains_key(&key) || !access::property(evaluator, map, &key)?.is_null();
            Value::Boolean(found)
        }
        ("containsValue", [value]) => {
            Value::Boolean(members.values().any(|other| compare::equal(other, value)))
        }
        ("keySet", []) => Value::list(members.keys().map(|key| Value::Text(Arc::clone(key))).collect()),
        ("values", []) => Value::list(members.values().cloned().collect()),
        ("entrySet", []) => {
            let entry = |(key, value): (&Arc<str>, &Value)| {
                Value::instance(Instance::Entry(Arc::clone(key), value.clone()))
            };
            Value::list(members.iter().map(entry).collect())
        }
        ("size", []) => Value::from(members.len()),
        ("isEmpty", []) => Value::Boolean(members.is_empty()),
        _ => return Ok(None),
    }))
}
