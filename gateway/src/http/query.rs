//! Query parameters: `+` is a space, `%XX` a byte; what is not valid UTF-8 is replaced.

/// The first value of a parameter, decoded. `None`: the parameter is absent.
pub(crate) fn first(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key) == name).then(|| decode(value))
    })
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
}
