//! Conditions of filters: `[?(@.price < 10 && @.tags contains 'a')]`.

use super::walk;
use super::{Function, Path, function};
use crate::expression::compare;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::number;
use crate::expression::pattern::Pattern;
use crate::expression::value::Value;
use definition::json_path::{self, Relation};
use std::cmp::Ordering;

pub(super) type Operand = json_path::Operand<Value>;
pub(super) type Condition = json_path::Condition<Value>;

/// Whether a condition holds for an element.
pub(super) fn holds(
    evaluator: &mut Evaluator<'_>,
    condition: &Condition,
    element: &Value,
    root: &Value,
) -> Result<bool, EvaluationError> {
    evaluator.budget.spend(1)?;
    match condition {
        Condition::Any(any) => {
            for condition in any {
                if holds(evaluator, condition, element, root)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Condition::All(all) => {
            for condition in all {
                if !holds(evaluator, condition, element, root)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Condition::Not(inner) => Ok(!holds(evaluator, inner, element, root)?),
        Condition::Exists(operand) => Ok(value(evaluator, operand, element, root)?.is_some()),
        Condition::Compare(left, Relation::Matches, right) => {
            let left = value(evaluator, left, element, root)?;
            matches(evaluator, left.as_ref(), right)
        }
        Condition::Compare(left, relation, right) => {
            let left = value(evaluator, left, element, root)?;
            let right = value(evaluator, right, element, root)?;
            compared(evaluator, *relation, left.as_ref(), right.as_ref())
        }
    }
}

/// What an operand is; `None` when its path leads to nothing.
pub(super) fn value(
    evaluator: &mut Evaluator<'_>,
    operand: &Operand,
    element: &Value,
    root: &Value,
) -> Result<Option<Value>, EvaluationError> {
    let (from_root, path) = match operand {
        Operand::Value(value) => return Ok(Some(value.clone())),
        Operand::Pattern(pattern) => return Ok(Some(Value::text(pattern.as_str()))),
        Operand::Path { from_root, path } => (*from_root, path),
    };
    let from = if from_root { root } else { element };
    let Some(found) = existing(evaluator, path, from, root)? else { return Ok(None) };
    let apply = |found, step: &Function| function::apply(evaluator, step, &found, root);
    path.functions.iter().try_fold(found, apply).map(Some)
}

/// In filters a missing member is told apart from one that is null.
fn existing(
    evaluator: &mut Evaluator<'_>,
    path: &Path,
    from: &Value,
    root: &Value,
) -> Result<Option<Value>, EvaluationError> {
    if !path.is_definite() {
        return walk::result(evaluator, path, from, root);
    }
    let mut at = from;
    for step in &path.steps {
        evaluator.budget.spend(1)?;
        let next = match (step, at) {
            (super::Step::Names(names), Value::Map(members)) => match names.as_slice() {
                [name] => members.get(name),
                // Several names are picked by the general way, which always has a result.
                _ => return walk::result(evaluator, path, from, root),
            },
            (super::Step::Places(places), Value::List(items)) => {
                places.first().and_then(|place| walk::at(items, *place))
            }
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at.clone()))
}

fn matches(
    evaluator: &mut Evaluator<'_>,
    left: Option<&Value>,
    right: &Operand,
) -> Result<bool, EvaluationError> {
    let (Some(Value::Text(text)), Operand::Pattern(pattern)) = (left, right) else { return Ok(false) };
    evaluator.budget.in_time()?;
    evaluator.budget.spend_bytes(text.len())?;
    // A match of the whole text, with the flags of the pattern in front of it.
    let (flags, source) = match pattern.strip_prefix("(?").and_then(|flagged| flagged.split_once(')')) {
        Some((flags, source)) if flags.chars().all(|flag| "imsx".contains(flag)) => (flags, source),
        _ => ("", pattern.as_str()),
    };
    let flags = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
    Ok(Pattern::compile(&format!("{flags}\\A(?:{source})\\z"))?.find(text, 0)?.is_some())
}

fn compared(
    evaluator: &mut Evaluator<'_>,
    relation: Relation,
    left: Option<&Value>,
    right: Option<&Value>,
) -> Result<bool, EvaluationError> {
    let (Some(left), Some(right)) = (left, right) else {
        // What is missing equals nothing.
        return Ok(matches!(relation, Relation::NotEqual | Relation::NotIn | Relation::NoneOf));
    };
    Ok(match relation {
        Relation::Equal => equal(left, right),
        Relation::NotEqual => !equal(left, right),
        Relation::Less => order(left, right) == Some(Ordering::Less),
        Relation::LessOrEqual => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
        Relation::Greater => order(left, right) == Some(Ordering::Greater),
        Relation::GreaterOrEqual => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
        Relation::Matches => false,
        Relation::In => contains(evaluator, right, left)?,
        Relation::NotIn => !contains(evaluator, right, left)?,
        Relation::Contains => contains(evaluator, left, right)?,
        Relation::SubsetOf => {
            let mut all = true;
            for item in items(left) {
                all &= contains(evaluator, right, item)?;
            }
            all
        }
        Relation::AnyOf => any_of(evaluator, left, right)?,
        Relation::NoneOf => !any_of(evaluator, left, right)?,
        Relation::Size => length(left).is_some_and(|length| equal(&Value::from(length), right)),
        Relation::Empty => length(left).is_some_and(|length| equal(&Value::Boolean(length == 0), right)),
    })
}

fn items(value: &Value) -> &[Value] {
    if let Value::List(items) = value { items } else { &[] }
}

fn any_of(evaluator: &mut Evaluator<'_>, left: &Value, right: &Value) -> Result<bool, EvaluationError> {
    for item in items(left) {
        if contains(evaluator, right, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn contains(evaluator: &mut Evaluator<'_>, whole: &Value, part: &Value) -> Result<bool, EvaluationError> {
    if let (Value::Text(whole), Value::Text(part)) = (whole, part) {
        evaluator.budget.spend_bytes(whole.len())?;
        return Ok(whole.contains(part.as_ref()));
    }
    evaluator.budget.spend(items(whole).len())?;
    Ok(items(whole).iter().any(|item| equal(item, part)))
}

pub(super) fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) => Some(text.chars().count()),
        Value::List(items) => Some(items.len()),
        Value::Map(members) => Some(members.len()),
        _ => None,
    }
}

/// A number and a text are compared as numbers when the text is one.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Text(text), other) | (other, Value::Text(text)) if number::real(other).is_some() => {
            text.trim().parse().ok() == number::real(other)
        }
        // Lists are compared as they are: the leniency of the expression language is not part of JSON paths.
        (Value::List(_), other) | (other, Value::List(_)) if !matches!(other, Value::List(_)) => false,
        (left, right) => compare::equal(left, right),
    }
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Text(text), other) => {
            text.trim().parse().ok().and_then(|left| number::compare(&Value::Real(left), other))
        }
        (other, Value::Text(text)) => {
            text.trim().parse().ok().and_then(|right| number::compare(other, &Value::Real(right)))
        }
        (left, right) => number::compare(left, right),
    }
}
