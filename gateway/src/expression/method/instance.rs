//! Methods of types (the static ones) and of the instances that they make.

use super::Answer;
use crate::expression::compare;
use crate::expression::evaluate::Evaluator;
use crate::expression::instance::Instance;
use crate::expression::java;
use crate::expression::value::Value;
use std::sync::Arc;

pub(super) fn call(
    evaluator: &mut Evaluator<'_>,
    target: &Instance,
    name: &str,
    arguments: &[Value],
) -> Answer {
    match target {
        Instance::Type { of, array: false } => java::call_static(evaluator, *of, name, arguments),
        Instance::Type { array: true, .. } => Ok(None),
        Instance::Entry(key, value) => Ok(match (name, arguments) {
            ("getKey", []) => Some(Value::Text(Arc::clone(key))),
            ("getValue", []) => Some(value.clone()),
            _ => None,
        }),
        Instance::Uuid(_) => Ok(match (name, arguments) {
            ("compareTo", [other]) => {
                let this = Value::instance(target.clone());
                Some(Value::Integer(i64::from(!compare::equal(&this, other))))
            }
            _ => None,
        }),
        Instance::Moment(moment) => java::time::moment(evaluator, moment, name, arguments),
        Instance::Formatter(format) => java::time::formatter(evaluator, format, name, arguments),
        Instance::Encoder { url, padding } => {
            java::codec::encoder(evaluator, *url, *padding, name, arguments)
        }
        Instance::Decoder { url } => java::codec::decoder(evaluator, *url, name, arguments),
        Instance::Random => java::chance::generator(name, arguments),
    }
}
