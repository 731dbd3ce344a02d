//! Server-sent events as bytes. Lines inside a value never reach the wire as lines of their own: content is split
//! into `data` lines, everything else loses its line ends.

use crate::message::Message;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashSet;

/// Keeps proxies and clients from giving an idle stream up.
pub(super) const HEARTBEAT: &str = ":\n\n";

/// Which parts of a message become comments.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comments {
    pub(super) headers: bool,
    pub(super) metadata: bool,
}

/// Appends the event of a message.
pub(super) fn message(out: &mut Vec<u8>, message: &Message, comments: Comments) {
    event(out, message.id.as_deref(), "message", message.content.as_deref());
    if comments.headers {
        let hidden: HashSet<String> = match comments.metadata {
            true => message.metadata.iter().map(|(name, _)| name.to_ascii_lowercase()).collect(),
            false => HashSet::new(),
        };
        for (name, values) in grouped(&message.headers) {
            if !hidden.contains(&name.to_ascii_lowercase()) {
                comment(out, name, &values.join(","));
            }
        }
    }
    if comments.metadata {
        for (name, value) in &message.metadata {
            comment(out, name, &text(value));
        }
    }
    out.push(b'\n');
}

/// The event that tells of a failure.
pub(super) fn error(id: &str, content: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 80);
    event(&mut out, Some(id), "error", Some(content.as_bytes()));
    out.push(b'\n');
    out
}

/// The opening of a stream.
pub(super) fn retry(pause_ms: u64) -> String {
    format!("retry: {pause_ms}\n\n")
}

/// The end of a stream whose API or node goes away: when to come back, then why.
pub(super) fn goaway(pause_ms: u64, content: &str) -> String {
    format!("{}event: goaway\ndata: {content}\n\n", retry(pause_ms))
}

/// Headers by name without case, in the order of their first appearance.
pub(crate) fn grouped(headers: &[(String, String)]) -> Vec<(&str, Vec<&str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, value) in headers {
        match groups.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    groups
}

/// A metadata value without the quotes of JSON.
pub(crate) fn text(value: &Value) -> Cow<'_, str> {
    match value.as_str() {
        Some(text) => Cow::Borrowed(text),
        None => Cow::Owned(value.to_string()),
    }
}

/// Everything but the comments and the empty line at the end.
fn event(out: &mut Vec<u8>, id: Option<&str>, name: &str, content: Option<&[u8]>) {
    // A client ignores an id that holds a NUL; a line end would forge a field.
    if let Some(id) = id.filter(|id| !id.contains(['\n', '\r', '\0'])) {
        line(out, "id: ", id.as_bytes());
    }
    line(out, "event: ", name.as_bytes());
    let Some(content) = content else { return };
    match String::from_utf8_lossy(content) {
        Cow::Borrowed(_) => data(out, content),
        Cow::Owned(replaced) => data(out, replaced.as_bytes()),
    }
}

/// One `data` line per line; LF, CRLF and CR end a line, as they do for the reader.
fn data(out: &mut Vec<u8>, mut content: &[u8]) {
    while let Some(end) = content.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        line(out, "data: ", &content[..end]);
        let skip = if content[end..].starts_with(b"\r\n") { 2 } else { 1 };
        content = &content[end + skip..];
    }
    line(out, "data: ", content);
}

fn comment(out: &mut Vec<u8>, name: &str, value: &str) {
    let flat = |text: &str| text.replace(['\r', '\n'], " ");
    line(out, ":", format!("{}: {}", flat(name), flat(value)).as_bytes());
}

fn line(out: &mut Vec<u8>, field: &str, value: &[u8]) {
    out.extend_from_slice(field.as_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NO_COMMENTS: Comments = Comments { headers: false, metadata: false };

    fn check(message_: &Message, comments: Comments, expected: &str) {
        let mut out = Vec::new();
        message(&mut out, message_, comments);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    fn content(text: &'static [u8]) -> Message {
        Message::new(Some(text.into()))
    }

    #[test]
    fn a_message_is_an_event_with_one_data_line_per_line() {
        check(&content(b"{\"a\":1}"), NO_COMMENTS, "event: message\ndata: {\"a\":1}\n\n");
        check(
            &content(b"a\nb\r\nc\rd"),
            NO_COMMENTS,
            "event: message\ndata: a\ndata: b\ndata: c\ndata: d\n\n",
        );
        check(&content(b"a\n\n"), NO_COMMENTS, "event: message\ndata: a\ndata: \ndata: \n\n");
        check(&content(b""), NO_COMMENTS, "event: message\ndata: \n\n");
        check(&content(b"\xff"), NO_COMMENTS, "event: message\ndata: \u{fffd}\n\n");
        check(&Message::new(None), NO_COMMENTS, "event: message\n\n");
    }

    #[test]
    fn an_id_is_printed_unless_it_would_forge_a_field() {
        let mut message = content(b"x");
        message.id = Some("7".into());
        check(&message, NO_COMMENTS, "id: 7\nevent: message\ndata: x\n\n");
        message.id = Some("7\nevent: error".into());
        check(&message, NO_COMMENTS, "event: message\ndata: x\n\n");
    }

    #[test]
    fn headers_and_metadata_are_comments_when_asked_for() {
        let mut message = content(b"x");
        let headers = [("X-A", "1"), ("x-a", "2"), ("X-B", "a\nid: 9"), ("Topic", "hidden")];
        message.headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        message.metadata = vec![("topic".into(), json!("t")), ("offset".into(), json!(3))];
        let event = "event: message\ndata: x\n";
        let both = Comments { headers: true, metadata: true };
        check(&message, both, &format!("{event}:X-A: 1,2\n:X-B: a id: 9\n:topic: t\n:offset: 3\n\n"));
        let headers = Comments { headers: true, metadata: false };
        check(&message, headers, &format!("{event}:X-A: 1,2\n:X-B: a id: 9\n:Topic: hidden\n\n"));
    }

    #[test]
    fn the_ends_of_a_stream_are_events() {
        assert_eq!(goaway(1500, "bye"), "retry: 1500\n\nevent: goaway\ndata: bye\n\n");
        assert_eq!(error("u", "a\nb"), b"id: u\nevent: error\ndata: a\ndata: b\n\n");
    }
}
