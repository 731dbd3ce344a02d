//! A collected response in its three formats, in the pieces in which it is written: opening, items, tail.

use crate::entrypoint::sse::format::{grouped, text};
use crate::message::Message;
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Format of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
    Text,
}

impl Format {
    /// The format of a media type.
    pub(super) fn of(media_type: &str) -> Option<Format> {
        [Format::Json, Format::Xml, Format::Text]
            .into_iter()
            .find(|format| format.content_type() == media_type)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json",
            Format::Xml => "application/xml",
            Format::Text => "text/plain",
        }
    }
}

/// Prints a response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    pub(super) format: Format,
    /// Whether items carry headers.
    pub(super) headers: bool,
    /// Whether items carry metadata.
    pub(super) metadata: bool,
}

/// What follows the items.
#[derive(Debug, Default)]
pub(super) struct Tail<'a> {
    pub(super) error: Option<&'a Message>,
    pub(super) cursor: Option<&'a str>,
    /// As the caller sent it.
    pub(super) limit: Option<&'a str>,
}

impl Printer {
    /// What comes before the first item.
    pub(super) fn opening(self) -> &'static str {
        match self.format {
            Format::Json => "{\"items\":[",
            Format::Xml => "<response><items>",
            Format::Text => "items\n",
        }
    }

    /// One item with what separates it from the one before.
    pub(super) fn item(self, message: &Message, first: bool) -> String {
        let mut out = String::with_capacity(message.content.as_ref().map_or(0, bytes::Bytes::len) + 64);
        match self.format {
            Format::Json => {
                out.push_str(if first { "" } else { "," });
                self.json(&mut out, message);
            }
            Format::Xml => self.xml(&mut out, "item", message),
            Format::Text => {
                out.push_str(if first { "" } else { "\n" });
                self.text(&mut out, "item", message);
            }
        }
        out
    }

    /// The end of the items and everything behind them.
    pub(super) fn tail(self, tail: &Tail<'_>) -> String {
        let mut out = String::new();
        match self.format {
            Format::Json => {
                out.push(']');
                if let Some(error) = tail.error {
                    out.push_str(",\"error\":");
                    self.json(&mut out, error);
                }
                if let Some(cursor) = tail.cursor {
                    put(&mut out, format_args!(",\"pagination\":{{\"nextCursor\":{}", json_text(cursor)));
                    if let Some(limit) = tail.limit {
                        put(&mut out, format_args!(",\"limit\":{}", json_text(limit)));
                    }
                    out.push('}');
                }
                out.push('}');
            }
            Format::Xml => {
                out.push_str("</items>");
                if let Some(error) = tail.error {
                    self.xml(&mut out, "error", error);
                }
                if let Some(cursor) = tail.cursor {
                    put(&mut out, format_args!("<pagination><nextCursor>{}</nextCursor>", escaped(cursor)));
                    if let Some(limit) = tail.limit {
                        put(&mut out, format_args!("<limit>{}</limit>", escaped(limit)));
                    }
                    out.push_str("</pagination>");
                }
                out.push_str("</response>");
            }
            Format::Text => {
                if let Some(error) = tail.error {
                    out.push('\n');
                    self.text(&mut out, "error", error);
                }
                if let Some(cursor) = tail.cursor {
                    put(&mut out, format_args!("\npagination\nnextCursor: {cursor}"));
                    if let Some(limit) = tail.limit {
                        put(&mut out, format_args!("\nlimit: {limit}"));
                    }
                }
            }
        }
        out
    }

    fn json(self, out: &mut String, message: &Message) {
        out.push('{');
        if let Some(id) = &message.id {
            put(out, format_args!("\"id\":{},", json_text(id)));
        }
        put(out, format_args!("\"content\":{}", json_text(&content(message))));
        if self.headers {
            let members = grouped(&message.headers).into_iter().map(|(name, values)| {
                let values: Vec<_> = values.into_iter().map(json_text).collect();
                format!("{}:[{}]", json_text(name), values.join(","))
            });
            put(out, format_args!(",\"headers\":{{{}}}", joined(members, ",")));
        }
        if self.metadata {
            let members = message.metadata.iter().map(|(name, value)| format!("{}:{value}", json_text(name)));
            put(out, format_args!(",\"metadata\":{{{}}}", joined(members, ",")));
        }
        out.push('}');
    }

    fn xml(self, out: &mut String, element: &str, message: &Message) {
        put(out, format_args!("<{element}>"));
        if let Some(id) = &message.id {
            put(out, format_args!("<id>{}</id>", escaped(id)));
        }
        // The one sequence that ends a section of character data is split over two of them.
        let content = legal(&content(message)).replace("]]>", "]]]]><![CDATA[>");
        put(out, format_args!("<content><![CDATA[{content}]]></content>"));
        let member = |name: &str, value: &str| {
            let name = element_name(name);
            format!("<{name}>{}</{name}>", escaped(value))
        };
        if self.headers {
            let members =
                grouped(&message.headers).into_iter().map(|(name, values)| member(name, &values.join(",")));
            put(out, format_args!("<headers>{}</headers>", joined(members, "")));
        }
        if self.metadata {
            let members = message.metadata.iter().map(|(name, value)| member(name, &text(value)));
            put(out, format_args!("<metadata>{}</metadata>", joined(members, "")));
        }
        put(out, format_args!("</{element}>"));
    }

    fn text(self, out: &mut String, title: &str, message: &Message) {
        put(out, format_args!("{title}\n"));
        if let Some(id) = &message.id {
            put(out, format_args!("id: {id}\n"));
        }
        put(out, format_args!("content: {}\n", content(message)));
        if self.headers {
            let groups = grouped(&message.headers).into_iter();
            let members = groups.map(|(name, values)| format!("{name}=[{}]", values.join(", ")));
            put(out, format_args!("headers: {{{}}}\n", joined(members, ", ")));
        }
        if self.metadata {
            let members = message.metadata.iter().map(|(name, value)| format!("{name}={}", text(value)));
            put(out, format_args!("metadata: {{{}}}\n", joined(members, ", ")));
        }
    }
}

/// Writing to a string does not fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).ok();
}

fn joined(members: impl Iterator<Item = String>, separator: &str) -> String {
    members.collect::<Vec<_>>().join(separator)
}

fn content(message: &Message) -> Cow<'_, str> {
    String::from_utf8_lossy(message.content.as_deref().unwrap_or_default())
}

fn json_text(text: &str) -> String {
    Value::from(text).to_string()
}

/// Text for an element: markup is escaped, and what XML cannot hold at all is replaced.
fn escaped(text: &str) -> String {
    legal(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Control characters do not exist in XML, not even escaped.
fn legal(text: &str) -> Cow<'_, str> {
    let illegal = |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    if text.contains(illegal) { text.replace(illegal, "\u{fffd}").into() } else { text.into() }
}

/// A name that is legal for an element: other characters become `_`.
fn element_name(name: &str) -> String {
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    let inner = |c: char| start(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
    let name: String = name.chars().map(|c| if inner(c) { c } else { '_' }).collect();
    if name.starts_with(start) { name } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(id: Option<&str>, content: &str) -> Message {
        let mut message = Message::new(Some(content.to_owned().into()));
        message.id = id.map(str::to_owned);
        message
    }

    fn rich() -> Message {
        let mut message = message(None, "x");
        let headers = [("X-A", "1"), ("X-B", "b"), ("x-a", "2")];
        message.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        message.metadata =
            vec![("partition".into(), json!(0)), ("offset".into(), json!(7)), ("topic".into(), json!("t"))];
        message
    }

    fn print(printer: Printer, items: &[Message], tail: &Tail<'_>) -> String {
        let items = items.iter().enumerate().map(|(index, item)| printer.item(item, index == 0));
        [printer.opening().to_owned(), items.collect(), printer.tail(tail)].concat()
    }

    fn plain(format: Format) -> Printer {
        Printer { format, headers: false, metadata: false }
    }

    #[test]
    fn json_is_one_object_with_content_as_text() {
        let json = plain(Format::Json);
        assert_eq!(print(json, &[], &Tail::default()), r#"{"items":[]}"#);
        let items = [message(Some("0"), r#"{"a":1}"#), message(Some("1"), "\u{1}")];
        let tail = Tail { cursor: Some("1"), limit: Some("2"), error: None };
        let expected = concat!(
            r#"{"items":[{"id":"0","content":"{\"a\":1}"},{"id":"1","content":"\u0001"}],"#,
            r#""pagination":{"nextCursor":"1","limit":"2"}}"#
        );
        assert_eq!(print(json, &items, &tail), expected);
        let goaway = message(Some("goaway"), "bye");
        let tail = Tail { error: Some(&goaway), ..Tail::default() };
        assert_eq!(print(json, &[], &tail), r#"{"items":[],"error":{"id":"goaway","content":"bye"}}"#);
        let all = Printer { format: Format::Json, headers: true, metadata: true };
        let expected = concat!(
            r#"{"content":"x","headers":{"X-A":["1","2"],"X-B":["b"]},"#,
            r#""metadata":{"partition":0,"offset":7,"topic":"t"}}"#
        );
        assert_eq!(all.item(&rich(), true), expected);
        assert_eq!(all.item(&Message::new(None), false), r#",{"content":"","headers":{},"metadata":{}}"#);
    }

    #[test]
    fn xml_stays_well_formed() {
        let xml = plain(Format::Xml);
        assert_eq!(print(xml, &[], &Tail::default()), "<response><items></items></response>");
        let items = [message(Some("a<b&\u{2}"), "]]><x>\u{0}")];
        let error = message(None, "e");
        let tail = Tail { cursor: Some("t@0#1;>"), limit: Some("1"), error: Some(&error) };
        let expected = concat!(
            "<response><items><item><id>a&lt;b&amp;\u{fffd}</id><content><![CDATA[]]]]><![CDATA[><x>\u{fffd}]]></content></item>",
            "</items><error><content><![CDATA[e]]></content></error>",
            "<pagination><nextCursor>t@0#1;&gt;</nextCursor><limit>1</limit></pagination></response>"
        );
        assert_eq!(print(xml, &items, &tail), expected);
        let all = Printer { format: Format::Xml, headers: true, metadata: true };
        let mut item = rich();
        item.headers = vec![("1 a<b".to_owned(), "<v>".to_owned())];
        let expected = concat!(
            "<item><content><![CDATA[x]]></content><headers><_1_a_b>&lt;v&gt;</_1_a_b></headers>",
            "<metadata><partition>0</partition><offset>7</offset><topic>t</topic></metadata></item>"
        );
        assert_eq!(all.item(&item, true), expected);
    }

    #[test]
    fn text_is_blocks_of_lines() {
        let text = plain(Format::Text);
        assert_eq!(print(text, &[], &Tail::default()), "items\n");
        let items = [message(Some("0"), "{\"a\":1}"), message(Some("1"), "{\"a\":1}")];
        let tail = Tail { cursor: Some("1"), limit: Some("2"), error: None };
        let expected = concat!(
            "items\nitem\nid: 0\ncontent: {\"a\":1}\n\nitem\nid: 1\ncontent: {\"a\":1}\n",
            "\npagination\nnextCursor: 1\nlimit: 2"
        );
        assert_eq!(print(text, &items, &tail), expected);
        let all = Printer { format: Format::Text, headers: true, metadata: true };
        let expected =
            "item\ncontent: x\nheaders: {X-A=[1, 2], X-B=[b]}\nmetadata: {partition=0, offset=7, topic=t}\n";
        assert_eq!(all.item(&rich(), true), expected);
        let error = message(None, "e");
        let tail = Tail { error: Some(&error), ..Tail::default() };
        assert_eq!(text.tail(&tail), "\nerror\ncontent: e\n");
    }
}
