//! Conversions to what a policy asked for: text, truth, whole number, JSON.

use super::error::EvaluationError;
use super::evaluate::Evaluator;
use super::number;
use super::value::Value;
use bigdecimal::ToPrimitive;
use std::fmt::Write as _;

/// Appends the value as a text; null appends nothing.
pub(super) fn append(
    text: &mut String,
    value: &Value,
    evaluator: &mut Evaluator<'_>,
) -> Result<(), EvaluationError> {
    let before = text.len();
    match value {
        Value::Null => {}
        // Writing to a string does not fail.
        Value::Boolean(value) => drop(write!(text, "{value}")),
        Value::Integer(value) => drop(write!(text, "{value}")),
        Value::Real(value) => text.push_str(&number::print_real(*value)),
        Value::Decimal(value) => drop(write!(text, "{}", value.to_plain_string())),
        Value::Text(value) => {
            evaluator.budget.text_within(text.len() + value.len())?;
            text.push_str(value);
        }
        Value::Bytes(bytes) => {
            evaluator.budget.text_within(text.len() + bytes.len())?;
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "," });
                append(text, item, evaluator)?;
            }
        }
        Value::Map(_) | Value::Entries(_) | Value::Pairs(_) => {
            text.push_str(&json(value, evaluator)?.to_string());
        }
        Value::Instance(instance) => text.push_str(&instance.print()),
        Value::Bean(_) => return Err(refused(value, "a text")),
    }
    evaluator.budget.spend_bytes(text.len().saturating_sub(before))?;
    evaluator.budget.text_within(text.len())
}

/// The value as a text; null is the empty one.
pub(super) fn text(value: &Value, evaluator: &mut Evaluator<'_>) -> Result<String, EvaluationError> {
    // The body of a request may be larger than what an expression may make; it is not made here.
    if let Value::Text(text) = value {
        return Ok(text.as_ref().to_owned());
    }
    let mut text = String::new();
    append(&mut text, value, evaluator)?;
    Ok(text)
}

/// The value as a truth; `None` when it is null or empty.
pub(super) fn truth(value: &Value) -> Result<Option<bool>, EvaluationError> {
    match value.single() {
        Value::Null => Ok(None),
        Value::Boolean(value) => Ok(Some(*value)),
        Value::Integer(value) => Ok(Some(*value != 0)),
        Value::Real(value) => Ok(Some(*value != 0.0)),
        Value::Text(text) => word(text.trim()),
        other => Err(refused(other, "a boolean")),
    }
}

fn word(text: &str) -> Result<Option<bool>, EvaluationError> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    match text {
        "" => Ok(None),
        _ if is(&["true", "on", "yes", "1"]) => Ok(Some(true)),
        _ if is(&["false", "off", "no", "0"]) => Ok(Some(false)),
        _ => Err(EvaluationError::new("a text that is neither true nor false cannot be used as a boolean")),
    }
}

/// The value as a whole number; `None` when it is null or an empty text.
pub(super) fn integer(value: &Value) -> Result<Option<i64>, EvaluationError> {
    match value.single() {
        Value::Null => Ok(None),
        Value::Integer(value) => Ok(Some(*value)),
        Value::Real(value) if value.is_finite() => Ok(Some(*value as i64)),
        Value::Decimal(value) => {
            let whole = value.to_i64();
            whole.map(Some).ok_or_else(|| EvaluationError::new("the number does not fit into 64 bits"))
        }
        Value::Text(text) => match text.trim() {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| {
                EvaluationError::new("a text that is no whole number cannot be used as a number")
            }),
        },
        other => Err(refused(other, "a number")),
    }
}

/// The value in the form that attributes have.
pub(super) fn json(
    value: &Value,
    evaluator: &mut Evaluator<'_>,
) -> Result<serde_json::Value, EvaluationError> {
    use serde_json::Value as Json;
    evaluator.budget.spend(1)?;
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::from(*value),
        Value::Integer(value) => Json::from(*value),
        Value::Real(value) => Json::from(*value),
        Value::Decimal(value) => match value.to_i64().filter(|_| value.is_integer()) {
            Some(whole) => Json::from(whole),
            None => value.to_f64().map_or(Json::Null, Json::from),
        },
        Value::Text(text) => {
            evaluator.budget.spend_bytes(text.len())?;
            Json::from(text.as_ref())
        }
        Value::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
        Value::List(items) => {
            let items: Result<Vec<Json>, _> = items.iter().map(|item| json(item, evaluator)).collect();
            Json::Array(items?)
        }
        Value::Map(members) => {
            let member = |(key, member): (&std::sync::Arc<str>, &Value)| {
                json(member, evaluator).map(|member| (key.as_ref().to_owned(), member))
            };
            Json::Object(members.iter().map(member).collect::<Result<_, _>>()?)
        }
        Value::Entries(_) | Value::Pairs(_) => {
            let members = evaluator.members(value)?;
            json(&Value::Map(members), evaluator)?
        }
        Value::Instance(instance) => Json::from(instance.print()),
        Value::Bean(_) => return Err(refused(value, "a value")),
    })
}

fn refused(value: &Value, wanted: &str) -> EvaluationError {
    EvaluationError::new(format!("{} cannot be used as {wanted}", value.kind()))
}
