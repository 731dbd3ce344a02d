//! Context paths: brought into one form, or refused with the reason.

use crate::reader::quote;

/// Begins and ends with `/`, without repeated slashes. The reason when it is no path that a request could ask for.
pub(super) fn sanitise(text: &str) -> Result<String, String> {
    let mut path = String::from("/");
    for segment in text.split('/').filter(|segment| !segment.is_empty()) {
        check_segment(segment)?;
        path.push_str(segment);
        path.push('/');
    }
    Ok(path)
}

fn check_segment(segment: &str) -> Result<(), String> {
    if segment == "." || segment == ".." {
        return Err(format!("must not hold the segment {}, write the path that it leads to", quote(segment)));
    }
    let mut rest = segment.chars();
    while let Some(c) = rest.next() {
        if c == '%' {
            let code: String = rest.by_ref().take(2).collect();
            if code.len() != 2 || !code.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err("must follow % with two hexadecimal digits".to_owned());
            }
        } else if !c.is_ascii_alphanumeric() && !"-._~!$&'()*+,;=:@".contains(c) {
            let character = c.escape_debug();
            return Err(format!("must not hold '{character}', remove it or write it percent-encoded"));
        }
    }
    Ok(())
}

/// Whether a text can be the host of a request: a name or an address, with or without a port.
pub(super) fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(sanitise(text).unwrap_or_else(|reason| reason), expected, "{text:?}");
    }

    #[test]
    fn slashes_are_added_and_collapsed() {
        check("", "/");
        check("/", "/");
        check("//x//y", "/x/y/");
        check("no-slash", "/no-slash/");
        check("/a%20b/~c;d=1/", "/a%20b/~c;d=1/");
    }

    #[test]
    fn what_no_request_asks_for_is_refused() {
        check("bad path", "must not hold ' ', remove it or write it percent-encoded");
        check("/a/../b", "must not hold the segment \"..\", write the path that it leads to");
        check("/./b", "must not hold the segment \".\", write the path that it leads to");
        check("/{x}", "must not hold '{', remove it or write it percent-encoded");
        check("/a?b=c", "must not hold '?', remove it or write it percent-encoded");
        check("/a#b", "must not hold '#', remove it or write it percent-encoded");
        check("/é", "must not hold 'é', remove it or write it percent-encoded");
        check("/a\nb", "must not hold '\\n', remove it or write it percent-encoded");
        check("/a%2", "must follow % with two hexadecimal digits");
        check("/a%é", "must follow % with two hexadecimal digits");
    }

    #[test]
    fn hosts_are_names_and_addresses() {
        for host in ["example.com", "localhost:8082", "[::1]:80", "10.0.0.1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", "a b", "http://x", "x/y", "é"] {
            assert!(!is_host(host), "{host}");
        }
    }
}
