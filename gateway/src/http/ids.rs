//! The three identifiers of an exchange: request, transaction, client.
//!
//! The client identifier names consumer groups and queues at the broker. It is inferred from who calls; a caller may
//! add to it, never replace it, so that nobody can name another caller's identifier.

use super::query;
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;

/// Response header of the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-gravitee-request-id");
/// Response header of the transaction id.
pub(crate) const TRANSACTION_ID: HeaderName = HeaderName::from_static("x-gravitee-transaction-id");
/// Response header of the client identifier.
pub(crate) const CLIENT_IDENTIFIER: HeaderName = HeaderName::from_static("x-gravitee-client-identifier");

/// The spelling of the query parameters, and of the headers that http-post copies into a message.
pub(crate) const REQUEST_ID_PARAMETER: &str = "X-Gravitee-Request-Id";
pub(crate) const TRANSACTION_ID_PARAMETER: &str = "X-Gravitee-Transaction-Id";
pub(crate) const CLIENT_IDENTIFIER_PARAMETER: &str = "X-Gravitee-Client-Identifier";

/// Longest request or transaction id taken from a caller, characters.
const ID_MAX_CHARS: usize = 128;
/// Longest part that a caller adds to the inferred client identifier, characters.
const CLIENT_IDENTIFIER_MAX_CHARS: usize = 128;

/// Identifiers of one exchange.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) request: Id,
    pub(crate) transaction: Id,
}

/// Visible ASCII, in the form in which every call needs it four times.
#[derive(Debug, Clone)]
pub(crate) struct Id(HeaderValue);

impl Id {
    /// `None`: it is no text for a header.
    fn new(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok().map(Id)
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl Ids {
    /// Takes what the caller sent, else makes new ones.
    pub(crate) fn of(headers: &HeaderMap, query: Option<&str>) -> Self {
        let sent = |name: &HeaderName, parameter: &str| {
            let text = provided(headers, query, name, parameter, |text| visible(text, ID_MAX_CHARS))?;
            Id::new(&text)
        };
        let request = sent(&REQUEST_ID, REQUEST_ID_PARAMETER).unwrap_or_else(|| {
            let mut buffer = Uuid::encode_buffer();
            // Hexadecimal digits and hyphens are a header value.
            Id(HeaderValue::from_str(Uuid::new_v4().hyphenated().encode_lower(&mut buffer))
                .unwrap_or_else(|_| HeaderValue::from_static("-")))
        });
        let transaction = sent(&TRANSACTION_ID, TRANSACTION_ID_PARAMETER).unwrap_or_else(|| request.clone());
        Ids { request, transaction }
    }

    /// Puts both into the answer's headers.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRANSACTION_ID, self.transaction.0.clone());
        headers.insert(REQUEST_ID, self.request.0.clone());
    }
}

/// Sets an identifier header. Identifiers are visible ASCII by construction.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Said to callers whose identifier cannot be used. Falling back to the inferred one would make them share a position
/// with strangers behind the same address.
const CLIENT_IDENTIFIER_UNUSABLE: &str = "The client identifier (header or query parameter X-Gravitee-Client-Identifier) \
    must be 1 to 128 visible ASCII characters.";

/// The effective client identifier of a caller who is known as `inferred`; an error text when the caller sent one that
/// cannot be used. An empty one is as none.
pub(crate) fn client_identifier(
    inferred: &Arc<str>,
    headers: &HeaderMap,
    query: Option<&str>,
) -> Result<Arc<str>, &'static str> {
    let header = match headers.get(&CLIENT_IDENTIFIER).map(HeaderValue::to_str) {
        Some(Err(_)) => return Err(CLIENT_IDENTIFIER_UNUSABLE),
        Some(Ok(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        None => None,
    };
    let sent =
        header.or_else(|| query::first(query, CLIENT_IDENTIFIER_PARAMETER)).filter(|text| !text.is_empty());
    let Some(sent) = sent else { return Ok(Arc::clone(inferred)) };
    let own = sent.starts_with(&**inferred);
    let longest = CLIENT_IDENTIFIER_MAX_CHARS + if own { inferred.len() + 1 } else { 0 };
    match visible(&sent, longest) {
        false => Err(CLIENT_IDENTIFIER_UNUSABLE),
        true if own => Ok(sent.into()),
        true => Ok(format!("{inferred}-{sent}").into()),
    }
}

/// What a key-less caller is known as: the hash of the address, so that brokers and logs do not show it.
pub(crate) fn inferred_from_address(address: IpAddr) -> Arc<str> {
    let digest = Sha256::digest(address.to_canonical().to_string().as_bytes());
    let mut text = String::with_capacity(64);
    for byte in digest {
        // Writing to a string does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text.into()
}

fn provided(
    headers: &HeaderMap,
    query: Option<&str>,
    name: &HeaderName,
    parameter: &str,
    acceptable: impl Fn(&str) -> bool,
) -> Option<String> {
    let header = headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    match header {
        Some(text) if acceptable(text) => Some(text.to_owned()),
        _ => query::first(query, parameter).filter(|text| acceptable(text)),
    }
}

fn visible(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.clone(), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_request_id_comes_from_header_then_query_then_chance() {
        let ids = |headers: &HeaderMap, query| Ids::of(headers, query).request.as_str().to_owned();
        assert_eq!(ids(&headers(&REQUEST_ID, "r1"), Some("X-Gravitee-Request-Id=r2")), "r1");
        assert_eq!(ids(&HeaderMap::new(), Some("X-Gravitee-Request-Id=r2")), "r2");
        assert_eq!(ids(&headers(&REQUEST_ID, "has blank"), Some("X-Gravitee-Request-Id=r2")), "r2");
        assert_eq!(ids(&headers(&REQUEST_ID, &"x".repeat(129)), None).len(), 36);
        assert_eq!(ids(&HeaderMap::new(), Some("X-Gravitee-Request-Id=%0d%0aset-cookie:x")).len(), 36);
    }

    #[test]
    fn a_transaction_id_falls_back_to_the_request_id() {
        let ids = Ids::of(&headers(&REQUEST_ID, "r1"), None);
        assert_eq!(ids.transaction.as_str(), "r1");
        let ids = Ids::of(&headers(&REQUEST_ID, "r1"), Some("X-Gravitee-Transaction-Id=t1"));
        assert_eq!(ids.transaction.as_str(), "t1");
    }

    #[test]
    fn a_client_identifier_always_begins_with_who_calls() {
        let me: Arc<str> = "0123".into();
        let effective = |value: &str| {
            client_identifier(&me, &headers(&CLIENT_IDENTIFIER, value), None).unwrap().to_string()
        };
        assert_eq!(effective("tab-1"), "0123-tab-1");
        assert_eq!(effective("0123"), "0123");
        assert_eq!(effective(&effective("tab-1")), "0123-tab-1");
        assert_eq!(effective(&effective(&"x".repeat(128))), format!("0123-{}", "x".repeat(128)));
        assert_eq!(effective("4567-tab"), "0123-4567-tab");
        assert_eq!(effective(" "), "0123");
        let query = Some("X-Gravitee-Client-Identifier=tab-2");
        assert_eq!(&*client_identifier(&me, &HeaderMap::new(), query).unwrap(), "0123-tab-2");
        for unusable in ["a b".to_owned(), "x".repeat(129), "\t\u{e9}".to_owned()] {
            let query = format!("X-Gravitee-Client-Identifier={}", unusable.replace(' ', "%20"));
            assert!(client_identifier(&me, &HeaderMap::new(), Some(&query)).is_err(), "{unusable}");
        }
        assert!(client_identifier(&me, &headers(&CLIENT_IDENTIFIER, "a b"), None).is_err());
    }

    #[test]
    fn an_address_is_hashed() {
        let expected = "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0";
        assert_eq!(&*inferred_from_address("127.0.0.1".parse().unwrap()), expected);
        assert_eq!(&*inferred_from_address("::ffff:127.0.0.1".parse().unwrap()), expected);
    }
}
