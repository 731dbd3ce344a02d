//! Entrypoint `http-get`: one response that collects messages up to a count or a duration.
//!
//! Items are written as they arrive and count as delivered when they are written to the socket. The cursor that the
//! response ends with is the position after the last of them.

mod collect;
mod print;

use super::{Entrypoint, Exchange, Handler, accept};
use crate::call::body::Body;
use crate::endpoint::Shared;
use crate::failure::Failure;
use crate::http::reply::Reply;
use async_trait::async_trait;
use collect::{Collect, Plan, Start};
use definition::api::{Qos, Settings};
use definition::connector::http_get::HttpGet;
use definition::violation::Violation;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use print::{Format, Printer};

/// Builds the entrypoint.
pub(crate) fn build(settings: &Settings, _shared: &Shared) -> Result<Handler, Vec<Violation>> {
    Ok(Handler::Messages(Box::new(Get { settings: HttpGet::parse(settings)? })))
}

struct Get {
    settings: HttpGet,
}

#[async_trait]
impl Entrypoint for Get {
    fn matches(&self, head: &Parts) -> bool {
        head.method == Method::GET
    }

    async fn handle(&self, exchange: Exchange<'_>, _body: Body) -> Result<Reply, Failure> {
        let format = negotiate(&exchange.head.headers)?;
        let sent_limit = exchange.query("limit").filter(|limit| !limit.is_empty());
        let count = limit(sent_limit.as_deref(), self.settings.messages_limit_count)?;
        let duration = self.settings.limit_duration();
        let cursor = exchange.query("cursor").filter(|cursor| !cursor.is_empty());
        let request = exchange.reader(cursor, Some(count), duration);
        let start = Start { cursor: request.starting_cursor.clone(), sent: request.recovery.clone() };
        let source = match count {
            // Nothing is asked for: no reason to open a consumer.
            0 => Box::pin(futures::stream::empty()),
            _ => exchange.endpoint.subscribe(request).await?,
        };
        let printer = Printer {
            format,
            headers: self.settings.headers_in_payload,
            metadata: self.settings.metadata_in_payload,
        };
        let mut head = Response::new(());
        head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        let acknowledged = matches!(exchange.qos, Qos::AtMostOnce | Qos::AtLeastOnce);
        let start = acknowledged.then_some(start);
        let plan = Plan { printer, count, duration, sent_limit, start };
        Ok(Reply::Stream { head, frames: Box::pin(Collect::new(source, plan, &exchange)) })
    }
}

/// The best of the three formats; else what the caller likes best decides, which only `*/*` and silence can.
fn negotiate(headers: &HeaderMap) -> Result<Format, Failure> {
    let ranked = accept::ranked(headers);
    if let Some(format) = ranked.iter().find_map(|media| Format::of(&media.name)) {
        return Ok(format);
    }
    let sent: Vec<_> = accept::values(headers).collect();
    match ranked.first() {
        None if sent.is_empty() => Ok(Format::Text),
        Some(best) if best.name == "*/*" => Ok(Format::Json),
        _ => {
            let message = format!("Unsupported accept header: [{}]", sent.join(", "));
            Err(Failure::plain(StatusCode::BAD_REQUEST, message))
        }
    }
}

/// The number of messages: what the caller asks for, within what the API allows.
fn limit(sent: Option<&str>, configured: u32) -> Result<usize, Failure> {
    let configured = usize::try_from(configured).unwrap_or(usize::MAX);
    let Some(sent) = sent else { return Ok(configured) };
    match sent.parse::<u64>() {
        Ok(limit) => Ok(usize::try_from(limit).unwrap_or(usize::MAX).min(configured)),
        Err(_) => {
            let message = "The query parameter `limit` must be a whole number of messages, 0 or greater.";
            Err(Failure::plain(StatusCode::BAD_REQUEST, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::ACCEPT;

    #[test]
    fn the_accept_header_chooses_the_format() {
        let check = |accept: &[&str], expected: &str| {
            let values = accept.iter().map(|value| (ACCEPT, HeaderValue::from_str(value).unwrap()));
            let mut headers = HeaderMap::new();
            values.for_each(|(name, value)| {
                headers.append(name, value);
            });
            let found = match negotiate(&headers) {
                Ok(format) => format.content_type().to_owned(),
                Err(failure) => failure.to_string(),
            };
            assert_eq!(found, expected, "{accept:?}");
        };
        check(&[], "text/plain");
        check(&["*/*"], "application/json");
        check(&["application/json;q=0.2, application/xml;q=0.9"], "application/xml");
        check(&["text/html", "text/plain;q=0.1"], "text/plain");
        check(&["application/json;q=0, */*;q=0.1"], "application/json");
        check(&["text/html"], "400 Bad Request Unsupported accept header: [text/html]");
        check(&["application/*"], "400 Bad Request Unsupported accept header: [application/*]");
        let both = "400 Bad Request Unsupported accept header: [text/html, */*;q=0.1]";
        check(&["text/html, */*;q=0.1"], both);
        check(&["text/html", "*/*;q=0.1"], both);
    }

    #[test]
    fn a_limit_is_a_number_within_the_configured_one() {
        assert_eq!(limit(None, 500).unwrap(), 500);
        assert_eq!(limit(Some("3"), 500).unwrap(), 3);
        assert_eq!(limit(Some("501"), 500).unwrap(), 500);
        assert_eq!(limit(Some("0"), 500).unwrap(), 0);
        for wrong in ["-1", "abc", "1.5", " 1", "99999999999999999999"] {
            assert_eq!(limit(Some(wrong), 500).unwrap_err().status, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
