//! Evaluation of templates: what was read at deploy is computed here per request or message.
//!
//! One evaluation reads the members that it asks for and nothing else, is bounded in steps, sizes and time, and ends
//! with a value or an error, never with a panic.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "operators and methods know a few kinds of values; every other kind is the same mistake"
)]

mod access;
mod budget;
mod compare;
mod convert;
mod document;
mod error;
mod evaluate;
mod functions;
mod instance;
mod java;
mod jsonpath;
mod method;
mod number;
mod operate;
mod pattern;
pub mod probe;
mod roots;
mod scope;
mod select;
#[cfg(test)]
mod tests;
mod value;
mod xml;
mod xpath;

pub(crate) use error::EvaluationError;

use crate::call::Call;
use crate::message::Message;
use definition::expression::{Part, Template};
use evaluate::Evaluator;
use roots::Roots;
use serde_json::Value as Json;
use std::borrow::Cow;
use value::Value;

/// What an expression may look at.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) call: &'a Call,
    /// In message phases.
    pub(crate) message: Option<&'a Message>,
    /// Further roots by name, such as `calloutResponse` or `group`; they hide no standard root.
    pub(crate) extra: &'a [(&'a str, Json)],
}

impl<'a> Scope<'a> {
    /// The roots of a request or response phase.
    pub(crate) fn of(call: &'a Call) -> Self {
        Scope { call, message: None, extra: &[] }
    }

    /// The roots of a message phase.
    pub(crate) fn of_message(call: &'a Call, message: &'a Message) -> Self {
        Scope { call, message: Some(message), extra: &[] }
    }
}

/// The value as text; `None`: it is null.
pub(crate) fn text<'t>(
    template: &'t Template,
    scope: &Scope<'_>,
) -> Result<Option<Cow<'t, str>>, EvaluationError> {
    text_of(template, scope)
}

/// The value as a truth; `None`: it is null or empty.
pub(crate) fn truth(template: &Template, scope: &Scope<'_>) -> Result<Option<bool>, EvaluationError> {
    convert::truth(&value_of(template, &mut Evaluator::new(scope))?)
}

/// The value as a whole number; `None`: it is null.
pub(crate) fn integer(template: &Template, scope: &Scope<'_>) -> Result<Option<i64>, EvaluationError> {
    convert::integer(&value_of(template, &mut Evaluator::new(scope))?)
}

/// The value as it is, in the form that attributes have; `None`: it is null.
pub(crate) fn json(template: &Template, scope: &Scope<'_>) -> Result<Option<Json>, EvaluationError> {
    let mut evaluator = Evaluator::new(scope);
    let value = value_of(template, &mut evaluator)?;
    Ok(Some(convert::json(&value, &mut evaluator)?).filter(|json| !json.is_null()))
}

fn text_of<'t>(template: &'t Template, roots: &dyn Roots) -> Result<Option<Cow<'t, str>>, EvaluationError> {
    // Constants cost nothing.
    if let Some(literal) = template.literal() {
        return Ok(Some(Cow::Borrowed(literal)));
    }
    let mut evaluator = Evaluator::new(roots);
    match value_of(template, &mut evaluator)? {
        Value::Null => Ok(None),
        value => convert::text(&value, &mut evaluator).map(|text| Some(Cow::Owned(text))),
    }
}

/// The value of a single expression as it is; of a mixture, its parts as texts behind each other.
fn value_of(template: &Template, evaluator: &mut Evaluator<'_>) -> Result<Value, EvaluationError> {
    match template.parts() {
        [] => Ok(Value::from("")),
        [Part::Text(text)] => Ok(Value::text(text.clone())),
        [Part::Expression(expression)] => evaluator.evaluate(expression),
        parts => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Text(literal) => text.push_str(literal),
                    Part::Expression(expression) => {
                        let value = evaluator.evaluate(expression)?;
                        convert::append(&mut text, &value, evaluator)?;
                    }
                }
                evaluator.budget.text_within(text.len())?;
            }
            Ok(Value::text(text))
        }
    }
}
