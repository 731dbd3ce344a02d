//! Settings of endpoints that hold expressions.
//!
//! They are evaluated once per call, after the request flows. An endpoint finds the values where it finds those that
//! policies set for it, in attributes; one that a policy did set counts instead.

use super::{Attributes, Endpoint};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::{Failure, key};
use crate::flow;
use definition::expression::Template;
use http::StatusCode;
use std::sync::Arc;

/// A setting that is evaluated for each call.
#[derive(Debug)]
pub struct Evaluated {
    /// Attribute that gets the value: `gravitee.attributes.endpoint.<connector>.<path>`.
    pub(crate) attribute: String,
    pub(crate) template: Template,
}

/// The attributes of a call with the values of what the endpoint has evaluated.
///
/// # Errors
/// 500 when an expression has no value; the text names the setting alone, because its value may be a secret.
pub(crate) async fn attributes(endpoint: &dyn Endpoint, call: &mut Call) -> Result<Attributes, Failure> {
    let mut attributes = call.attributes.shared();
    for setting in endpoint.evaluated() {
        if attributes.contains_key(&setting.attribute) {
            continue;
        }
        flow::provide(setting.template.needs(), call).await?;
        let value = expression::text(&setting.template, &Scope::of(call)).map_err(|error| {
            tracing::warn!(setting = setting.attribute, %error, "the expression of a setting failed");
            no_value(setting)
        })?;
        let value = value.ok_or_else(|| no_value(setting))?.into_owned();
        Arc::make_mut(&mut attributes).insert(setting.attribute.clone(), value.into());
    }
    Ok(attributes)
}

fn no_value(setting: &Evaluated) -> Failure {
    let path = setting.attribute.splitn(5, '.').nth(4).unwrap_or(&setting.attribute);
    let text = format!("Invalid configuration: the expression of {path} has no value");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, key::CONFIGURATION, text)
}
