//! Methods of headers and parameters.

use super::{Answer, map};
use crate::expression::evaluate::Evaluator;
use crate::expression::roots::Pairs;
use crate::expression::value::Value;

pub(super) fn call(evaluator: &mut Evaluator<'_>, pairs: &Pairs, name: &str, arguments: &[Value]) -> Answer {
    let values = |evaluator: &mut Evaluator<'_>, name: &Value| {
        let name = evaluator.argument(name)?;
        Ok(match evaluator.values(pairs, &name) {
            Value::List(values) => Some(values),
            _ => None,
        })
    };
    Ok(Some(match (name, arguments) {
        ("getFirst", [name]) => {
            let values = values(evaluator, name)?;
            values.and_then(|values| values.first().cloned()).unwrap_or_default()
        }
        // Of headers `get` is the first value; of parameters, as of any map, the list.
        ("get", [name]) if pairs.are_headers() => {
            let values = values(evaluator, name)?;
            values.and_then(|values| values.first().cloned()).unwrap_or_default()
        }
        ("getAll" | "get", [name]) => {
            let values = values(evaluator, name)?;
            values.map_or(Value::Null, Value::List)
        }
        ("contains" | "containsKey", [Value::Null]) => Value::Boolean(false),
        ("contains" | "containsKey", [name]) => Value::Boolean(values(evaluator, name)?.is_some()),
        ("containsAllKeys", [Value::List(names)]) => {
            let mut all = true;
            for name in names.iter() {
                evaluator.budget.spend(1)?;
                all &= values(evaluator, name)?.is_some();
            }
            Value::Boolean(all)
        }
        ("containsAllKeys", names) => {
            let mut all = true;
            for name in names {
                all &= values(evaluator, name)?.is_some();
            }
            Value::Boolean(all)
        }
        ("names", []) => return map::call(evaluator, &Value::Pairs(pairs.clone()), "keySet", &[]),
        ("toSingleValueMap", []) => {
            let groups = evaluator.grouped(pairs)?.into_iter();
            Value::map(groups.map(|(name, values)| (name, values.into_iter().next().unwrap_or_default())))
        }
        _ => return map::call(evaluator, &Value::Pairs(pairs.clone()), name, arguments),
    }))
}
