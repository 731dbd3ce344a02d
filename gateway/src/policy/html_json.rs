//! Policy `html-json`: takes texts out of an HTML page, by CSS selectors, and answers with a JSON object of them.
//!
//! A text is what a reader of the page would see: without markup, scripts and styles, runs of white space as one space.

use super::{Flow, Policy, Site, media};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::html_json::{self, HtmlJson};
use definition::violation::Violation;
use ego_tree::iter::Edge;
use html5ever::driver::ParseOpts;
use html5ever::tendril::TendrilSink as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use scraper::{ElementRef, Html, HtmlTreeSink, Node, Selector};
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::{Duration, Instant};

const JSON: &str = "application/json";
/// Time for one page: nesting makes reading and selecting as slow as the square of a page's size.
const PAGE_MAX: Duration = Duration::from_secs(5);
/// What is read of a page before the time is looked at again, bytes.
const PIECE_BYTES: usize = 4 * 1024;
/// Elements whose texts nobody sees.
const UNSEEN: &[&str] = &["noscript", "script", "style", "template"];
/// Elements within a line; all others stand apart from their neighbours.
const INLINE: &[&str] = &[
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "meter", "output", "progress", "q", "rp", "rt", "ruby", "s",
    "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
];

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = HtmlJson::parse(settings)?;
    let members = settings.selectors.into_iter().enumerate().map(|(index, member)| {
        let path = format!("selectors[{index}].selector");
        let selector = html_json::compile(&member.selector)
            .map_err(|fault| vec![Violation::new(path, "data.invalid", fault)])?;
        Ok::<_, Vec<Violation>>(Member { name: member.json_name, selector, list: member.array })
    });
    Ok(Arc::new(Transformer(members.collect::<Result<_, _>>()?)))
}

struct Transformer(Vec<Member>);

/// A member of the object.
struct Member {
    name: String,
    selector: Selector,
    /// A text per element, instead of one of all.
    list: bool,
}

#[async_trait]
impl Policy for Transformer {
    fn needs(&self, phase: Phase) -> Needs {
        media::own_content(phase)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let content_type = media::of_headers(&call.response.headers);
        if let Some(content) = call.response.body.bytes().filter(|content| !content.is_empty()) {
            let page = media::text(content_type, content);
            let json = page.and_then(|page| self.json(&page)).ok_or_else(|| {
                let message = "Unable to transform invalid HTML to JSON";
                Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "HTML_INVALID_PAYLOAD", message)
            })?;
            call.response.set_body(json);
            call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        Ok(Flow::Continue)
    }
}

impl Transformer {
    /// `None`: the page takes too long.
    fn json(&self, page: &str) -> Option<String> {
        let end = Instant::now() + PAGE_MAX;
        let page = parse(page, end)?;
        let members = self.0.iter().map(|member| {
            let mut texts = Vec::new();
            for element in page.select(&member.selector) {
                texts.push(text(element, end)?);
            }
            in_time(end)?;
            let value = match member.list {
                true => texts.into(),
                false => {
                    let seen = texts.into_iter().filter(|text| !text.is_empty());
                    seen.collect::<Vec<_>>().join(" ").into()
                }
            };
            Some((member.name.clone(), value))
        });
        let members = members.collect::<Option<Map<_, _>>>()?;
        Some(Value::Object(members).to_string())
    }
}

/// Reads a page. `None`: it takes too long.
fn parse(page: &str, end: Instant) -> Option<Html> {
    let sink = HtmlTreeSink::new(Html::new_document());
    let mut parser = html5ever::parse_document(sink, ParseOpts::default()).from_utf8();
    for piece in page.as_bytes().chunks(PIECE_BYTES) {
        parser.process(piece.into());
        in_time(end)?;
    }
    Some(parser.finish())
}

fn in_time(end: Instant) -> Option<()> {
    (Instant::now() < end).then_some(())
}

/// What a reader sees of an element. `None`: it takes too long.
fn text(element: ElementRef<'_>, end: Instant) -> Option<String> {
    let mut text = String::new();
    let mut unseen = 0_usize;
    for edge in element.traverse() {
        let (node, opens) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        match node.value() {
            Node::Text(piece) if opens && unseen == 0 => text.push_str(piece),
            Node::Element(inner) if UNSEEN.contains(&inner.name()) => {
                unseen = if opens { unseen + 1 } else { unseen.saturating_sub(1) };
            }
            Node::Element(inner) if !INLINE.contains(&inner.name()) => text.push(' '),
            Node::Element(_)
            | Node::Text(_)
            | Node::Document
            | Node::Fragment
            | Node::Doctype(_)
            | Node::Comment(_)
            | Node::ProcessingInstruction(_) => {}
        }
    }
    in_time(end)?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;
    use serde_json::json;

    fn policy(selectors: Value) -> Arc<dyn Policy> {
        super::super::sample::build(build, json!({ "selectors": selectors }))
    }

    async fn answered(selectors: Value, page: &str) -> String {
        let mut call = Call::sample("GET /ctx", &[], "");
        call.response.set_body(page.to_owned());
        policy(selectors).on_response(&mut call).await.unwrap();
        assert_eq!(call.response.headers[CONTENT_TYPE], JSON);
        String::from_utf8(call.response.body.bytes().unwrap().to_vec()).unwrap()
    }

    async fn one(selector: &str, page: &str) -> String {
        let json = answered(json!([{"jsonName": "x", "selector": selector}]), page).await;
        serde_json::from_str::<Value>(&json).unwrap()["x"].as_str().unwrap().to_owned()
    }

    const PAGE: &str = "<!DOCTYPE html><html><head><title> The \n Page</title><script>1 < 2</script></head>
        <body><h1 class='big'>Fish &amp; <b>Chi</b>ps</h1><ul><li>one<li>two<br>lines</ul>
        <a href='/x'>link</a><p></p></body></html>";

    #[tokio::test]
    async fn selected_texts_become_members() {
        let selectors = json!([
            {"jsonName": "title", "selector": "head > title"},
            {"jsonName": "h1", "selector": "h1.big"},
            {"jsonName": "items", "selector": "li", "array": true},
            {"jsonName": "all", "selector": "li"},
            {"jsonName": "links", "selector": "a[href^='/']", "array": true},
            {"jsonName": "none", "selector": "table"},
            {"jsonName": "nones", "selector": "table", "array": true},
            {"jsonName": "blank", "selector": "p", "array": true},
        ]);
        assert_eq!(
            answered(selectors, PAGE).await,
            r#"{"title":"The Page","h1":"Fish & Chips","items":["one","two lines"],"all":"one two lines","links":["link"],"none":"","nones":[],"blank":[""]}"#
        );
    }

    #[tokio::test]
    async fn a_text_is_what_a_reader_sees() {
        assert_eq!(one("body", "<body>a<script>b</script><style>c</style>d").await, "ad");
        assert_eq!(one("script", "<script>b</script>").await, "");
        assert_eq!(one("div", "<div>a<p>b</p>c<span>d</span><!-- e --></div>").await, "a b cd");
        assert_eq!(one("td", "<table><tr><td>1</td><td>2</td></table>").await, "1 2");
        assert_eq!(one("title", "no html {at} all").await, "");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_page() {
        let policy = policy(json!([{"jsonName": "x", "selector": "x"}]));
        let failed = async |content_type: &'static str, page: Vec<u8>| {
            let mut call = Call::sample("GET /ctx", &[], "");
            call.response.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            call.response.body = crate::call::body::Body::Bytes(page.into());
            let failure = policy.on_response(&mut call).await.err()?;
            Some((failure.status.as_u16(), failure.key.unwrap_or_default().into_owned()))
        };
        let invalid = Some((500, "HTML_INVALID_PAYLOAD".to_owned()));
        assert_eq!(failed("text/html", b"\xe9".to_vec()).await, invalid);
        assert_eq!(failed("text/html; charset=utf-7", b"a".to_vec()).await, invalid);
        assert_eq!(failed("text/html; charset=iso-8859-1", b"\xe9".to_vec()).await, None);
        let mut call = Call::sample("GET /ctx", &[], "");
        policy.on_response(&mut call).await.unwrap();
        assert!(!call.response.headers.contains_key(CONTENT_TYPE), "nothing stays nothing");
    }

    #[test]
    fn hostile_pages_end_soon() {
        let pages = [
            ("<div>".repeat(200_000), "div"),
            (format!("{}{}", "<div>".repeat(20_000), "<p>x".repeat(100_000)), "div div p"),
            (format!("{}{}", "<b>".repeat(50_000), "<p>".repeat(50_000)), "b"),
            (format!("<table>{}", "<table><tr><td>".repeat(50_000)), "td"),
            (format!("<a {}>", (0..50_000).map(|index| format!("a{index}=1 ")).collect::<String>()), "a"),
        ];
        for (page, selector) in pages {
            let selector = html_json::compile(selector).unwrap();
            let transformer = Transformer(vec![Member { name: "x".to_owned(), selector, list: true }]);
            let start = Instant::now();
            drop(transformer.json(&page));
            let took = start.elapsed();
            // One piece may be under way when the time is over.
            assert!(took < PAGE_MAX * 3, "{} takes {took:?}", &page[..20]);
        }
    }
}
