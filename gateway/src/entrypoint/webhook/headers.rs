//! The headers of a call. Of two sources that name the same header the first one wins: what policies set on the response,
//! then the message, then the subscription.

use crate::http::hop;
use crate::http::ids;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Headers of the connection and of the framing: they are this gateway's, whatever a message carries along. `Host` is
/// that of the callback.
const OURS: [HeaderName; 11] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    HOST,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// What the headers of a call are made of.
pub(super) struct Sources<'a> {
    pub(super) policies: &'a HeaderMap,
    pub(super) message: &'a [(String, String)],
    pub(super) subscription: &'a HeaderMap,
    /// Says who calls; nobody may pretend to be somebody else.
    pub(super) client_identifier: &'a str,
    /// Of the subscription's credentials, which nothing else replaces.
    pub(super) authorization: Option<&'a HeaderValue>,
}

/// The headers of one call. What cannot be a header of HTTP is left out.
pub(super) fn merge(sources: &Sources<'_>) -> HeaderMap {
    let mut headers = sources.policies.clone();
    fill(
        &mut headers,
        sources.message.iter().filter_map(|(name, value)| {
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
        }),
    );
    let own = sources.subscription.iter().map(|(name, value)| (name.clone(), value.clone()));
    fill(&mut headers, own);
    hop::strip_named(&mut headers);
    for name in &OURS {
        headers.remove(name);
    }
    if let Some(authorization) = sources.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    ids::put(&mut headers, ids::CLIENT_IDENTIFIER, sources.client_identifier);
    headers
}

/// Adds the headers of names that are not there yet, each with all its values.
fn fill(headers: &mut HeaderMap, more: impl Iterator<Item = (HeaderName, HeaderValue)>) {
    let mut added = HeaderMap::new();
    for (name, value) in more.filter(|(name, _)| !headers.contains_key(name)) {
        added.append(name, value);
    }
    headers.extend(added);
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    fn merged(
        policies: &[(&'static str, &'static str)],
        message: &[(&str, &str)],
        subscription: &[(&'static str, &'static str)],
        authorization: Option<&'static str>,
    ) -> String {
        let message: Vec<_> =
            message.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let headers = merge(&Sources {
            policies: &map(policies),
            message: &message,
            subscription: &map(subscription),
            client_identifier: "s-1",
            authorization: authorization.map(HeaderValue::from_static).as_ref(),
        });
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.retain(|line| line != "x-gravitee-client-identifier: s-1");
        assert_eq!(lines.len() + 1, headers.len());
        lines.join(", ")
    }

    #[test]
    fn policies_win_over_messages_and_messages_over_subscriptions() {
        let found = merged(
            &[("x-a", "policy")],
            &[("X-A", "message"), ("X-B", "message"), ("x-b", "again")],
            &[("x-a", "subscription"), ("x-b", "subscription"), ("x-c", "one"), ("x-c", "two")],
            None,
        );
        assert_eq!(found, "x-a: policy, x-b: again, x-b: message, x-c: one, x-c: two");
    }

    #[test]
    fn framing_connection_and_identity_are_the_gateways() {
        let message = [
            ("Host", "inside"),
            ("Content-Length", "1"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "x-hop"),
            ("X-Hop", "1"),
            ("Expect", "100-continue"),
            ("X-Gravitee-Client-Identifier", "somebody"),
            ("no name", "1"),
            ("x-lines", "a\r\nx-smuggled: 1"),
            ("X-Kept", "1"),
        ];
        assert_eq!(merged(&[], &message, &[], None), "x-kept: 1");
    }

    #[test]
    fn credentials_of_the_subscription_are_not_replaced() {
        let message = [("authorization", "Bearer of-the-publisher")];
        assert_eq!(merged(&[], &message, &[], Some("Basic own")), "authorization: Basic own");
        assert_eq!(merged(&[], &message, &[], None), "authorization: Bearer of-the-publisher");
    }
}
