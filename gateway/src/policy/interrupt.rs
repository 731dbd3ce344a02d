//! Policy `policy-interrupt`: ends a request with an error of the author's own. Response templates of its key decide
//! status and body.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::interrupt::Interrupt;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = Interrupt::parse(settings)?;
    let needs = evaluate::needs(settings.variables.iter().filter_map(|variable| variable.value.as_ref()));
    Ok(Arc::new(InterruptPolicy { settings, needs }))
}

struct InterruptPolicy {
    settings: Interrupt,
    needs: Needs,
}

#[async_trait]
impl Policy for InterruptPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        Err(self.failure(call))
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        Err(self.failure(call))
    }
}

impl InterruptPolicy {
    fn failure(&self, call: &Call) -> Failure {
        let Interrupt { error_key, message, variables, .. } = &self.settings;
        let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error_key.clone(), message.clone());
        variables.iter().fold(failure, |failure, variable| {
            let value = variable.value.as_ref().map(|value| expression::text(value, &Scope::of(call)));
            match value {
                Some(Ok(Some(value))) => failure.parameter(&variable.name, value.into_owned()),
                None | Some(Ok(None) | Err(_)) => failure,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_request_ends_with_the_key_and_the_variables() {
        let settings = json!({"errorKey": "MINE", "message": "no {#request.path}", "variables": [
            {"name": "path", "value": "{#request.path}"},
            {"name": "none", "value": "{#request.headers['x']}"},
            {"name": "wrong", "value": "{#request.headers['x'][0]}"},
        ]});
        let policy = sample::build(build, settings);
        let mut call = Call::sample("GET /ctx/a", &[], "");
        for failure in [policy.on_request(&mut call).await, policy.on_response(&mut call).await] {
            let failure = failure.unwrap_err();
            assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, Some("MINE")));
            assert_eq!(failure.message, "no {#request.path}");
            assert_eq!(json!(failure.details.unwrap().parameters), json!({"path": "/ctx/a"}));
        }
    }

    #[test]
    fn key_and_message_are_required() {
        let wrong = sample::try_build(build, &json!({})).err().unwrap();
        assert_eq!(wrong.iter().map(|v| v.path.as_str()).collect::<Vec<_>>(), ["errorKey", "message"]);
    }
}
