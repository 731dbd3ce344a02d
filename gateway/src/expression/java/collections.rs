//! `T(java.util.Collections)`, `T(java.util.List)`, `T(java.util.Map)`

use super::Type;
use crate::expression::compare;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::method::Answer;
use crate::expression::value::Value;
use std::cmp::Ordering;

pub(super) fn call(evaluator: &mut Evaluator<'_>, of: Type, name: &str, arguments: &[Value]) -> Answer {
    Ok(match (of, name, arguments) {
        (Type::List, "of", items) => Some(Value::list(items.to_vec())),
        (Type::Map, "of", []) | (Type::Collections, "emptyMap", []) => Some(Value::map::<&str>([])),
        (Type::Collections, "emptyList" | "emptySet", []) => Some(Value::list(Vec::new())),
        (Type::Collections, "singletonList" | "singleton", [item]) => Some(Value::list(vec![item.clone()])),
        (Type::Collections, "max" | "min", [Value::List(items)]) => {
            evaluator.budget.spend(items.len())?;
            let wanted = if name == "max" { Ordering::Greater } else { Ordering::Less };
            let (first, rest) =
                items.split_first().ok_or_else(|| EvaluationError::new("the list has no elements"))?;
            let mut best = first;
            for item in rest {
                if compare::order(item, best)? == wanted {
                    best = item;
                }
            }
            Some(best.clone())
        }
        (Type::Collections, "frequency", [Value::List(items), wanted]) => {
            evaluator.budget.spend(items.len())?;
            Some(Value::from(items.iter().filter(|item| compare::equal(item, wanted)).count()))
        }
        (Type::Collections, "disjoint", [Value::List(left), Value::List(right)]) => {
            evaluator.budget.spend(left.len().saturating_mul(right.len()))?;
            let common = left.iter().any(|item| right.iter().any(|other| compare::equal(item, other)));
            Some(Value::Boolean(!common))
        }
        _ => None,
    })
}
