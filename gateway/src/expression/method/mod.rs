//! Methods that expressions may call. Whatever is not written here is refused: nothing mutates, reflects or reaches
//! the process.

mod instance;
mod list;
mod map;
mod number;
mod pairs;
pub(super) mod text;

use super::compare;
use super::convert;
use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::value::Value;
use std::sync::Arc;

/// What a method says; `None` when the receiver has no such method with that many arguments.
pub(super) type Answer = Result<Option<Value>, EvaluationError>;

/// `target.name(arguments)`
pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    target: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, EvaluationError> {
    if target.is_null() {
        return Err(EvaluationError::new(format!("null has no method `{name}`")));
    }
    if let Some(value) = known(evaluator, target, name, arguments)? {
        return Ok(value);
    }
    // A header with one value is used like a text.
    let single = target.single();
    if !std::ptr::eq(single, target)
        && let Some(value) = known(evaluator, single, name, arguments)?
    {
        return Ok(value);
    }
    let (kind, count) = (target.kind(), arguments.len());
    let message = format!("`{name}` with {count} arguments is no method of {kind} that expressions may call");
    Err(EvaluationError::new(message))
}

fn known(evaluator: &mut Evaluator<'_>, target: &Value, name: &str, arguments: &[Value]) -> Answer {
    let answer = match target {
        Value::Text(text) => text::call(evaluator, text, name, arguments)?,
        Value::List(items) => list::call(evaluator, items, name, arguments)?,
        Value::Pairs(pairs) => pairs::call(evaluator, pairs, name, arguments)?,
        Value::Map(_) | Value::Entries(_) => map::call(evaluator, target, name, arguments)?,
        Value::Integer(_) | Value::Real(_) | Value::Decimal(_) => number::call(target, name, arguments)?,
        Value::Instance(instance) => instance::call(evaluator, instance, name, arguments)?,
        Value::Boolean(value) => match (name, arguments) {
            ("booleanValue", []) => Some(Value::Boolean(*value)),
            _ => None,
        },
        Value::Null | Value::Bytes(_) | Value::Bean(_) => None,
    };
    if answer.is_some() {
        return Ok(answer);
    }
    match (name, arguments) {
        ("equals", [other]) => Ok(Some(Value::Boolean(compare::equal(target, other)))),
        ("toString", []) => convert::text(target, evaluator).map(|text| Some(Value::text(text))),
        ("hashCode", []) => {
            let text = convert::text(target, evaluator)?;
            Ok(Some(Value::Integer(text::hash_code(&text))))
        }
        _ => Ok(None),
    }
}

/// `target.name` of something that is no map: what its getter `getName` or `isName` says.
pub(super) fn getter(
    evaluator: &mut Evaluator<'_>,
    target: &Value,
    name: &str,
) -> Result<Value, EvaluationError> {
    let mut letters = name.chars();
    let capital: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    for getter in [format!("get{capital}"), format!("is{capital}"), name.to_owned()] {
        for receiver in [target, target.single()] {
            if let Some(value) = known(evaluator, receiver, &getter, &[])? {
                return Ok(value);
            }
        }
    }
    Err(EvaluationError::new(format!("{} has no property `{name}`", target.kind())))
}

impl Evaluator<'_> {
    /// An argument that has to be a text.
    pub(super) fn argument(&mut self, value: &Value) -> Result<Arc<str>, EvaluationError> {
        match value.single() {
            Value::Text(text) => Ok(Arc::clone(text)),
            Value::Null => Err(EvaluationError::new("an argument is null where a text is needed")),
            other => convert::text(other, self).map(Into::into),
        }
    }
}

/// An argument that has to be a whole number.
pub(super) fn whole(value: &Value) -> Result<i64, EvaluationError> {
    convert::integer(value)?
        .ok_or_else(|| EvaluationError::new("an argument is null where a number is needed"))
}

/// An argument that counts or places something.
pub(super) fn count(value: &Value) -> Result<usize, EvaluationError> {
    usize::try_from(whole(value)?).map_err(|_| EvaluationError::new("an argument is negative"))
}
