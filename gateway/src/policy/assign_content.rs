//! Policy `policy-assign-content`: replaces bodies of requests, responses and messages with the text of a template.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::freemarker::{self, Model};
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::assign_content::AssignContent;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;

const FAILURE: &str = "ASSIGN_CONTENT_ERROR";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Assigner(AssignContent::parse(settings)?)))
}

struct Assigner(AssignContent);

#[async_trait]
impl Policy for Assigner {
    fn needs(&self, _phase: Phase) -> Needs {
        self.0.body.needs()
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content = self.content(call, false)?;
        call.request.set_body(content);
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content = self.content(call, true)?;
        call.response.set_body(content);
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        call: &Call,
        mut message: Message,
        phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        let model = Model { call, message: Some(&message), response: phase == Phase::Subscribe };
        let content = freemarker::render(&self.0.body, model).map_err(|error| {
            let message = format!("Unable to assign message content: {error}");
            Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, message)
        })?;
        message.content = Some(content.into());
        Ok(Some(message))
    }
}

impl Assigner {
    fn content(&self, call: &Call, response: bool) -> Result<String, Failure> {
        freemarker::render(&self.0.body, Model { call, message: None, response }).map_err(|error| {
            tracing::debug!(api.id = &*call.api.id, %error, "content cannot be assigned");
            Failure::new(StatusCode::INTERNAL_SERVER_ERROR, FAILURE, "Unable to assign body content")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::CONTENT_LENGTH;
    use serde_json::json;

    fn policy(body: &str) -> Arc<dyn Policy> {
        super::super::sample::build(build, json!({"body": body}))
    }

    #[tokio::test]
    async fn bodies_are_replaced_and_made() {
        let mut call = Call::sample("POST /ctx", &[("content-length", "3"), ("h", "v")], "old");
        policy("[${request.content}]${request.headers.h[0]}").on_request(&mut call).await.unwrap();
        assert_eq!(call.request.body.bytes().unwrap(), "[old]v");
        assert_eq!(call.request.head.headers[CONTENT_LENGTH], "6");
        policy("${response.status}${response.content}!").on_response(&mut call).await.unwrap();
        assert_eq!(call.response.body.bytes().unwrap(), "200!");
        assert_eq!(call.response.headers[CONTENT_LENGTH], "4");
        policy("").on_response(&mut call).await.unwrap();
        assert_eq!(call.response.headers[CONTENT_LENGTH], "0");
    }

    #[tokio::test]
    async fn only_what_is_read_is_needed() {
        let needs = |body| policy(body).needs(Phase::Request);
        assert!(!needs("x ${request.id}").request_content);
        assert!(needs("${request.content}").request_content);
    }

    #[tokio::test]
    async fn messages_have_new_content_or_an_error() {
        let call = Call::sample("GET /ctx", &[], "");
        let message = || Message::new(Some("a".into()));
        let changed = policy("<${message.content}>").on_message(&call, message(), Phase::Publish).await;
        assert_eq!(changed.unwrap().unwrap().content.as_deref(), Some(&b"<a>"[..]));
        let failure = policy("${message.id}").on_message(&call, message(), Phase::Publish).await.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, None));
        assert_eq!(failure.message, "Unable to assign message content: message.id is missing");
        let mut call = call;
        let failure = policy("${response.status}").on_request(&mut call).await.unwrap_err();
        assert_eq!(failure.key.as_deref(), Some(FAILURE));
        assert_eq!(failure.message, "Unable to assign body content");
    }
}
