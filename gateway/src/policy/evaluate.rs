//! What policies do with templates again and again: several at once, and texts without which nothing goes on.

use crate::expression::{self, EvaluationError, Scope};
use crate::failure::Failure;
use definition::expression::{Needs, Template};
use definition::pattern::Found;
use definition::policy::transform_headers::Header;
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What all of these templates read.
pub(super) fn needs<'a>(templates: impl IntoIterator<Item = &'a Template>) -> Needs {
    templates.into_iter().fold(Needs::default(), |needs, template| needs | template.needs())
}

/// The templates in a list of headers.
pub(super) fn templates(headers: &[Header]) -> impl Iterator<Item = &Template> {
    headers.iter().filter_map(|header| header.value.as_ref())
}

/// Headers with their values. Null ones are left out, and those that are not possible in HTTP: a line break would be a
/// header of the caller's choice.
pub(super) fn headers(
    headers: &[Header],
    scope: &Scope<'_>,
) -> Result<Vec<(HeaderName, HeaderValue)>, EvaluationError> {
    let mut values = Vec::new();
    for header in headers {
        let Some(template) = &header.value else { continue };
        let Some(value) = expression::text(template, scope)? else { continue };
        let name = HeaderName::try_from(header.name.trim()).ok();
        values.extend(name.zip(HeaderValue::from_str(&value).ok()));
    }
    Ok(values)
}

/// The text, or the failure that tells the author of the API which expression gave none.
pub(super) fn text_or_reason<'t>(template: &'t Template, scope: &Scope<'_>) -> Result<Cow<'t, str>, Failure> {
    let what = match expression::text(template, scope) {
        Ok(Some(text)) => return Ok(text),
        Ok(None) => "a null value",
        Err(_) => "an error",
    };
    let message = format!("The template evaluation returns {what}. Expression:\n{}", template.source());
    Err(Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, message))
}

/// The text; without one the request fails, and the reason is in the log.
pub(super) fn text<'t>(template: &'t Template, scope: &Scope<'_>) -> Result<Cow<'t, str>, Failure> {
    match expression::text(template, scope) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => {
            tracing::debug!(expression = template.source(), "an expression is null where a text is needed");
            Err(Failure::unexpected())
        }
        Err(error) => Err(unexpected(template, &error)),
    }
}

/// The failure for an expression that cannot be evaluated; the reason goes to the log.
pub(super) fn unexpected(template: &Template, error: &EvaluationError) -> Failure {
    tracing::debug!(%error, expression = template.source(), "an expression cannot be evaluated");
    Failure::unexpected()
}

/// The roots `group` and `groupName` of what a pattern captured.
pub(super) fn captures(found: Found) -> [(&'static str, Value); 2] {
    let named: Map<String, Value> = found.named.into_iter().map(|(name, text)| (name, text.into())).collect();
    [("group", found.groups.into()), ("groupName", named.into())]
}
