//! Policy `json-xml`: turns JSON objects into XML documents. Lists become elements that repeat; there are no attributes.

use super::{Flow, Policy, Site, media};
use crate::call::Call;
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::json_xml::JsonXml;
use definition::violation::Violation;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use quick_xml::escape::escape;
use serde_json::Value;
use std::sync::Arc;

const XML: &str = "application/xml";
/// Greatest nesting of documents, levels.
const DEPTH_MAX: usize = 100;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Transformer { root: JsonXml::parse(settings)?.root_element }))
}

struct Transformer {
    root: String,
}

#[async_trait]
impl Policy for Transformer {
    fn needs(&self, phase: Phase) -> Needs {
        media::own_content(phase)
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content_type = media::of_headers(&call.request.head.headers);
        if let Some(content) = call.request.body.bytes().filter(|content| !content.is_empty()) {
            let xml = self.xml(content_type, content).ok_or_else(|| failed(StatusCode::BAD_REQUEST))?;
            call.request.set_body(xml);
            call.request.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(XML));
        }
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content_type = media::of_headers(&call.response.headers);
        if let Some(content) = call.response.body.bytes().filter(|content| !content.is_empty()) {
            let xml =
                self.xml(content_type, content).ok_or_else(|| failed(StatusCode::INTERNAL_SERVER_ERROR))?;
            call.response.set_body(xml);
            call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(XML));
        }
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        _call: &Call,
        mut message: Message,
        phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        if let Some(content) = message.content.as_deref().filter(|content| !content.is_empty()) {
            let xml = self.xml(media::of_message(&message), content).ok_or_else(|| {
                let text = "Unable to transform invalid JSON message to XML";
                Failure::new(media::status_of_content(phase), "JSON_INVALID_MESSAGE_PAYLOAD", text)
            })?;
            message.content = Some(xml.into());
            media::set_of_message(&mut message, XML);
        }
        Ok(Some(message))
    }
}

fn failed(status: StatusCode) -> Failure {
    Failure::new(status, "JSON_INVALID_PAYLOAD", "Unable to transform invalid JSON payload to XML")
}

impl Transformer {
    /// `None`: it is no JSON object, or nested too deep.
    fn xml(&self, content_type: Option<&str>, content: &[u8]) -> Option<String> {
        let text = media::text(content_type, content)?;
        let document: Value = serde_json::from_str(&text).ok()?;
        let mut xml = String::with_capacity(text.len());
        document.as_object()?;
        write(&mut xml, &self.root, &document, 0)?;
        Some(xml)
    }
}

fn write(xml: &mut String, name: &str, value: &Value, depth: usize) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    let content = match value {
        Value::Array(items) => {
            return items.iter().try_for_each(|item| write(xml, name, item, depth + 1));
        }
        Value::Object(members) if !members.is_empty() => {
            xml.extend(["<", name, ">"]);
            for (key, value) in members {
                write(xml, &element_name(key), value, depth + 1)?;
            }
            xml.extend(["</", name, ">"]);
            return Some(());
        }
        Value::Object(_) => String::new(),
        Value::String(text) => text.chars().map(|c| if is_character(c) { c } else { '\u{fffd}' }).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    match content.as_str() {
        "" => xml.extend(["<", name, "/>"]),
        content => xml.extend(["<", name, ">", &escape(content), "</", name, ">"]),
    }
    Some(())
}

/// What XML 1.0 can hold at all.
fn is_character(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A key as the name of an element: what no name can hold becomes `_`, so that a key cannot write markup.
fn element_name(key: &str) -> String {
    let mut name: String = key
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '.' | ':') { c } else { '_' })
        .collect();
    if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        name.insert(0, '_');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn xml(content: &str) -> Option<String> {
        Transformer { root: "root".to_owned() }.xml(None, content.as_bytes())
    }

    #[test]
    fn objects_become_elements() {
        let check =
            |content: &str, expected: &str| assert_eq!(xml(content).as_deref(), Some(expected), "{content}");
        check(r#"{"a":1,"b":{"c":"x"}}"#, "<root><a>1</a><b><c>x</c></b></root>");
        check(r#"{"l":[1,{"x":2},[3]]}"#, "<root><l>1</l><l><x>2</x></l><l>3</l></root>");
        check(r#"{"n":null,"t":true,"e":"","o":{}}"#, "<root><n>null</n><t>true</t><e/><o/></root>");
        check(r#"{"s":"<&\"","u":"\u0001"}"#, "<root><s>&lt;&amp;&quot;</s><u>\u{fffd}</u></root>");
        check(r#"{"a><b":1,"1":2,"":3}"#, "<root><a__b>1</a__b><_1>2</_1><_>3</_></root>");
        check("{}", "<root/>");
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for content in ["[1]", "1", "{", ""] {
            assert_eq!(xml(content), None, "{content}");
        }
        let deep = format!("{}1{}", "{\"a\":".repeat(110), "}".repeat(110));
        assert_eq!(xml(&deep), None);
    }

    #[tokio::test]
    async fn failures_say_whose_fault_it_is() {
        let policy = super::super::sample::build(build, json!({}));
        let mut call = Call::sample("POST /ctx", &[], r#"{"a":1}"#);
        policy.on_request(&mut call).await.unwrap();
        assert_eq!(call.request.body.bytes().unwrap(), "<root><a>1</a></root>");
        assert_eq!(call.request.head.headers[CONTENT_TYPE], XML);
        assert_eq!(call.request.head.headers["content-length"], "21");
        let failure = policy.on_request(&mut call).await.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (400, Some("JSON_INVALID_PAYLOAD")));
        call.response.set_body("[]");
        assert_eq!(policy.on_response(&mut call).await.unwrap_err().status.as_u16(), 500);
        for (phase, status) in [(Phase::Publish, 400), (Phase::Subscribe, 500)] {
            let failure = policy.on_message(&call, Message::new(Some("x".into())), phase).await.unwrap_err();
            let expected = (status, Some("JSON_INVALID_MESSAGE_PAYLOAD"));
            assert_eq!((failure.status.as_u16(), failure.key.as_deref()), expected);
        }
    }
}
