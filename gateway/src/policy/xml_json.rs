//! Policy `xml-json`: turns XML documents into JSON objects. Attributes and child elements become members, text beside
//! them goes to `content`, names that repeat make lists, and texts that look like a number or a truth become one.
//!
//! Documents with a DTD are refused, and no entity is known but the five of XML itself.

use super::{Flow, Policy, Site, media};
use crate::call::Call;
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::xml_json::XmlJson;
use definition::violation::Violation;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::{Map, Number, Value};
use std::sync::Arc;

const JSON: &str = "application/json";
/// Member of text beside attributes or elements.
const CONTENT: &str = "content";
/// Greatest nesting of elements, levels.
const DEPTH_MAX: usize = 100;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    XmlJson::parse(settings)?;
    Ok(Arc::new(Transformer))
}

struct Transformer;

#[async_trait]
impl Policy for Transformer {
    fn needs(&self, phase: Phase) -> Needs {
        media::own_content(phase)
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content_type = media::of_headers(&call.request.head.headers);
        if let Some(content) = call.request.body.bytes().filter(|content| !content.is_empty()) {
            let json = json(content_type, content).ok_or_else(|| failed(StatusCode::BAD_REQUEST))?;
            call.request.set_body(json);
            call.request.head.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content_type = media::of_headers(&call.response.headers);
        if let Some(content) = call.response.body.bytes().filter(|content| !content.is_empty()) {
            let json =
                json(content_type, content).ok_or_else(|| failed(StatusCode::INTERNAL_SERVER_ERROR))?;
            call.response.set_body(json);
            call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
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
            let json = json(media::of_message(&message), content).ok_or_else(|| {
                let text = "Unable to transform invalid XML message to JSON";
                Failure::new(media::status_of_content(phase), "XML_INVALID_MESSAGE_PAYLOAD", text)
            })?;
            message.content = Some(json.into());
            media::set_of_message(&mut message, JSON);
        }
        Ok(Some(message))
    }
}

fn failed(status: StatusCode) -> Failure {
    Failure::new(status, "XML_INVALID_PAYLOAD", "Unable to transform invalid XML to Json")
}

/// `None`: it is no XML document that may be read.
fn json(content_type: Option<&str>, content: &[u8]) -> Option<String> {
    let text = media::text(content_type, content)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open: Vec<(String, Element)> = vec![(String::new(), Element::default())];
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                (open.len() <= DEPTH_MAX).then_some(())?;
                open.push((start.name().as_ref().to_owned(), Element::of(&start)?));
            }
            Event::Empty(start) => {
                let name = start.name().as_ref().to_owned();
                let value = Element::of(&start)?.value();
                open.last_mut()?.1.child(name, value);
            }
            Event::End(_) => {
                let (name, element) = open.pop()?;
                open.last_mut()?.1.child(name, element.value());
            }
            Event::Text(text) => open.last_mut()?.1.text.push_str(&text.xml10_content()),
            Event::CData(text) => open.last_mut()?.1.verbatim(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let text = &mut open.last_mut()?.1.text;
                match reference.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_predefined_entity(&reference.xml10_content())?),
                }
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::DocType(_) => return None,
            Event::Eof => break,
        }
    }
    let (_, document) = open.pop()?;
    let whole = open.is_empty() && document.members.len() == 1 && document.text.trim().is_empty();
    (whole && document.elements == 1).then(|| Value::Object(document.members).to_string())
}

/// An element that is being read.
#[derive(Default)]
struct Element {
    members: Map<String, Value>,
    /// Since the last child.
    text: String,
    /// Children so far.
    elements: usize,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Option<Element> {
        let mut element = Element::default();
        for attribute in start.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            add(&mut element.members, attribute.key.as_ref().to_owned(), typed(&value));
        }
        Some(element)
    }

    /// Text between children counts as soon as something else begins.
    fn settle(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            add(&mut self.members, CONTENT.to_owned(), typed(text.trim()));
        }
    }

    fn child(&mut self, name: String, value: Value) {
        self.settle();
        self.elements += 1;
        add(&mut self.members, name, value);
    }

    /// Text that stays text, whatever it looks like.
    fn verbatim(&mut self, text: &str) {
        self.settle();
        if !text.is_empty() {
            add(&mut self.members, CONTENT.to_owned(), text.into());
        }
    }

    fn value(mut self) -> Value {
        self.settle();
        match self.members.len() {
            0 => Value::from(""),
            1 if self.members.contains_key(CONTENT) => self.members.remove(CONTENT).unwrap_or_default(),
            _ => Value::Object(self.members),
        }
    }
}

/// A second value of a name makes a list.
fn add(members: &mut Map<String, Value>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => {
            members.insert(name, value);
        }
        Some(Value::Array(items)) => items.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// A number, a truth or null, when the text is exactly how JSON writes one; texts with leading zeros are identifiers.
fn typed(text: &str) -> Value {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Value::Bool(text.eq_ignore_ascii_case("true"));
    }
    if text.eq_ignore_ascii_case("null") {
        return Value::Null;
    }
    let number =
        text.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| text.parse::<Number>().ok());
    // A number that a double cannot hold would come out as another one.
    match number.flatten() {
        Some(number) if number.is_f64() && text.len() > 17 => Value::from(text),
        Some(number) => Value::Number(number),
        None => Value::from(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(xml: &str, expected: Option<&str>) {
        assert_eq!(json(None, xml.as_bytes()).as_deref(), expected, "{xml}");
    }

    #[test]
    fn elements_become_members() {
        check("<a>x</a>", Some(r#"{"a":"x"}"#));
        check("<?xml version=\"1.0\"?><!-- c --><a b=\"1\"><c>2</c></a>\n", Some(r#"{"a":{"b":1,"c":2}}"#));
        check("<a><b>1</b><b>x</b><b/></a>", Some(r#"{"a":{"b":[1,"x",""]}}"#));
        check("<a b='y'> text </a>", Some(r#"{"a":{"b":"y","content":"text"}}"#));
        check("<a>one<b/>two</a>", Some(r#"{"a":{"content":["one","two"],"b":""}}"#));
        check("<a><![CDATA[<12>]]></a>", Some(r#"{"a":"<12>"}"#));
        check("<a><![CDATA[12]]></a>", Some(r#"{"a":"12"}"#));
        check("<a x=\"&lt;\">&amp;&#65;</a>", Some(r#"{"a":{"x":"<","content":"&A"}}"#));
        check("<n:a xmlns:n=\"u\"/>", Some(r#"{"n:a":{"xmlns:n":"u"}}"#));
    }

    #[test]
    fn texts_have_types() {
        check(
            "<a><b>true</b><c>NULL</c><d>-1.5</d><e>007</e><f>1e2</f><g>12a</g></a>",
            Some(r#"{"a":{"b":true,"c":null,"d":-1.5,"e":"007","f":100.0,"g":"12a"}}"#),
        );
        check("<a>123456789012345678901234567890</a>", Some(r#"{"a":"123456789012345678901234567890"}"#));
    }

    #[test]
    fn what_is_dangerous_or_broken_is_refused() {
        check("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", None);
        check("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", None);
        check("<a>&x;</a>", None);
        for broken in ["", "x", "<a>", "<a></b>", "<a/><b/>", "<a/>x", "<a b></a>", "</a>"] {
            check(broken, None);
        }
        check(&"<a>".repeat(1000), None);
        check(&format!("{}{}", "<a>".repeat(101), "</a>".repeat(101)), None);
        assert!(json(None, format!("{}{}", "<a>".repeat(100), "</a>".repeat(100)).as_bytes()).is_some());
    }

    #[tokio::test]
    async fn failures_say_whose_fault_it_is() {
        let policy = super::super::sample::build(build, json!({}));
        let mut call = Call::sample("POST /ctx", &[], "<a>1</a>");
        policy.on_request(&mut call).await.unwrap();
        assert_eq!(call.request.body.bytes().unwrap(), r#"{"a":1}"#);
        assert_eq!(call.request.head.headers[CONTENT_TYPE], JSON);
        let failure = policy.on_request(&mut call).await.unwrap_err();
        assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (400, Some("XML_INVALID_PAYLOAD")));
        call.response.set_body("<a");
        assert_eq!(policy.on_response(&mut call).await.unwrap_err().status.as_u16(), 500);
        for (phase, status) in [(Phase::Publish, 400), (Phase::Subscribe, 500)] {
            let failure = policy.on_message(&call, Message::new(Some("x".into())), phase).await.unwrap_err();
            let expected = (status, Some("XML_INVALID_MESSAGE_PAYLOAD"));
            assert_eq!((failure.status.as_u16(), failure.key.as_deref()), expected);
        }
    }
}
