//! Methods of numbers.

use super::{Answer, whole};
use crate::expression::compare;
use crate::expression::convert;
use crate::expression::error::EvaluationError;
use crate::expression::number;
use crate::expression::value::Value;
use bigdecimal::RoundingMode;
use definition::expression::ast::Binary;

pub(super) fn call(target: &Value, name: &str, arguments: &[Value]) -> Answer {
    let operator = match name {
        "add" => Some(Binary::Add),
        "subtract" => Some(Binary::Subtract),
        "multiply" => Some(Binary::Multiply),
        "divide" => Some(Binary::Divide),
        "remainder" | "mod" => Some(Binary::Remainder),
        "pow" => Some(Binary::Power),
        _ => None,
    };
    if let (Some(operator), Value::Decimal(_), [other]) = (operator, target, arguments) {
        return number::compute(operator, target, other.single()).transpose();
    }
    Ok(Some(match (name, arguments) {
        ("intValue" | "longValue" | "shortValue" | "longValueExact" | "intValueExact", []) => {
            convert::integer(target)?.into()
        }
        ("doubleValue" | "floatValue", []) => number::real(target).map_or(Value::Null, Value::Real),
        ("compareTo", [other]) => Value::Integer(compare::order(target, other)? as i64),
        ("setScale", [scale]) => return rounded(target, whole(scale)?, RoundingMode::HalfUp).map(Some),
        ("negate", []) => return number::negate(target).transpose(),
        ("abs", []) if number::real(target).is_some_and(|value| value < 0.0) => {
            return number::negate(target).transpose();
        }
        ("abs", []) => target.clone(),
        ("signum", []) => {
            Value::Integer(number::compare(target, &Value::Integer(0)).map_or(0, |order| order as i64))
        }
        ("isNaN", []) => Value::Boolean(matches!(target, Value::Real(value) if value.is_nan())),
        _ => return Ok(None),
    }))
}

/// With this many digits behind the point.
fn rounded(target: &Value, scale: i64, mode: RoundingMode) -> Result<Value, EvaluationError> {
    let refused = || EvaluationError::new("a scale is a number from 0 to 100 of a decimal number");
    if !(0..=100).contains(&scale) {
        return Err(refused());
    }
    let decimal = number::decimal(target).ok_or_else(refused)?;
    Ok(Value::Decimal(Box::new(number::bounded(decimal.with_scale_round(scale, mode))?)))
}
