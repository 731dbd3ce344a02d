//! Query parameters: `+` is a space, `%XX` a byte; what is not valid UTF-8 is replaced.

use http::Uri;
use http::uri::PathAndQuery;

/// The first value of a parameter, decoded. `None`: the parameter is absent.
pub(crate) fn first(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
}

/// Takes every value of a parameter out of a target; everything else stays as it was written.
pub(crate) fn remove(uri: &mut Uri, name: &str) {
    let Some(query) = uri.query() else { return };
    let kept = |pair: &&str| decode(pair.split_once('=').map_or(*pair, |(key, _)| key)) != name;
    let rest: Vec<&str> = query.split('&').filter(kept).collect();
    if rest.len() == query.split('&').count() {
        return;
    }
    let path = uri.path();
    let target = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    let mut parts = std::mem::take(uri).into_parts();
    // Parts of a valid target are a valid target.
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

/// Decodes `%XX`; a `+` stays one.
pub(crate) fn percent_decoded(text: &str) -> String {
    decode(&text.replace('+', "%2B"))
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_and_the_first_one_counts() {
        let query = Some("a=1&b=x%20y+z%C3%A9&b=2&c&d=%zz%4&e=%ff");
        assert_eq!(first(query, "a").as_deref(), Some("1"));
        assert_eq!(first(query, "b").as_deref(), Some("x y zé"));
        assert_eq!(first(query, "c").as_deref(), Some(""));
        assert_eq!(first(query, "d").as_deref(), Some("%zz%4"));
        assert_eq!(first(query, "e").as_deref(), Some("\u{fffd}"));
        assert_eq!(first(query, "f"), None);
        assert_eq!(first(None, "a"), None);
    }

    #[test]
    fn a_parameter_is_taken_out_and_the_rest_stays_as_written() {
        let without = |target: &str| {
            let mut uri: Uri = target.parse().unwrap();
            remove(&mut uri, "k");
            uri.to_string()
        };
        assert_eq!(without("/a?x=%20+&k=1&k&%6b=2&y"), "/a?x=%20+&y");
        assert_eq!(without("/a?k=1"), "/a");
        assert_eq!(without("/a?kk=1"), "/a?kk=1");
        assert_eq!(without("/a"), "/a");
        assert_eq!(without("http://h:1/a?k=1&z=2"), "http://h:1/a?z=2");
    }
}
