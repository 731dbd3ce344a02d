//! Policy `json-to-json`: transforms JSON with a chain of JOLT operations. Content that is declared as something else,
//! and empty content, stays as it is.

use super::{Flow, Policy, Site, media};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::jolt;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::jolt::Chain;
use definition::policy::Phase;
use definition::policy::json_to_json::{JsonToJson, Specification};
use definition::violation::Violation;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use std::borrow::Cow;
use std::sync::Arc;

const FAILURE: &str = "JSON_INVALID_SPECIFICATION";
const JSON: &str = "application/json";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Transformer(JsonToJson::parse(settings)?)))
}

struct Transformer(JsonToJson);

#[async_trait]
impl Policy for Transformer {
    fn needs(&self, phase: Phase) -> Needs {
        let own = media::own_content(phase);
        match &self.0.specification {
            Specification::Chain(_) => own,
            Specification::Template(template) => own | template.needs(),
        }
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let (headers, content) = (&call.request.head.headers, call.request.body.bytes());
        if let Some(content) = content.filter(|content| applies(media::of_headers(headers), content)) {
            let transformed = self.transformed(content, &Scope::of(call))?;
            call.request.set_body(transformed);
            if self.0.override_content_type {
                call.request.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            }
        }
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let (headers, content) = (&call.response.headers, call.response.body.bytes());
        if let Some(content) = content.filter(|content| applies(media::of_headers(headers), content)) {
            let transformed = self.transformed(content, &Scope::of(call))?;
            call.response.set_body(transformed);
            if self.0.override_content_type {
                call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
            }
        }
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        call: &Call,
        mut message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        // Messages of most brokers say nothing about their content.
        let content_type = media::of_message(&message).or(Some(JSON));
        if let Some(content) = message.content.as_deref().filter(|content| applies(content_type, content)) {
            let transformed = self.transformed(content, &Scope::of_message(call, &message))?;
            message.content = Some(transformed.into());
            if self.0.override_content_type {
                media::set_of_message(&mut message, JSON);
            }
        }
        Ok(Some(message))
    }
}

fn applies(content_type: Option<&str>, content: &[u8]) -> bool {
    !content.is_empty() && content_type.is_some_and(media::is_json)
}

impl Transformer {
    fn transformed(&self, content: &[u8], scope: &Scope<'_>) -> Result<Vec<u8>, Failure> {
        let chain = self.chain(scope)?;
        let document = serde_json::from_slice(content).map_err(failed)?;
        let document = jolt::transform(&chain, document).map_err(failed)?;
        serde_json::to_vec(&document).map_err(failed)
    }

    fn chain(&self, scope: &Scope<'_>) -> Result<Cow<'_, Chain>, Failure> {
        match &self.0.specification {
            Specification::Chain(chain) => Ok(Cow::Borrowed(chain)),
            Specification::Template(template) => {
                let source = expression::text(template, scope).map_err(failed)?;
                Chain::parse(&source.unwrap_or_default()).map(Cow::Owned).map_err(failed)
            }
        }
    }
}

/// The reason may repeat content, so that it goes to the log of developers only.
fn failed(reason: impl std::fmt::Display) -> Failure {
    tracing::debug!(%reason, "content cannot be transformed");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, FAILURE, "Unable to apply JOLT transformation to payload")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SHIFT: &str = r#"[{"operation":"shift","spec":{"a":"b"}}]"#;

    fn policy(other: serde_json::Value) -> Arc<dyn Policy> {
        let mut settings = json!({"specification": SHIFT});
        settings.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        super::super::sample::build(build, settings)
    }

    async fn check(content_type: &str, body: &str, expected: &str, expected_type: &str) {
        let mut call = Call::sample("POST /ctx", &[("content-type", content_type)], body);
        policy(json!({})).on_request(&mut call).await.unwrap();
        assert_eq!(call.request.body.bytes().unwrap(), expected);
        assert_eq!(call.request.head.headers[CONTENT_TYPE], expected_type);
        let mut call = Call::sample("POST /ctx", &[], "");
        call.response.headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        call.response.body = crate::call::body::Body::Bytes(body.to_owned().into());
        policy(json!({})).on_response(&mut call).await.unwrap();
        assert_eq!(call.response.body.bytes().unwrap(), expected);
        assert_eq!(call.response.headers[CONTENT_TYPE], expected_type);
    }

    #[tokio::test]
    async fn json_is_transformed_and_everything_else_left_alone() {
        check("application/json", r#"{"a":1}"#, r#"{"b":1}"#, JSON).await;
        check("application/hal+json;charset=utf-8", r#"{"a":1}"#, r#"{"b":1}"#, JSON).await;
        check("text/plain", r#"{"a":1}"#, r#"{"a":1}"#, "text/plain").await;
        check("application/json", "", "", "application/json").await;
    }

    #[tokio::test]
    async fn messages_without_a_type_are_json() {
        let call = Call::sample("GET /ctx", &[], "");
        let message = || Message::new(Some(r#"{"a":1}"#.into()));
        let changed = policy(json!({})).on_message(&call, message(), Phase::Publish).await.unwrap().unwrap();
        assert_eq!(changed.content.as_deref(), Some(&br#"{"b":1}"#[..]));
        assert_eq!(media::of_message(&changed), Some(JSON));
        let own = policy(json!({"overrideContentType": false}));
        let changed = own.on_message(&call, message(), Phase::Publish).await.unwrap().unwrap();
        assert_eq!(media::of_message(&changed), None);
    }

    #[tokio::test]
    async fn content_that_is_no_json_fails() {
        let mut call = Call::sample("POST /ctx", &[("content-type", JSON)], "{a");
        let failure = policy(json!({})).on_request(&mut call).await.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, Some(FAILURE)));
        assert_eq!(failure.message, "Unable to apply JOLT transformation to payload");
    }
}
