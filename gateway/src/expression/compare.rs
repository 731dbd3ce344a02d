//! Equality and order of values.

use super::error::EvaluationError;
use super::number;
use super::value::Value;
use std::cmp::Ordering;

/// Greatest nesting of lists and maps that are compared, levels.
const COMPARE_MAX_DEPTH: usize = 128;

/// `left == right`, where a list of one element equals its element.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(_), Value::List(_)) => same(left, right, 0),
        _ => same(left.single(), right.single(), 0),
    }
}

/// Equality of values of the same kind; elements and members have to be equal as they are.
fn same(left: &Value, right: &Value, depth: usize) -> bool {
    if depth > COMPARE_MAX_DEPTH {
        return false;
    }
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Boolean(left), Value::Boolean(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right.iter()).all(|(l, r)| same(l, r, depth + 1))
        }
        (Value::Map(left), Value::Map(right)) => {
            let holds =
                |(key, value): (&_, &_)| right.get(key).is_some_and(|other| same(value, other, depth + 1));
            left.len() == right.len() && left.iter().all(holds)
        }
        (Value::Bean(left), Value::Bean(right)) => left == right,
        (Value::Pairs(left), Value::Pairs(right)) => left == right,
        (Value::Entries(left), Value::Entries(right)) => left == right,
        (Value::Instance(left), Value::Instance(right)) => left == right,
        (left, right) => number::compare(left, right) == Some(Ordering::Equal),
    }
}

/// The order of two values: numbers by value, texts by characters, dates by time; null is below everything.
pub(super) fn order(left: &Value, right: &Value) -> Result<Ordering, EvaluationError> {
    let (left, right) = (left.single(), right.single());
    let known = match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Null, _) => Some(Ordering::Less),
        (_, Value::Null) => Some(Ordering::Greater),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Boolean(left), Value::Boolean(right)) => Some(left.cmp(right)),
        (Value::Instance(left), Value::Instance(right)) => left.partial_cmp(right),
        (left, right) => number::compare(left, right),
    };
    known.ok_or_else(|| {
        EvaluationError::new(format!("{} and {} cannot be compared", left.kind(), right.kind()))
    })
}
