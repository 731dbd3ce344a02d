//! `T(java.lang.Math)`

use crate::expression::compare;
use crate::expression::error::EvaluationError;
use crate::expression::method::Answer;
use crate::expression::number;
use crate::expression::value::Value;
use std::cmp::Ordering;

pub(super) fn call(name: &str, arguments: &[Value]) -> Answer {
    match (name, arguments) {
        ("random", []) => Ok(Some(Value::Real(rand::random()))),
        ("getPI", []) => Ok(Some(Value::Real(std::f64::consts::PI))),
        ("getE", []) => Ok(Some(Value::Real(std::f64::consts::E))),
        ("abs", [value]) => match value.single() {
            Value::Real(value) => Ok(Some(Value::Real(value.abs()))),
            value if compare::order(value, &Value::Integer(0))? == Ordering::Less => {
                number::negate(value).transpose()
            }
            value => Ok(Some(value.clone())),
        },
        ("min" | "max", [left, right]) => {
            let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
            let (left, right) = (left.single(), right.single());
            real(left)?;
            real(right)?;
            // The result has the wider of both types.
            let widened = |value: &Value, other: &Value| match (value, other) {
                (Value::Integer(value), Value::Real(_)) => Value::Real(*value as f64),
                _ => value.clone(),
            };
            let chosen = compare::order(left, right)? == wanted;
            Ok(Some(if chosen { widened(left, right) } else { widened(right, left) }))
        }
        ("round", [value]) => Ok(Some(match value.single() {
            Value::Integer(value) => Value::Integer(*value),
            // Java rounds halves up, also below zero.
            value => Value::Integer((real(value)? + 0.5).floor() as i64),
        })),
        ("pow", [base, exponent]) => Ok(Some(Value::Real(real(base)?.powf(real(exponent)?)))),
        ("hypot", [left, right]) => Ok(Some(Value::Real(real(left)?.hypot(real(right)?)))),
        ("atan2", [left, right]) => Ok(Some(Value::Real(real(left)?.atan2(real(right)?)))),
        ("floorMod", [Value::Integer(left), Value::Integer(right)]) => {
            let rest = left.checked_rem(*right).ok_or_else(|| EvaluationError::new("division by zero"))?;
            // The result has the sign of the divisor.
            Ok(Some(Value::Integer(if rest != 0 && (rest < 0) != (*right < 0) {
                rest + right
            } else {
                rest
            })))
        }
        (name, [value]) => {
            let function: fn(f64) -> f64 = match name {
                "floor" => f64::floor,
                "ceil" => f64::ceil,
                "rint" => f64::round_ties_even,
                "sqrt" => f64::sqrt,
                "cbrt" => f64::cbrt,
                "exp" => f64::exp,
                "log" => f64::ln,
                "log10" => f64::log10,
                "signum" => f64::signum,
                "sin" => f64::sin,
                "cos" => f64::cos,
                "tan" => f64::tan,
                "toRadians" => f64::to_radians,
                "toDegrees" => f64::to_degrees,
                _ => return Ok(None),
            };
            Ok(Some(Value::Real(function(real(value)?))))
        }
        _ => Ok(None),
    }
}

fn real(value: &Value) -> Result<f64, EvaluationError> {
    let value = value.single();
    number::real(value).ok_or_else(|| EvaluationError::new(format!("{} is no number", value.kind())))
}
