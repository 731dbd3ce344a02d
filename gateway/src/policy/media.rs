//! Media types, as far as policies that change content must tell them apart.

use crate::message::Message;
use definition::expression::Needs;
use definition::policy::Phase;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// The value of the header `Content-Type`.
pub(super) fn of_headers(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok())
}

/// The value of the header `Content-Type` of a message.
pub(super) fn of_message(message: &Message) -> Option<&str> {
    let header = message.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    header.map(|(_, value)| value.as_str())
}

/// Sets the header `Content-Type` of a message.
pub(super) fn set_of_message(message: &mut Message, value: &str) {
    message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(CONTENT_TYPE.as_str()));
    message.headers.push(("Content-Type".to_owned(), value.to_owned()));
}

/// The body that a policy changes in this phase.
pub(super) fn own_content(phase: Phase) -> Needs {
    Needs {
        request_content: phase == Phase::Request,
        response_content: phase == Phase::Response,
        ..Needs::default()
    }
}

/// What content that cannot be read means: what clients send is their fault, what comes from behind is not.
pub(super) fn status_of_content(phase: Phase) -> StatusCode {
    match phase {
        Phase::Request | Phase::Publish => StatusCode::BAD_REQUEST,
        Phase::Response | Phase::Subscribe => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whether a media type is JSON: `application/json`, or any with the suffix `+json`.
pub(super) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// The text of a body, by the `charset` of its media type: UTF-8 when it names none. `None`: it is no text in it, or the
/// character set is unknown.
pub(super) fn text(content_type: Option<&str>, bytes: &[u8]) -> Option<String> {
    let parameters = content_type.into_iter().flat_map(|value| value.split(';').skip(1));
    let charset = parameters.filter_map(|parameter| parameter.split_once('=')).find_map(|(name, value)| {
        let value = value.trim().trim_matches('"').to_ascii_lowercase();
        name.trim().eq_ignore_ascii_case("charset").then_some(value)
    });
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Some("iso-8859-1" | "latin1") => Some(bytes.iter().copied().map(char::from).collect()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charset_is_honoured_or_refused() {
        assert_eq!(text(None, "é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(text(Some("text/xml; charset=\"ISO-8859-1\""), b"\xe9").as_deref(), Some("é"));
        assert_eq!(text(Some("text/xml"), b"\xe9"), None);
        assert_eq!(text(Some("text/xml;charset=utf-7"), b"a"), None);
        assert!(
            is_json("Application/JSON; charset=utf-8")
                && is_json("application/a+json")
                && !is_json("text/json5")
        );
    }
}
