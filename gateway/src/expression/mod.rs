//! Evaluation of templates. Placeholder of the first skeleton: only text without expressions is known.

use crate::call::Call;
use crate::message::Message;
use definition::expression::Template;
use serde_json::Value as Json;
use std::borrow::Cow;

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

/// Why an expression has no value.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct EvaluationError(pub(crate) String);

/// The value as text; `None`: it is null.
pub(crate) fn text<'t>(
    template: &'t Template,
    _: &Scope<'_>,
) -> Result<Option<Cow<'t, str>>, EvaluationError> {
    Ok(template.literal().map(Cow::Borrowed))
}

/// The value as a truth; `None`: it is null or empty.
pub(crate) fn truth(template: &Template, _: &Scope<'_>) -> Result<Option<bool>, EvaluationError> {
    Ok(template.literal().map(|text| text == "true"))
}

/// The value as a whole number; `None`: it is null.
pub(crate) fn integer(template: &Template, _: &Scope<'_>) -> Result<Option<i64>, EvaluationError> {
    Ok(template.literal().and_then(|text| text.trim().parse().ok()))
}

/// The value as it is, in the form that attributes have; `None`: it is null.
pub(crate) fn json(template: &Template, _: &Scope<'_>) -> Result<Option<Json>, EvaluationError> {
    Ok(template.literal().map(Json::from))
}
