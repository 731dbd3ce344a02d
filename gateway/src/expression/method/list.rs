//! Methods of lists.

use super::{Answer, count, text};
use crate::expression::access;
use crate::expression::compare;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::value::Value;

pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    items: &[Value],
    name: &str,
    arguments: &[Value],
) -> Answer {
    evaluator.budget.spend(items.len())?;
    let end =
        |item: Option<&Value>| item.cloned().ok_or_else(|| EvaluationError::new("the list has no elements"));
    Ok(Some(match (name, arguments) {
        ("size", []) => Value::from(items.len()),
        ("isEmpty", []) => Value::Boolean(items.is_empty()),
        ("get" | "elementAt", [at]) => {
            access::index(evaluator, &Value::list(items.to_vec()), &Value::from(count(at)?))?
        }
        ("contains", [item]) => Value::Boolean(items.iter().any(|other| compare::equal(other, item))),
        ("containsAll", [Value::List(wanted)]) => {
            evaluator.budget.spend(items.len().saturating_mul(wanted.len()))?;
            Value::Boolean(wanted.iter().all(|item| items.iter().any(|other| compare::equal(other, item))))
        }
        ("indexOf", [item]) => place(items.iter().position(|other| compare::equal(other, item))),
        ("lastIndexOf", [item]) => place(items.iter().rposition(|other| compare::equal(other, item))),
        ("getFirst" | "element" | "firstElement", []) => end(items.first())?,
        ("getLast" | "lastElement", []) => end(items.last())?,
        ("peek" | "peekFirst", []) => items.first().cloned().unwrap_or_default(),
        ("peekLast", []) => items.last().cloned().unwrap_or_default(),
        ("subList", [from, to]) => {
            let part = items.get(count(from)?..count(to)?);
            let part = part.ok_or_else(|| EvaluationError::new("the list has no such part"))?;
            Value::list(part.to_vec())
        }
        ("toString", []) => {
            let Value::Text(inner) = text::join(evaluator, ", ", &[Value::list(items.to_vec())])? else {
                return Ok(None);
            };
            Value::text(format!("[{inner}]"))
        }
        _ => return Ok(None),
    }))
}

fn place(found: Option<usize>) -> Value {
    found.map_or(Value::Integer(-1), Value::from)
}
