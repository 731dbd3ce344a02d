//! Policy `mock`: answers in the place of the backend, which is never called. Response flows still run.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::expression::Scope;
use crate::failure::Failure;
use crate::flow::layer::{Layer, Next};
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::mock::Mock;
use definition::violation::Violation;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use quick_xml::events::Event;
use serde_json::Value;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = Mock::parse(settings)?;
    let status = StatusCode::from_u16(settings.status).unwrap_or(StatusCode::OK);
    let needs = evaluate::needs(evaluate::templates(&settings.headers).chain(&settings.content));
    Ok(Arc::new(MockPolicy { answer: Arc::new(Answer { settings, status }), needs }))
}

struct MockPolicy {
    answer: Arc<Answer>,
    needs: Needs,
}

struct Answer {
    settings: Mock,
    status: StatusCode,
}

#[async_trait]
impl Policy for MockPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        call.layers.push(Arc::clone(&self.answer) as Arc<dyn Layer>);
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Layer for Answer {
    async fn invoke(&self, call: &mut Call, _next: Next<'_>) -> Result<(), Failure> {
        let scope = Scope::of(call);
        let mut headers = Vec::new();
        for header in &self.settings.headers {
            let Some(template) = &header.value else { continue };
            let value = evaluate::text_or_reason(template, &scope)?;
            let name = http::HeaderName::try_from(header.name.trim()).ok();
            headers.extend(name.zip(HeaderValue::from_str(&value).ok()));
        }
        let content = self.settings.content.as_ref();
        let content = content.map(|template| evaluate::text_or_reason(template, &scope)).transpose()?;
        let content = content.unwrap_or_default().into_owned();
        call.response.status = self.status;
        call.response.headers.extend(headers);
        if !content.is_empty() && !call.response.headers.contains_key(CONTENT_TYPE) {
            call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(&content)));
        }
        if !matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            call.response.set_body(content);
        }
        Ok(())
    }
}

/// What a text looks like.
fn content_type(content: &str) -> &'static str {
    let json = serde_json::from_str(content);
    if json.is_ok_and(|value: Value| value.is_object() || value.is_array()) {
        "application/json"
    } else if is_xml(content) {
        "text/xml"
    } else {
        "text/plain"
    }
}

fn is_xml(content: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(content.trim());
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => (depth, elements) = (depth + 1, elements + 1),
            Ok(Event::Empty(_)) => elements += 1,
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(_)) if depth == 0 => return false,
            Ok(Event::Eof) => return elements > 0 && depth == 0,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layered::{Backend, through};
    use super::super::sample;
    use super::*;
    use serde_json::json;

    async fn answer(settings: Value) -> Result<String, Failure> {
        let mut call = Call::sample("GET /ctx/a?x=1", &[("a", "1")], "body");
        let backend = Backend::answering(&[(200, "from the backend")]);
        through(&*sample::build(build, settings), &mut call, &backend).await?;
        assert_eq!(backend.asked(), Vec::<String>::new(), "the backend is never called");
        let kind = call.response.headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap().to_owned());
        let body = String::from_utf8_lossy(call.response.buffer().await?).into_owned();
        Ok(format!("{} {} {body}", call.response.status.as_u16(), kind.unwrap_or_default()))
    }

    #[tokio::test]
    async fn the_answer_is_what_the_settings_say() {
        let check = async |settings, expected: &str| assert_eq!(answer(settings).await.unwrap(), expected);
        check(json!({"status": "204"}), "204  ").await;
        check(json!({"status": 200, "content": "hello"}), "200 text/plain hello").await;
        check(json!({"status": 200, "content": r#"{"a": 1}"#}), r#"200 application/json {"a": 1}"#).await;
        check(json!({"status": 200, "content": "[1]"}), "200 application/json [1]").await;
        check(json!({"status": 200, "content": "17"}), "200 text/plain 17").await;
        check(json!({"status": 200, "content": "<a><b/></a>"}), "200 text/xml <a><b/></a>").await;
        check(json!({"status": 200, "content": "<a>"}), "200 text/plain <a>").await;
        let typed =
            json!({"status": 200, "content": "[1]", "headers": [{"name": "Content-Type", "value": "x/y"}]});
        check(typed, "200 x/y [1]").await;
        let templates = json!({"status": 201, "content": "{#request.params['x'][0]} {#request.content}"});
        check(templates, "201 text/plain 1 body").await;
    }

    #[tokio::test]
    async fn a_value_that_is_missing_is_named() {
        let missing = json!({"status": 200, "content": "{#request.headers['none']}"});
        let failure = answer(missing).await.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (500, None));
        let expected =
            "The template evaluation returns a null value. Expression:\n{#request.headers['none']}";
        assert_eq!(failure.message, expected);
        let wrong =
            json!({"status": 200, "headers": [{"name": "a", "value": "{#request.headers['none'][0]}"}]});
        let failure = answer(wrong).await.unwrap_err();
        assert!(failure.message.starts_with("The template evaluation returns an error."), "{failure}");
    }
}
