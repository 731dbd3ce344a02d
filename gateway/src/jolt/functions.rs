//! Functions of the modify operations. A function that cannot do anything with its arguments has no value, so that
//! what is there stays.

use super::{Budget, TooMuch, weight};
use definition::jolt::Function;
use serde_json::{Number, Value};
use std::cmp::Ordering;

/// Greatest text that a function makes, characters.
const TEXT_MAX_CHARS: usize = 1024 * 1024;

/// Calls a function; missing arguments are null.
pub(super) fn call(
    function: Function,
    mut arguments: Vec<Value>,
    budget: &mut Budget,
) -> Result<Option<Value>, TooMuch> {
    budget.spend(arguments.iter().map(weight).sum())?;
    use Function as F;
    Ok(match function {
        F::ToLower
        | F::ToUpper
        | F::Trim
        | F::Abs
        | F::ToInteger
        | F::ToLong
        | F::ToDouble
        | F::ToBoolean => each(arguments, |value| single(function, value)),
        F::ToText => one(arguments).map(|value| Value::from(text(&value))),
        F::Size => one(arguments).and_then(|value| match &value {
            Value::String(text) => Some(text.chars().count().into()),
            Value::Array(items) => Some(items.len().into()),
            Value::Object(members) => Some(members.len().into()),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }),
        F::Concat => Some(flat(arguments).iter().map(text).collect::<String>().into()),
        F::Join => join(arguments),
        F::Split => split(&arguments, budget)?,
        F::Substring => substring(&arguments),
        F::LeftPad | F::RightPad => padded(&arguments, function == F::LeftPad, budget)?,
        F::Min | F::Max => {
            let items = flat(arguments).into_iter().filter(Value::is_number);
            let order = |a: &Value, b: &Value| real(a).partial_cmp(&real(b)).unwrap_or(Ordering::Equal);
            if function == F::Min { items.min_by(order) } else { items.max_by(order) }
        }
        F::Avg | F::DoubleSum | F::IntSum | F::LongSum => sum(function, arguments),
        F::IntSubtract | F::LongSubtract | F::DoubleSubtract | F::Divide | F::DivideAndRound => {
            calculated(function, &flat(arguments))
        }
        F::ToList => match arguments.len() {
            1 => Some(match arguments.swap_remove(0) {
                Value::Array(items) => Value::Array(items),
                other => Value::Array(vec![other]),
            }),
            _ => Some(Value::Array(arguments)),
        },
        F::FirstElement => flat(arguments).into_iter().next(),
        F::LastElement => flat(arguments).pop(),
        F::ElementAt => element_at(arguments),
        F::Sort => {
            let mut items = flat(arguments);
            items.sort_by(order);
            Some(Value::Array(items))
        }
        F::SquashNulls => one(arguments).map(|value| squashed(value, false)),
        F::RecursivelySquashNulls => one(arguments).map(|value| squashed(value, true)),
        F::SquashDuplicates => one(arguments).map(|value| distinct(value, budget)).transpose()?,
        F::IsPresent | F::NotNull => one(arguments),
        F::IsNull => arguments.into_iter().next().filter(Value::is_null),
        F::Noop => None,
    })
}

/// The only argument, when it is not null.
fn one(arguments: Vec<Value>) -> Option<Value> {
    arguments.into_iter().next().filter(|value| !value.is_null())
}

/// All arguments, or the elements of the only one when that is a list.
fn flat(mut arguments: Vec<Value>) -> Vec<Value> {
    match arguments.as_mut_slice() {
        [Value::Array(items)] => std::mem::take(items),
        _ => arguments,
    }
}

/// Of one value, or of each in a list; elements that have none stay.
fn each(arguments: Vec<Value>, function: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    let list = arguments.len() > 1 || arguments.first().is_some_and(Value::is_array);
    let mut items = flat(arguments).into_iter();
    if !list {
        return function(&items.next()?);
    }
    Some(Value::Array(items.map(|item| function(&item).unwrap_or(item)).collect()))
}

fn single(function: Function, value: &Value) -> Option<Value> {
    use Function as F;
    match (function, value) {
        (F::ToLower, Value::String(text)) => Some(text.to_lowercase().into()),
        (F::ToUpper, Value::String(text)) => Some(text.to_uppercase().into()),
        (F::Trim, Value::String(text)) => Some(text.trim().into()),
        (F::Abs, Value::Number(number)) => match number.as_i64() {
            Some(integer) => integer.checked_abs().map(Value::from),
            None => float(number.as_f64()?.abs()),
        },
        (F::ToInteger, _) => whole(value).and_then(|number| i32::try_from(number).ok()).map(Value::from),
        (F::ToLong, _) => whole(value).map(Value::from),
        (F::ToDouble, _) => float(real(value)?),
        (F::ToBoolean, Value::Bool(truth)) => Some((*truth).into()),
        (F::ToBoolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => None,
        },
        _ => None,
    }
}

/// A number, or a text that is one.
fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn whole(value: &Value) -> Option<i64> {
    let exact = match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    exact.or_else(|| real(value).map(|number| number as i64))
}

fn float(number: f64) -> Option<Value> {
    Number::from_f64(number).map(Value::Number)
}

/// As it stands in texts.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn join(mut arguments: Vec<Value>) -> Option<Value> {
    if arguments.len() < 2 {
        return None;
    }
    let separator = text(&arguments.remove(0));
    let parts = flat(arguments).into_iter().filter(|part| !part.is_null());
    Some(parts.map(|part| text(&part)).collect::<Vec<_>>().join(&separator).into())
}

/// `split(pattern, text)`
fn split(arguments: &[Value], budget: &mut Budget) -> Result<Option<Value>, TooMuch> {
    /// Greatest compiled pattern, bytes.
    const PATTERN_MAX_BYTES: usize = 64 * 1024;
    let [Value::String(pattern), Value::String(text)] = arguments else { return Ok(None) };
    let pattern = regex::RegexBuilder::new(pattern).size_limit(PATTERN_MAX_BYTES).build();
    let Ok(pattern) = pattern else { return Ok(None) };
    budget.spend(text.len())?;
    let mut parts: Vec<Value> = pattern.split(text).map(Value::from).collect();
    // Empty parts at the end are none.
    while parts.len() > 1 && parts.last().is_some_and(|part| part == "") {
        parts.pop();
    }
    Ok(Some(Value::Array(parts)))
}

fn place(value: Option<&Value>) -> Option<usize> {
    value.and_then(whole).and_then(|number| usize::try_from(number).ok())
}

/// `substring(text, start, end)`
fn substring(arguments: &[Value]) -> Option<Value> {
    let letters: Vec<char> = arguments.first()?.as_str()?.chars().collect();
    let (start, end) = (place(arguments.get(1))?, place(arguments.get(2))?);
    letters.get(start..end.min(letters.len())).map(|part| part.iter().collect::<String>().into())
}

/// `leftPad(text, width, filler)`
fn padded(arguments: &[Value], left: bool, budget: &mut Budget) -> Result<Option<Value>, TooMuch> {
    let (Some(source), Some(width)) = (arguments.first().map(text), place(arguments.get(1))) else {
        return Ok(None);
    };
    let Some(filler) = arguments.get(2).map(text).and_then(|filler| filler.chars().next()) else {
        return Ok(None);
    };
    if width > TEXT_MAX_CHARS {
        return Err(TooMuch);
    }
    budget.spend(width / 16)?;
    let padding = filler.to_string().repeat(width.saturating_sub(source.chars().count()));
    Ok(Some(if left { padding + &source } else { source + &padding }.into()))
}

fn sum(function: Function, arguments: Vec<Value>) -> Option<Value> {
    use Function as F;
    let items = flat(arguments);
    let numbers: Vec<f64> = items.iter().filter_map(real).collect();
    match function {
        F::Avg if numbers.is_empty() => None,
        F::Avg => float(numbers.iter().sum::<f64>() / numbers.len() as f64),
        F::DoubleSum => float(numbers.iter().sum()),
        _ => {
            let numbers = items.iter().filter_map(whole);
            let mut numbers = numbers;
            numbers.try_fold(0_i64, i64::checked_add).map(Value::from)
        }
    }
}

fn calculated(function: Function, arguments: &[Value]) -> Option<Value> {
    use Function as F;
    let (digits, operands) = match (function, arguments) {
        (F::DivideAndRound, [digits, operands @ ..]) => (whole(digits), operands),
        _ => (None, arguments),
    };
    let [a, b] = operands else { return None };
    match function {
        F::IntSubtract | F::LongSubtract => whole(a)?.checked_sub(whole(b)?).map(Value::from),
        F::DoubleSubtract => float(real(a)? - real(b)?),
        _ => {
            let quotient = Some(real(a)? / real(b)?).filter(|quotient| quotient.is_finite())?;
            match (function, digits) {
                (F::Divide, _) => float(quotient),
                (_, Some(digits)) => {
                    let scale = 10_f64.powi(i32::try_from(digits.clamp(0, 15)).ok()?);
                    float((quotient * scale).round() / scale)
                }
                (_, None) => None,
            }
        }
    }
}

/// The index stands first or last.
fn element_at(mut arguments: Vec<Value>) -> Option<Value> {
    let index = arguments.iter().position(Value::is_number)?;
    let at = place(Some(&arguments.remove(index)))?;
    flat(arguments).into_iter().nth(at)
}

fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => real(a).partial_cmp(&real(b)).unwrap_or(Ordering::Equal),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => a.is_string().cmp(&b.is_string()),
    }
}

fn squashed(value: Value, deep: bool) -> Value {
    let within = |value: Value| if deep { squashed(value, true) } else { value };
    match value {
        Value::Array(items) => {
            Value::Array(items.into_iter().filter(|item| !item.is_null()).map(within).collect())
        }
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.map(|(name, value)| (name, within(value))).collect())
        }
        other => other,
    }
}

fn distinct(value: Value, budget: &mut Budget) -> Result<Value, TooMuch> {
    let Value::Array(items) = value else { return Ok(value) };
    let mut kept: Vec<Value> = Vec::new();
    for item in items {
        budget.spend(kept.len())?;
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    Ok(Value::Array(kept))
}
