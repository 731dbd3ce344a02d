//! Policy `cloud-events`: wraps the content of messages as structured CloudEvents 1.0 in JSON.

use super::{Policy, Site, media};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::cloud_events::CloudEvents;
use definition::violation::Violation;
use http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;
use uuid::Uuid;

const FAILURE: &str = "CLOUD_EVENTS_TRANSFORMATION_ERROR";
/// Media type of a structured event.
const EVENT: &str = "application/cloudevents+json";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Wrapper(CloudEvents::parse(settings)?)))
}

struct Wrapper(CloudEvents);

#[async_trait]
impl Policy for Wrapper {
    fn needs(&self, _phase: Phase) -> Needs {
        let optional = [&self.0.id, &self.0.subject].into_iter().flatten();
        let templates = optional.chain([&self.0.event_type, &self.0.source]);
        templates.fold(Needs::default(), |needs, template| needs | template.needs())
    }

    async fn on_message(
        &self,
        call: &Call,
        mut message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        let event = self.event(&Scope::of_message(call, &message), &message)?;
        message.content = Some(Value::Object(event).to_string().into());
        media::set_of_message(&mut message, EVENT);
        Ok(Some(message))
    }
}

impl Wrapper {
    fn event(&self, scope: &Scope<'_>, message: &Message) -> Result<Map<String, Value>, Failure> {
        let settings = &self.0;
        let id = settings.id.as_ref().map(|id| value("id", id, scope)).transpose()?.flatten();
        let id = id.or_else(|| message.id.clone()).unwrap_or_else(|| Uuid::new_v4().to_string());
        let mut event = Map::new();
        event.insert("specversion".to_owned(), "1.0".into());
        event.insert("id".to_owned(), id.into());
        event.insert("source".to_owned(), required("source", &settings.source, scope)?.into());
        event.insert("type".to_owned(), required("type", &settings.event_type, scope)?.into());
        let subject =
            settings.subject.as_ref().map(|subject| value("subject", subject, scope)).transpose()?;
        if let Some(subject) = subject.flatten() {
            event.insert("subject".to_owned(), subject.into());
        }
        data(&mut event, message);
        Ok(event)
    }
}

/// JSON is embedded as it is, other text as a string, and bytes that are no text in base64.
fn data(event: &mut Map<String, Value>, message: &Message) {
    let content_type = media::of_message(message);
    let Some(content) = &message.content else {
        event.extend(content_type.map(|name| ("datacontenttype".to_owned(), name.into())));
        return;
    };
    let json = content_type.is_none_or(media::is_json);
    let (name, value, default) = match std::str::from_utf8(content) {
        Ok(text) => match serde_json::from_str(text) {
            Ok(value) if json => ("data", value, "application/json"),
            Ok(_) | Err(_) => ("data", Value::from(text), "text/plain"),
        },
        Err(_) => ("data_base64", STANDARD.encode(content).into(), "application/octet-stream"),
    };
    event.insert("datacontenttype".to_owned(), content_type.unwrap_or(default).into());
    event.insert(name.to_owned(), value);
}

fn value(name: &str, template: &Template, scope: &Scope<'_>) -> Result<Option<String>, Failure> {
    let text = expression::text(template, scope)
        .map_err(|_| failed(format!("Unable to create a cloud event: its {name} cannot be evaluated")))?;
    Ok(text.map(std::borrow::Cow::into_owned).filter(|text| !text.is_empty()))
}

fn required(name: &str, template: &Template, scope: &Scope<'_>) -> Result<String, Failure> {
    value(name, template, scope)?
        .ok_or_else(|| failed(format!("Unable to create a cloud event: its {name} is empty")))
}

fn failed(message: String) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, FAILURE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    async fn wrapped(
        settings: Value,
        content_type: Option<&str>,
        content: &[u8],
    ) -> Result<Message, Failure> {
        let mut message = Message::new(Some(content.to_vec().into()));
        message.id = Some("7".to_owned());
        message.headers.extend(content_type.map(|value| ("content-type".to_owned(), value.to_owned())));
        let call = Call::sample("GET /ctx", &[], "");
        let policy = super::super::sample::build(build, settings);
        policy.on_message(&call, message, Phase::Subscribe).await.map(Option::unwrap)
    }

    async fn check(content_type: Option<&str>, content: &[u8], expected: &str) {
        let settings = json!({"type": "t", "source": "/s", "subject": "x"});
        let message = wrapped(settings, content_type, content).await.unwrap();
        let text = String::from_utf8(message.content.unwrap().to_vec()).unwrap();
        let head = r#"{"specversion":"1.0","id":"7","source":"/s","type":"t","subject":"x","#;
        assert_eq!(text, format!("{head}{expected}}}"));
        assert_eq!(message.headers, [("Content-Type".to_owned(), EVENT.to_owned())]);
    }

    #[tokio::test]
    async fn content_is_embedded_by_its_kind() {
        let json = Some("application/vnd.a+json");
        check(json, b"{\"a\":1}", r#""datacontenttype":"application/vnd.a+json","data":{"a":1}"#).await;
        check(json, b"{a", r#""datacontenttype":"application/vnd.a+json","data":"{a""#).await;
        check(Some("text/plain"), b"1", r#""datacontenttype":"text/plain","data":"1""#).await;
        check(None, b"1", r#""datacontenttype":"application/json","data":1"#).await;
        check(None, b"x", r#""datacontenttype":"text/plain","data":"x""#).await;
        check(None, b"\xff", r#""datacontenttype":"application/octet-stream","data_base64":"/w==""#).await;
    }

    #[tokio::test]
    async fn the_id_may_be_given_and_the_type_must_not_be_empty() {
        let message = wrapped(json!({"id": "9", "type": "t", "source": "s"}), None, b"1").await.unwrap();
        assert!(message.content.unwrap().starts_with(br#"{"specversion":"1.0","id":"9","#));
    }
}
