//! Functions at the end of a path: `$.prices.max()`.

use super::filter::{self, Operand};
use super::{Function, walk};
use crate::expression::convert;
use crate::expression::error::EvaluationError;
use crate::expression::evaluate::Evaluator;
use crate::expression::number;
use crate::expression::value::Value;
use definition::json_path::FunctionName as Name;
use std::sync::Arc;

/// The function's value for what the path led to.
pub(super) fn apply(
    evaluator: &mut Evaluator<'_>,
    function: &Function,
    value: &Value,
    root: &Value,
) -> Result<Value, EvaluationError> {
    let arguments = arguments(evaluator, &function.arguments, root)?;
    let items = match value {
        Value::List(items) => items.as_slice(),
        _ => &[],
    };
    evaluator.budget.spend(items.len())?;
    match function.name {
        Name::Length => Ok(match arguments.first() {
            Some(argument) => filter::length(argument).into(),
            None => filter::length(value).into(),
        }),
        Name::Keys => Ok(match value {
            Value::Map(members) => {
                Value::list(members.keys().map(|key| Value::Text(Arc::clone(key))).collect())
            }
            _ => Value::Null,
        }),
        Name::Concat => {
            let mut text = String::new();
            let own = items.iter().filter(|item| matches!(item, Value::Text(_)));
            for part in own.chain(arguments.iter()) {
                convert::append(&mut text, part, evaluator)?;
            }
            Ok(Value::text(text))
        }
        Name::Append => {
            evaluator.budget.spend_list(items.len() + arguments.len())?;
            Ok(Value::list(items.iter().chain(arguments.iter()).cloned().collect()))
        }
        Name::First => element(items, 0),
        Name::Last => element(items, -1),
        Name::Index => {
            let place = arguments.first().map(convert::integer).transpose()?.flatten();
            let place = place.ok_or_else(|| EvaluationError::new("`index` of a JSON path needs a number"))?;
            element(items, place)
        }
        name @ (Name::Min | Name::Max | Name::Average | Name::Deviation | Name::Sum) => {
            let given = arguments.iter().flat_map(|argument| match argument {
                Value::List(items) => items.as_slice(),
                single => std::slice::from_ref(single),
            });
            let numbers: Vec<f64> = items.iter().chain(given).filter_map(number::real).collect();
            statistic(name, &numbers).map(Value::Real)
        }
    }
}

fn arguments(
    evaluator: &mut Evaluator<'_>,
    operands: &[Operand],
    root: &Value,
) -> Result<Vec<Value>, EvaluationError> {
    let missing = || EvaluationError::new("an argument of a JSON path's function leads to nothing");
    let mut values = Vec::with_capacity(operands.len());
    for operand in operands {
        values.push(filter::value(evaluator, operand, root, root)?.ok_or_else(missing)?);
    }
    Ok(values)
}

fn element(items: &[Value], place: i64) -> Result<Value, EvaluationError> {
    let found = walk::at(items, place).cloned();
    found.ok_or_else(|| EvaluationError::new("the list of the JSON path has no such element"))
}

fn statistic(name: Name, numbers: &[f64]) -> Result<f64, EvaluationError> {
    if numbers.is_empty() {
        return Err(EvaluationError::new("the function of the JSON path needs numbers"));
    }
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    Ok(match name {
        Name::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        Name::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Name::Average => sum / count,
        Name::Deviation => {
            let mean = sum / count;
            (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count).sqrt()
        }
        _ => sum,
    })
}
