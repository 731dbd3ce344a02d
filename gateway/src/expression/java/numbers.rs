//! `T(Integer)`, `T(Double)`, `T(java.math.BigDecimal)` and their relatives.

use super::Type;
use crate::expression::convert;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::method::Answer;
use crate::expression::number;
use crate::expression::value::Value;

pub(super) fn call(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    Ok(match (of, name, arguments) {
        (_, "toString", [value]) => Some(Value::text(convert::text(value, evaluator)?)),
        (Type::Boolean, "parseBoolean" | "valueOf", [value]) => {
            let text = convert::text(value, evaluator)?;
            Some(Value::Boolean(text.eq_ignore_ascii_case("true")))
        }
        (Type::BigDecimal | Type::BigInteger, "valueOf", [value]) => Some(decimal(evaluator, value)?),
        (Type::BigDecimal | Type::BigInteger, "getONE", []) => Some(decimal(evaluator, &Value::Integer(1))?),
        (Type::BigDecimal | Type::BigInteger, "getZERO", []) => Some(decimal(evaluator, &Value::Integer(0))?),
        (Type::Double, "parseDouble" | "valueOf", [value])
        | (Type::Float, "parseFloat" | "valueOf", [value]) => {
            let text = convert::text(value, evaluator)?;
            let value = text.trim().parse().map_err(|_| EvaluationError::new("the text is not a number"))?;
            Some(Value::Real(value))
        }
        (Type::Integer | Type::Long | Type::Short | Type::Byte, name, arguments) => {
            integer(evaluator, of, name, arguments)?
        }
        _ => None,
    })
}

fn integer(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    let (least, greatest) = match of {
        Type::Byte => (i64::from(i8::MIN), i64::from(i8::MAX)),
        Type::Short => (i64::from(i16::MIN), i64::from(i16::MAX)),
        Type::Integer => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let parsed = |text: &str, radix: u32| {
        let value = i64::from_str_radix(text, radix).ok().filter(|value| (least..=greatest).contains(value));
        value.map(Value::Integer).ok_or_else(|| EvaluationError::new("the text is not such a whole number"))
    };
    Ok(match (name, arguments) {
        ("parseInt" | "parseLong" | "parseShort" | "parseByte" | "valueOf", [value]) => {
            Some(parsed(&convert::text(value, evaluator)?, 10)?)
        }
        (
            "parseInt" | "parseLong" | "parseShort" | "parseByte" | "valueOf",
            [value, Value::Integer(radix)],
        ) => {
            let radix = u32::try_from(*radix).ok().filter(|radix| (2..=36).contains(radix));
            let radix = radix.ok_or_else(|| EvaluationError::new("a radix is a number from 2 to 36"))?;
            Some(parsed(&convert::text(value, evaluator)?, radix)?)
        }
        ("toHexString", [Value::Integer(value)]) => Some(Value::text(match of {
            // The narrow type shows its 32 bits of a negative number.
            Type::Long => format!("{value:x}"),
            _ => format!("{:x}", *value as i32),
        })),
        ("max", [Value::Integer(left), Value::Integer(right)]) => Some(Value::Integer(*left.max(right))),
        ("min", [Value::Integer(left), Value::Integer(right)]) => Some(Value::Integer(*left.min(right))),
        ("sum", [Value::Integer(left), Value::Integer(right)]) => {
            let sum = left.checked_add(*right);
            Some(sum.map(Value::Integer).ok_or_else(|| EvaluationError::new("the sum does not fit"))?)
        }
        ("compare", [Value::Integer(left), Value::Integer(right)]) => {
            Some(Value::Integer(left.cmp(right) as i64))
        }
        ("getMAX_VALUE", []) => Some(Value::Integer(greatest)),
        ("getMIN_VALUE", []) => Some(Value::Integer(least)),
        _ => None,
    })
}

/// A decimal number from a number or a text.
pub(super) fn decimal(evaluator: &mut Evaluator<'_>, value: &Value) -> Result<Value, EvaluationError> {
    let decimal = match value.single() {
        Value::Text(text) => number::parse_decimal(text)?,
        other => match number::decimal(other) {
            Some(decimal) => number::bounded(decimal)?,
            None => number::parse_decimal(&convert::text(other, evaluator)?)?,
        },
    };
    Ok(Value::Decimal(Box::new(decimal)))
}
