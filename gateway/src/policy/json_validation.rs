//! Policy `json-validation`: refuses bodies and messages that do not fit a JSON schema.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::json_validation::{JsonValidation, compile};
use definition::violation::Violation;
use http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::Value;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let JsonValidation { schema, error_message, straight_respond_mode, .. } =
        JsonValidation::parse(settings)?;
    let schema = compile(&schema).map_err(|fault| vec![Violation::new("schema", "data.invalid", fault)])?;
    Ok(Arc::new(JsonValidationPolicy { schema, error_message, lenient: straight_respond_mode }))
}

struct JsonValidationPolicy {
    schema: Validator,
    error_message: Option<Template>,
    /// What goes to the client passes although it does not fit.
    lenient: bool,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// It is no JSON.
    Format,
    /// It does not fit the schema.
    Payload,
}

#[async_trait]
impl Policy for JsonValidationPolicy {
    fn needs(&self, phase: Phase) -> Needs {
        let needs = self.error_message.as_ref().map_or_else(Needs::default, Template::needs);
        needs
            | Needs {
                request_content: phase == Phase::Request,
                response_content: phase == Phase::Response,
                message: false,
            }
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let bodiless = matches!(
            call.request.head.method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE | Method::TRACE
        );
        let body = call.request.buffer().await?;
        // A request that asks only has nothing that could be wrong.
        if body.is_empty() && bodiless {
            return Ok(Flow::Continue);
        }
        match self.fault(body) {
            Some(fault) => Err(self.failure(fault, Phase::Request, &Scope::of(call))),
            None => Ok(Flow::Continue),
        }
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let body = call.response.buffer().await?;
        if body.is_empty() {
            return Ok(Flow::Continue);
        }
        match self.fault(body) {
            Some(fault) if self.lenient => tracing::info!(?fault, "a response does not fit its schema"),
            Some(fault) => return Err(self.failure(fault, Phase::Response, &Scope::of(call))),
            None => {}
        }
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        call: &Call,
        message: Message,
        phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        match self.fault(message.content.as_deref().unwrap_or_default()) {
            Some(fault) if self.lenient && phase == Phase::Subscribe => {
                tracing::info!(?fault, "a message does not fit its schema");
                Ok(Some(message))
            }
            Some(fault) => Err(self.failure(fault, phase, &Scope::of_message(call, &message))),
            None => Ok(Some(message)),
        }
    }
}

impl JsonValidationPolicy {
    fn fault(&self, text: &[u8]) -> Option<Fault> {
        match serde_json::from_slice::<Value>(text) {
            Ok(value) => (!self.schema.is_valid(&value)).then_some(Fault::Payload),
            Err(_) => Some(Fault::Format),
        }
    }

    fn failure(&self, fault: Fault, phase: Phase, scope: &Scope<'_>) -> Failure {
        let (status, default) = match phase {
            Phase::Response => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Error"),
            Phase::Request | Phase::Publish | Phase::Subscribe => (StatusCode::BAD_REQUEST, "Bad Request"),
        };
        let key = match (phase, fault) {
            (Phase::Request, Fault::Payload) => "JSON_INVALID_PAYLOAD",
            (Phase::Request, Fault::Format) => "JSON_INVALID_FORMAT",
            (Phase::Response, Fault::Payload) => "JSON_INVALID_RESPONSE_PAYLOAD",
            (Phase::Response, Fault::Format) => "JSON_INVALID_RESPONSE_FORMAT",
            (Phase::Publish, Fault::Payload) => "JSON_INVALID_MESSAGE_REQUEST_PAYLOAD",
            (Phase::Publish, Fault::Format) => "JSON_INVALID_MESSAGE_REQUEST_FORMAT",
            (Phase::Subscribe, Fault::Payload) => "JSON_INVALID_MESSAGE_RESPONSE_PAYLOAD",
            (Phase::Subscribe, Fault::Format) => "JSON_INVALID_MESSAGE_RESPONSE_FORMAT",
        };
        let said =
            self.error_message.as_ref().and_then(|message| expression::text(message, scope).ok().flatten());
        let said = said.filter(|said| !said.trim().is_empty()).map(std::borrow::Cow::into_owned);
        Failure::new(status, key, said.unwrap_or_else(|| default.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn policy(more: Value) -> Arc<dyn Policy> {
        let mut settings = json!({"schema": r#"{"type": "object", "required": ["a"]}"#});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        super::super::sample::build(build, settings)
    }

    fn shown(failure: &Failure) -> String {
        let key = failure.key.as_deref().unwrap_or_default();
        format!("{} {key} {}", failure.status.as_u16(), failure.message)
    }

    async fn asked(line: &str, body: &str) -> String {
        let mut call = Call::sample(line, &[], body);
        policy(json!({}))
            .on_request(&mut call)
            .await
            .map_or_else(|failure| shown(&failure), |_| "fits".to_owned())
    }

    #[tokio::test]
    async fn requests_fit_or_are_refused() {
        assert_eq!(asked("POST /ctx", r#"{"a": 1}"#).await, "fits");
        assert_eq!(asked("POST /ctx", r#"{"b": 1}"#).await, "400 JSON_INVALID_PAYLOAD Bad Request");
        assert_eq!(asked("POST /ctx", "{").await, "400 JSON_INVALID_FORMAT Bad Request");
        assert_eq!(asked("POST /ctx", "").await, "400 JSON_INVALID_FORMAT Bad Request");
        assert_eq!(asked("GET /ctx", "").await, "fits");
        let deep = "[".repeat(100_000);
        assert_eq!(asked("POST /ctx", &deep).await, "400 JSON_INVALID_FORMAT Bad Request");
    }

    #[tokio::test]
    async fn responses_fit_or_are_refused_or_only_noted() {
        let answered = async |more: Value, body: &'static str| {
            let mut call = Call::sample("GET /ctx", &[], "");
            call.response.set_body(body);
            let policy = policy(more);
            policy.on_response(&mut call).await.map_or_else(|failure| shown(&failure), |_| "fits".to_owned())
        };
        assert_eq!(answered(json!({}), r#"{"a": 1}"#).await, "fits");
        assert_eq!(answered(json!({}), "").await, "fits");
        assert_eq!(answered(json!({}), "[]").await, "500 JSON_INVALID_RESPONSE_PAYLOAD Internal Error");
        let said = json!({"errorMessage": "no"});
        assert_eq!(answered(said, "x").await, "500 JSON_INVALID_RESPONSE_FORMAT no");
        assert_eq!(answered(json!({"straightRespondMode": true}), "x").await, "fits");
    }

    #[tokio::test]
    async fn messages_fit_or_end_the_stream() {
        let sent = async |more: Value, content: &'static str, phase| {
            let message = Message::new(Some(Bytes::from_static(content.as_bytes())));
            let call = Call::sample("GET /ctx", &[], "");
            let outcome = policy(more).on_message(&call, message, phase).await;
            outcome.map_or_else(|failure| shown(&failure), |message| format!("{}", message.is_some()))
        };
        assert_eq!(sent(json!({}), r#"{"a": 1}"#, Phase::Publish).await, "true");
        let refused = "400 JSON_INVALID_MESSAGE_REQUEST_PAYLOAD Bad Request";
        assert_eq!(sent(json!({}), "{}", Phase::Publish).await, refused);
        let refused = "400 JSON_INVALID_MESSAGE_RESPONSE_FORMAT Bad Request";
        assert_eq!(sent(json!({}), "{", Phase::Subscribe).await, refused);
        let lenient = json!({"straightRespondMode": true});
        assert_eq!(sent(lenient.clone(), "{", Phase::Subscribe).await, "true");
        let refused = "400 JSON_INVALID_MESSAGE_REQUEST_FORMAT Bad Request";
        assert_eq!(sent(lenient, "{", Phase::Publish).await, refused);
    }
}
