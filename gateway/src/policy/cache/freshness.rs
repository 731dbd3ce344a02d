//! How long an answer may be kept, by what its backend says about it.

use chrono::{DateTime, Utc};
use http::HeaderMap;
use http::header::{CACHE_CONTROL, EXPIRES};
use std::time::Duration;

/// The time that the headers give; `None`: they say nothing. Zero: the answer must not be kept.
pub(super) fn time_to_live(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let (mut shared, mut private) = (None, None);
    for directive in headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok()) {
        for directive in directive.split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            let seconds = value.trim().trim_matches('"').parse().ok().map(Duration::from_secs);
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "no-cache" | "private" => return Some(Duration::ZERO),
                "s-maxage" => shared = seconds,
                "max-age" => private = seconds,
                _ => {}
            }
        }
    }
    shared.or(private).or_else(|| until_expiry(headers, now))
}

fn until_expiry(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let expires = headers.get(EXPIRES)?.to_str().ok()?;
    // A date that cannot be read is one in the past.
    let expires = DateTime::parse_from_rfc2822(expires.trim()).ok();
    let left = expires.map(|expires| (expires.with_timezone(&Utc) - now).to_std().unwrap_or_default());
    Some(left.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn the_most_special_header_counts() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z").unwrap().with_timezone(&Utc);
        let check = |headers: &[(&'static str, &'static str)], expected: Option<u64>| {
            let pair = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let map: HeaderMap = headers.iter().map(pair).collect();
            assert_eq!(time_to_live(&map, now).map(|time| time.as_secs()), expected, "{headers:?}");
        };
        let expires = ("expires", "Thu, 01 Jan 2026 00:00:30 GMT");
        check(&[], None);
        check(&[("cache-control", "public")], None);
        check(&[("cache-control", "public, Max-Age=10, s-maxage=\"20\""), expires], Some(20));
        check(&[("cache-control", "max-age=10"), expires], Some(10));
        check(&[expires], Some(30));
        check(&[("expires", "Wed, 31 Dec 2025 00:00:00 GMT")], Some(0));
        check(&[("expires", "0")], Some(0));
        check(&[("cache-control", "max-age=10, private")], Some(0));
        check(&[("cache-control", "no-store"), expires], Some(0));
    }
}
