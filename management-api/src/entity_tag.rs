//! Entity tags of APIs: the version counter, which rises by one with every change of the API.

use crate::error::{ApiError, Result};
use chrono::{DateTime, Utc};
use http::header::{ETAG, IF_MATCH, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

/// The headers that state which version of an API a response shows.
pub(crate) fn headers(version: i64, updated_at: DateTime<Utc>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let modified = updated_at.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    for (name, text) in [(ETAG, format!("\"{version}\"")), (LAST_MODIFIED, modified)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Refuses a change when `If-Match` is there and names no tag of `version`.
///
/// Weak tags match, and so does a tag with the suffix `-gzip` that compressing proxies add: what counts is which
/// version the client has seen, not the bytes in which it saw it.
pub(crate) fn check_match(request: &HeaderMap, version: i64) -> Result<()> {
    let mut tags = request.get_all(IF_MATCH).iter().peekable();
    if tags.peek().is_none() {
        return Ok(());
    }
    let current = version.to_string();
    let matches = tags
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim() == "*" || opaque(tag) == current);
    if matches { Ok(()) } else { Err(ApiError::PreconditionFailed) }
}

fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let tag = tag.strip_suffix("-gzip").unwrap_or(tag);
    let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    tag.strip_suffix("-gzip").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(if_match: &str, passes: bool) {
        let mut headers = HeaderMap::new();
        headers.insert(IF_MATCH, HeaderValue::from_str(if_match).unwrap());
        assert_eq!(check_match(&headers, 7).is_ok(), passes, "{if_match}");
    }

    #[test]
    fn spellings_of_a_tag() {
        for tag in [r#""7""#, r#"W/"7""#, r#""7-gzip""#, r#""7"-gzip"#, "*", "7", r#""3", "7""#] {
            check(tag, true);
        }
        for tag in [r#""8""#, r#""77""#, r#"W/"6""#, "", r#""-gzip""#] {
            check(tag, false);
        }
        assert!(check_match(&HeaderMap::new(), 7).is_ok());
    }

    #[test]
    fn dates_are_http_dates() {
        let headers = headers(3, DateTime::from_timestamp_millis(784_111_777_123).unwrap());
        assert_eq!(headers[ETAG], "\"3\"");
        assert_eq!(headers[LAST_MODIFIED], "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
