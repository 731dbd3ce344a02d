//! Policy `policy-assign-attributes`: sets attributes of the context, or of each message.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::call::attributes::short;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::message::Message;
use crate::seldom::warn_seldom;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::assign_attributes::AssignAttributes;
use definition::violation::Violation;
use serde_json::Value;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = AssignAttributes::parse(settings)?;
    let mut attributes = Vec::new();
    for attribute in settings.attributes {
        let name = short(attribute.name.trim()).to_owned();
        if let (false, Some(value)) = (name.is_empty(), attribute.value) {
            attributes.push((name, value));
        }
    }
    let needs = attributes.iter().fold(Needs::default(), |needs, (_, value)| needs | value.needs());
    Ok(Arc::new(Assigner { attributes, needs }))
}

struct Assigner {
    /// Short names and values.
    attributes: Vec<(String, Template)>,
    needs: Needs,
}

#[async_trait]
impl Policy for Assigner {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        for (name, value) in &self.attributes {
            if let Some(value) = evaluated(name, value, &Scope::of(call)) {
                call.attributes.set(name, value);
            }
        }
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        self.on_request(call).await
    }

    async fn on_message(
        &self,
        call: &Call,
        mut message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        for (name, value) in &self.attributes {
            if let Some(value) = evaluated(name, value, &Scope::of_message(call, &message)) {
                message.attributes.insert(name.clone(), value);
            }
        }
        Ok(Some(message))
    }
}

/// An attribute that cannot be evaluated stays unset: whoever reads it decides what that means.
fn evaluated(name: &str, value: &Template, scope: &Scope<'_>) -> Option<Value> {
    match expression::json(value, scope) {
        Ok(value) => value.filter(|value| !value.is_null()),
        Err(error) => {
            warn_seldom!(api.id = &*scope.call.api.id, attribute = name, %error, "an attribute cannot be evaluated");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn attributes_of_the_context_have_short_names() {
        let settings = json!({"attributes": [
            {"name": "gravitee.attribute.kafka.topics", "value": "a"},
            {"name": " b ", "value": "{(1 == 1)}"},
            {"name": "c"},
            {"name": " ", "value": "x"},
        ]});
        let policy = super::super::sample::build(build, settings);
        for response in [false, true] {
            let mut call = Call::sample("GET /ctx", &[], "");
            match response {
                false => policy.on_request(&mut call).await.unwrap(),
                true => policy.on_response(&mut call).await.unwrap(),
            };
            assert_eq!(call.attributes.text("kafka.topics"), Some("a"));
            assert!(call.attributes.get("b").is_some());
            assert_eq!(call.attributes.shared().len(), 2);
        }
    }

    #[tokio::test]
    async fn attributes_of_messages_are_found_by_connectors() {
        let settings = json!({"attributes": [{"name": "gravitee.attribute.kafka.recordKey", "value": "k"}]});
        let policy = super::super::sample::build(build, settings);
        let call = Call::sample("POST /ctx", &[], "");
        let message = policy.on_message(&call, Message::new(None), Phase::Publish).await.unwrap().unwrap();
        assert_eq!(message.attributes["kafka.recordKey"], "k");
        assert_eq!(call.attributes.get("kafka.recordKey"), None);
    }

    #[tokio::test]
    async fn later_values_see_earlier_ones_and_keep_their_type() {
        let settings = json!({"attributes": [
            {"name": "n", "value": "{#jsonPath(#request.content, '$.n')}"},
            {"name": "more", "value": "{#context.attributes['n'] + 1}"},
            {"name": "text", "value": "n={#context.attributes['n']}"},
            {"name": "broken", "value": "{#request.headers['none'][0]}"},
            {"name": "null", "value": "{#request.headers['none']}"},
        ]});
        let policy = super::super::sample::build(build, settings);
        assert!(policy.needs(Phase::Request).request_content);
        let mut call = Call::sample("GET /ctx", &[], r#"{"n":1}"#);
        policy.on_request(&mut call).await.unwrap();
        let attributes = call.attributes.shared();
        assert_eq!(
            (&attributes["n"], &attributes["more"], &attributes["text"]),
            (&json!(1), &json!(2), &json!("n=1"))
        );
        assert_eq!(attributes.len(), 3);
    }
}
