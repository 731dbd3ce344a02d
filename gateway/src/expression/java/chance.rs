//! Random numbers, UUIDs and the clock.

use super::Type;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::instance::Instance;
use crate::expression::method::{Answer, whole};
use crate::expression::value::Value;
use rand::RngExt as _;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub(super) fn call(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let number = |value: u128| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    Ok(match (of, name, arguments) {
        (Type::Uuid, "randomUUID", []) => Some(Value::instance(Instance::Uuid(Uuid::new_v4()))),
        (Type::Uuid, "fromString", [text]) => {
            let text = evaluator.argument(text)?;
            let id = Uuid::parse_str(&text).map_err(|_| EvaluationError::new("the text is not a UUID"))?;
            Some(Value::instance(Instance::Uuid(id)))
        }
        (Type::System, "currentTimeMillis", []) => Some(number(now().as_millis())),
        (Type::System, "nanoTime", []) => Some(number(now().as_nanos())),
        _ => None,
    })
}

/// Methods of a random generator. A seed is accepted and means nothing: nobody should rely on its numbers.
pub(in crate::expression) fn generator(name: &str, arguments: &[Value]) -> Answer {
    let mut random = rand::rng();
    Ok(match (name, arguments) {
        ("nextInt", []) => Some(Value::Integer(i64::from(random.random::<i32>()))),
        ("nextLong", []) => Some(Value::Integer(random.random())),
        ("nextInt" | "nextLong", [end]) => {
            Some(Value::Integer(random.random_range(0..above(0, whole(end)?)?)))
        }
        ("nextInt" | "nextLong", [start, end]) => {
            let start = whole(start)?;
            Some(Value::Integer(random.random_range(start..above(start, whole(end)?)?)))
        }
        ("nextDouble" | "nextFloat", []) => Some(Value::Real(random.random())),
        ("nextBoolean", []) => Some(Value::Boolean(random.random())),
        _ => None,
    })
}

fn above(start: i64, end: i64) -> Result<i64, EvaluationError> {
    if end > start {
        Ok(end)
    } else {
        Err(EvaluationError::new("the bound has to be greater than the start"))
    }
}
