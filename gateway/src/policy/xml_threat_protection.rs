//! Policy `xml-threat-protection`: refuses XML that is made to hurt its reader. Entities are measured, never expanded, and
//! nothing is fetched.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::xml_threat_protection::XmlThreatProtection;
use definition::violation::Violation;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use quick_xml::Reader;
use quick_xml::events::{BytesDecl, BytesStart, Event};
use std::sync::Arc;

mod entities;
use entities::Entities;

const DETECTED: &str = "XML_THREAT_DETECTED";
const MAX_ELEMENTS: &str = "XML_THREAT_MAX_ELEMENTS";
const MAX_DEPTH: &str = "XML_THREAT_MAX_DEPTH";
const MAX_LENGTH: &str = "XML_THREAT_MAX_LENGTH";
const MAX_ATTRIBUTES: &str = "XML_THREAT_MAX_ATTRIBUTES_PER_ELEMENT";
const MAX_ATTRIBUTE_LENGTH: &str = "XML_THREAT_MAX_ATTRIBUTE_VALUE_LENGTH";
const MAX_CHILDREN: &str = "XML_THREAT_MAX_CHILD_ELEMENTS";
const MAX_TEXT_LENGTH: &str = "XML_THREAT_MAX_TEXT_VALUE_LENGTH";
const MAX_ENTITIES: &str = "XML_THREAT_MAX_ENTITIES";
const MAX_ENTITY_DEPTH: &str = "XML_THREAT_MAX_ENTITY_DEPTH";
const EXTERNAL_ENTITY: &str = "XML_THREAT_EXTERNAL_ENTITY_FORBIDDEN";

/// Greatest length of a document with its entities expanded, when the settings name none, bytes.
const EXPANDED_MAX_BYTES: usize = 10 * 1024 * 1024;

/// Why a document is refused: a failure key.
type Threat = &'static str;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = XmlThreatProtection::parse(settings)?;
    Ok(Arc::new(XmlThreatPolicy { settings }))
}

struct XmlThreatPolicy {
    settings: XmlThreatProtection,
}

#[async_trait]
impl Policy for XmlThreatPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        Needs { request_content: true, ..Needs::default() }
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let other_type = is_xml(&call.request.head.headers) == Some(false);
        let body = call.request.buffer().await?;
        if body.is_empty() || other_type {
            return Ok(Flow::Continue);
        }
        let looked = std::str::from_utf8(body).map_err(|_| DETECTED).and_then(|text| self.look(text));
        looked.map_err(|threat| Failure::new(StatusCode::BAD_REQUEST, threat, "Bad Request"))?;
        Ok(Flow::Continue)
    }
}

/// Whether the body says that it is XML; `None`: it does not say what it is.
fn is_xml(headers: &HeaderMap) -> Option<bool> {
    let text = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(essence.ends_with("/xml") || essence.ends_with("+xml"))
}

/// Checks a number against a limit; a negative one is none.
fn within(number: usize, limit: i64, threat: Threat) -> Result<(), Threat> {
    if usize::try_from(limit).is_ok_and(|limit| number > limit) { Err(threat) } else { Ok(()) }
}

/// What was seen of a document so far.
#[derive(Default)]
struct Seen {
    entities: Entities,
    elements: usize,
    /// Children of each open element.
    open: Vec<usize>,
    /// Length of the text since the last tag.
    text: usize,
    /// Length of the document with its entities expanded.
    length: usize,
}

impl XmlThreatPolicy {
    fn look(&self, text: &str) -> Result<(), Threat> {
        let text = text.trim_start_matches('\u{feff}');
        let mut seen = Seen { length: text.len(), ..Seen::default() };
        within(seen.length, self.settings.max_length, MAX_LENGTH)?;
        let mut reader = Reader::from_str(text);
        loop {
            match reader.read_event().map_err(|_| DETECTED)? {
                Event::Start(tag) => {
                    self.element(&mut seen, &tag)?;
                    seen.open.push(0);
                    within(seen.open.len(), self.settings.max_depth, MAX_DEPTH)?;
                }
                Event::Empty(tag) => {
                    self.element(&mut seen, &tag)?;
                    within(seen.open.len() + 1, self.settings.max_depth, MAX_DEPTH)?;
                }
                Event::End(_) => {
                    seen.text = 0;
                    seen.open.pop().ok_or(DETECTED)?;
                }
                Event::Text(text) => self.text(&mut seen, text.len(), text.trim().is_empty())?,
                Event::CData(text) => self.text(&mut seen, text.len(), false)?,
                Event::GeneralRef(reference) => {
                    let length = seen.entities.length(&reference)?;
                    self.expanded(&mut seen, length)?;
                    self.text(&mut seen, length, false)?;
                }
                Event::DocType(text) if seen.elements == 0 => {
                    seen.entities = Entities::read(&text, &self.settings)?;
                }
                Event::DocType(_) => return Err(DETECTED),
                Event::Decl(declaration) => encoding(&declaration)?,
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof if seen.open.is_empty() && seen.elements > 0 => return Ok(()),
                Event::Eof => return Err(DETECTED),
            }
        }
    }

    fn element(&self, seen: &mut Seen, tag: &BytesStart<'_>) -> Result<(), Threat> {
        seen.text = 0;
        match seen.open.last_mut() {
            Some(children) => {
                *children += 1;
                within(*children, self.settings.max_children_per_element, MAX_CHILDREN)?;
            }
            None if seen.elements > 0 => return Err(DETECTED),
            None => {}
        }
        seen.elements += 1;
        within(seen.elements, self.settings.max_elements, MAX_ELEMENTS)?;
        for (index, attribute) in tag.attributes().enumerate() {
            let attribute = attribute.map_err(|_| DETECTED)?;
            within(index + 1, self.settings.max_attributes_per_element, MAX_ATTRIBUTES)?;
            let expanded = seen.entities.expanded(&attribute.value)?;
            self.expanded(seen, expanded.saturating_sub(attribute.value.len()))?;
            within(expanded, self.settings.max_attribute_value_length, MAX_ATTRIBUTE_LENGTH)?;
        }
        Ok(())
    }

    /// Text outside of the root element is none, but for white space.
    fn text(&self, seen: &mut Seen, length: usize, blank: bool) -> Result<(), Threat> {
        if seen.open.is_empty() {
            return if blank { Ok(()) } else { Err(DETECTED) };
        }
        seen.text = seen.text.saturating_add(length);
        within(seen.text, self.settings.max_text_value_length, MAX_TEXT_LENGTH)
    }

    fn expanded(&self, seen: &mut Seen, more: usize) -> Result<(), Threat> {
        seen.length = seen.length.saturating_add(more);
        if seen.length > EXPANDED_MAX_BYTES {
            return Err(MAX_LENGTH);
        }
        within(seen.length, self.settings.max_length, MAX_LENGTH)
    }
}

/// In other encodings the backend would read another document than this one.
fn encoding(declaration: &BytesDecl<'_>) -> Result<(), Threat> {
    let Some(encoding) = declaration.encoding() else { return Ok(()) };
    let encoding = encoding.map_err(|_| DETECTED)?.to_ascii_lowercase();
    let known = ["utf-8", "us-ascii"].contains(&encoding.as_str())
        || ["iso-8859-", "windows-125"].iter().any(|prefix| encoding.starts_with(prefix));
    if known { Ok(()) } else { Err(DETECTED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: &Value, content_type: &str, body: &str) -> String {
        let mut call = Call::sample("POST /ctx", &[("content-type", content_type)], body);
        let policy = super::super::sample::build(build, settings.clone());
        policy.on_request(&mut call).await.map_or_else(
            |failure| format!("{} {}", failure.status.as_u16(), failure.key.unwrap()),
            |_| "passed".to_owned(),
        )
    }

    async fn check(settings: Value, good: &str, bad: &str, key: &str) {
        assert_eq!(ask(&settings, "application/xml", good).await, "passed", "{good}");
        assert_eq!(ask(&settings, "text/xml; charset=utf-8", bad).await, format!("400 {key}"), "{bad}");
    }

    #[tokio::test]
    async fn every_limit_holds() {
        check(json!({"maxElements": 2}), "<a><b/></a>", "<a><b/><b/></a>", MAX_ELEMENTS).await;
        check(json!({"maxDepth": 2}), "<a><b/></a>", "<a><b><c/></b></a>", MAX_DEPTH).await;
        check(json!({"maxLength": 5}), "<a />", "<a  />", MAX_LENGTH).await;
        check(json!({"maxAttributesPerElement": 1}), "<a b='1'/>", "<a b='1' c='2'/>", MAX_ATTRIBUTES).await;
        check(json!({"maxAttributeValueLength": 2}), "<a b='12'/>", "<a b='123'/>", MAX_ATTRIBUTE_LENGTH)
            .await;
        check(json!({"maxChildrenPerElement": 1}), "<a><b><c/></b></a>", "<a><b/><b/></a>", MAX_CHILDREN)
            .await;
        check(json!({"maxTextValueLength": 2}), "<a>12<b/>34</a>", "<a>1<![CDATA[2]]>3</a>", MAX_TEXT_LENGTH)
            .await;
        check(json!({"maxTextValueLength": 2}), "<a>&amp;&#65;</a>", "<a>&amp;&lt;&gt;</a>", MAX_TEXT_LENGTH)
            .await;
        check(
            json!({"maxElements": -1, "maxChildrenPerElement": -1, "maxLength": -1}),
            &format!("<a>{}</a>", "<b/>".repeat(5000)),
            "<a>",
            DETECTED,
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_no_document_is_refused() {
        for bad in [
            "<a></b>",
            "<a/><b/>",
            "text",
            "<a b='1' b='2'/>",
            "<a>&unknown;</a>",
            "<a/>text",
            "<!DOCTYPE a>",
            "<a><!DOCTYPE a></a>",
            "<?xml version='1.0' encoding='utf-7'?><a/>",
            "</a>",
        ] {
            assert_eq!(ask(&json!({}), "application/xml", bad).await, "400 XML_THREAT_DETECTED", "{bad}");
        }
        let good = "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- c --><?p i?><!DOCTYPE a><a>é</a>\n";
        assert_eq!(ask(&json!({}), "application/soap+xml", good).await, "passed");
        assert_eq!(ask(&json!({}), "application/json", "{").await, "passed", "another type");
        assert_eq!(ask(&json!({}), "application/xml", "").await, "passed");
    }

    #[tokio::test]
    async fn entities_are_measured() {
        let bomb = "<!DOCTYPE a [<!ENTITY l0 'lol'><!ENTITY l1 '&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;&l0;'>
            <!ENTITY l2 '&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;&l1;'><!ENTITY l3 '&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;&l2;'>]><a>&l3;</a>";
        assert_eq!(ask(&json!({}), "application/xml", bomb).await, "400 XML_THREAT_MAX_LENGTH");
        let unlimited = json!({"maxLength": -1, "maxTextValueLength": -1});
        assert_eq!(ask(&unlimited, "application/xml", bomb).await, "passed", "3,000 characters");
        let document = |entities: &str| format!("<!DOCTYPE a [{entities}]><a b='&e;'/>");
        let two = document("<!ENTITY e '1'><!ENTITY f '&e;'>");
        check(json!({"maxEntities": 2}), &two, &two.replace("[", "[<!ENTITY g ''>"), MAX_ENTITIES).await;
        let deep = document("<!ENTITY e '&f;'><!ENTITY f '&g;'><!ENTITY g ''>");
        check(json!({"maxEntityDepth": 2}), &two, &deep, MAX_ENTITY_DEPTH).await;
        check(
            json!({"allowExternalEntities": true}),
            &document("<!ENTITY e SYSTEM 'file:///etc/passwd'>"),
            &document("<!ENTITY e '&e;'>"),
            DETECTED,
        )
        .await;
        for external in [
            "<!DOCTYPE a SYSTEM 'http://x/y.dtd'><a/>",
            &document("<!ENTITY e SYSTEM 'file:///etc/passwd'>"),
            &document("<!ENTITY e PUBLIC 'p' 'http://x'>"),
        ] {
            let said = ask(&json!({}), "application/xml", external).await;
            assert_eq!(said, "400 XML_THREAT_EXTERNAL_ENTITY_FORBIDDEN", "{external}");
        }
        for bad in ["<!ENTITY % p 'x'>", "%p;", "<!ENTITY e>", "<!ENTITY e 'open>", "<!-- open"] {
            assert_eq!(
                ask(&json!({}), "application/xml", &document(bad)).await,
                "400 XML_THREAT_DETECTED",
                "{bad}"
            );
        }
        let harmless = document("<!-- <!ENTITY % p ''> --><!ELEMENT a ANY><?p i?><!ENTITY e 'x'>");
        assert_eq!(ask(&json!({}), "application/xml", &harmless).await, "passed");
    }
}
