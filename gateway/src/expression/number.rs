//! Arithmetic: integers stay integral, a real makes reals, a decimal makes decimals.

use super::error::EvaluationError;
use super::value::Value;
use bigdecimal::{BigDecimal, FromPrimitive, ToPrimitive, Zero};
use definition::expression::ast::Binary;
use std::cmp::Ordering;
use std::str::FromStr;

/// Greatest number of digits of a decimal and greatest distance of its point from them. Without a limit a short text
/// such as `1e999999999` would become gigabytes.
const DECIMAL_MAX_DIGITS: u64 = 1000;
/// Digits that a quotient of decimals keeps.
const QUOTIENT_DIGITS: u64 = 34;

/// Two numbers in their common type.
enum Pair<'a> {
    Integers(i64, i64),
    Reals(f64, f64),
    Decimals(&'a Value, &'a Value),
}

fn pair<'a>(left: &'a Value, right: &'a Value) -> Option<Pair<'a>> {
    match (left, right) {
        (Value::Integer(left), Value::Integer(right)) => Some(Pair::Integers(*left, *right)),
        (Value::Decimal(_), Value::Decimal(_) | Value::Integer(_) | Value::Real(_))
        | (Value::Integer(_) | Value::Real(_), Value::Decimal(_)) => Some(Pair::Decimals(left, right)),
        (left, right) => Some(Pair::Reals(real(left)?, real(right)?)),
    }
}

/// The value as a real number; `None` when it is no number.
pub(super) fn real(value: &Value) -> Option<f64> {
    match value {
        // Beyond 2^53 the nearest real is meant, as everywhere where numbers widen.
        Value::Integer(integer) => Some(*integer as f64),
        Value::Real(real) => Some(*real),
        Value::Decimal(decimal) => decimal.to_f64(),
        _ => None,
    }
}

/// The value as a decimal number; `None` when it is no finite number.
pub(super) fn decimal(value: &Value) -> Option<BigDecimal> {
    match value {
        Value::Integer(integer) => Some(BigDecimal::from(*integer)),
        Value::Real(real) => BigDecimal::from_f64(*real).map(|decimal| decimal.with_prec(17).normalized()),
        Value::Decimal(decimal) => Some(decimal.as_ref().clone()),
        _ => None,
    }
}

/// Reads a decimal number of a reasonable size.
pub(super) fn parse_decimal(text: &str) -> Result<BigDecimal, EvaluationError> {
    let refused = || EvaluationError::new("the text is not a decimal number");
    if text.len() > 1024 {
        return Err(refused());
    }
    bounded(BigDecimal::from_str(text).map_err(|_| refused())?)
}

/// Refuses decimals that further arithmetic would blow up.
pub(super) fn bounded(decimal: BigDecimal) -> Result<BigDecimal, EvaluationError> {
    let (_, scale) = decimal.as_bigint_and_exponent();
    if decimal.digits() > DECIMAL_MAX_DIGITS || scale.unsigned_abs() > DECIMAL_MAX_DIGITS {
        let message = format!("the decimal number has more than {DECIMAL_MAX_DIGITS} digits");
        return Err(EvaluationError::new(message));
    }
    Ok(decimal)
}

/// The order of two numbers; `None` when one is no number.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match pair(left, right)? {
        Pair::Integers(left, right) => Some(left.cmp(&right)),
        // Positive and negative zero are equal; what is no number at all has a place all the same.
        Pair::Reals(left, right) => Some(left.partial_cmp(&right).unwrap_or_else(|| left.total_cmp(&right))),
        Pair::Decimals(left, right) => Some(decimal(left)?.cmp(&decimal(right)?)),
    }
}

/// `left operator right` for the arithmetic operators; `None` when an operand is no number.
pub(super) fn compute(
    operator: Binary,
    left: &Value,
    right: &Value,
) -> Option<Result<Value, EvaluationError>> {
    Some(match pair(left, right)? {
        Pair::Integers(left, right) => integers(operator, left, right),
        Pair::Reals(left, right) => Ok(Value::Real(reals(operator, left, right))),
        Pair::Decimals(left, right) => decimals(operator, &decimal(left)?, &decimal(right)?),
    })
}

fn integers(operator: Binary, left: i64, right: i64) -> Result<Value, EvaluationError> {
    let divides = matches!(operator, Binary::Divide | Binary::Remainder);
    if divides && right == 0 {
        return Err(EvaluationError::new("division by zero"));
    }
    let result = match operator {
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide => left.checked_div(right),
        Binary::Remainder => left.checked_rem(right),
        // A negative exponent makes a fraction, which integers cannot hold.
        _ => match u32::try_from(right) {
            Ok(exponent) => left.checked_pow(exponent),
            Err(_) => return Ok(Value::Integer((left as f64).powf(right as f64) as i64)),
        },
    };
    result.map(Value::Integer).ok_or_else(|| EvaluationError::new("the result does not fit into 64 bits"))
}

fn reals(operator: Binary, left: f64, right: f64) -> f64 {
    match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => left / right,
        Binary::Remainder => left % right,
        _ => left.powf(right),
    }
}

/// Arithmetic of decimals, with results of a bounded size.
pub(super) fn decimals(
    operator: Binary,
    left: &BigDecimal,
    right: &BigDecimal,
) -> Result<Value, EvaluationError> {
    let divides = matches!(operator, Binary::Divide | Binary::Remainder);
    if divides && right.is_zero() {
        return Err(EvaluationError::new("division by zero"));
    }
    let result = match operator {
        Binary::Add => left + right,
        Binary::Subtract => left - right,
        Binary::Multiply => left * right,
        Binary::Divide => {
            let quotient = left / right;
            if quotient.digits() > QUOTIENT_DIGITS { quotient.with_prec(QUOTIENT_DIGITS) } else { quotient }
                .normalized()
        }
        Binary::Remainder => left % right,
        _ => return decimal_power(left, right),
    };
    Ok(Value::Decimal(Box::new(bounded(result)?)))
}

fn decimal_power(base: &BigDecimal, exponent: &BigDecimal) -> Result<Value, EvaluationError> {
    let refused = || EvaluationError::new("the exponent of a decimal is a small whole number from 0");
    let exponent = exponent.to_u64().filter(|_| exponent.is_integer()).ok_or_else(refused)?;
    let size = base.digits().max(base.as_bigint_and_exponent().1.unsigned_abs()).max(1);
    if exponent.saturating_mul(size) > DECIMAL_MAX_DIGITS {
        return Err(refused());
    }
    let power = (0..exponent).fold(BigDecimal::from(1), |power, _| power * base);
    Ok(Value::Decimal(Box::new(bounded(power)?)))
}

/// `-value`; `None` when it is no number.
pub(super) fn negate(value: &Value) -> Option<Result<Value, EvaluationError>> {
    match value {
        Value::Integer(integer) => Some(
            integer
                .checked_neg()
                .map(Value::Integer)
                .ok_or_else(|| EvaluationError::new("the result does not fit into 64 bits")),
        ),
        Value::Real(real) => Some(Ok(Value::Real(-real))),
        Value::Decimal(decimal) => Some(Ok(Value::Decimal(Box::new(-decimal.as_ref())))),
        _ => None,
    }
}

/// A real number as Java prints it: always with a fraction, with an exponent when it is very large or very small.
pub(super) fn print_real(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let fraction = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{fraction}E{exponent}")
}
