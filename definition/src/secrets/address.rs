//! Addresses with credentials in front of their host: `https://user:password@host/`. They may hold expressions, so that
//! they are cut as text and not read as URLs.

use super::MASK;
use std::borrow::Cow;
use std::ops::Range;

/// An address as it may be shown: with a mask for the password, or for a user that has none and may be a token.
pub fn shown_address(address: &str) -> Cow<'_, str> {
    match credential(address) {
        Some(place) => format!("{}{MASK}{}", &address[..place.start], &address[place.end..]).into(),
        None => address.into(),
    }
}

/// Whether an address holds credentials that are written out.
pub(crate) fn has_credential(address: &str) -> bool {
    credential(address).is_some()
}

/// Whether the mask stands where the password does.
pub(super) fn is_masked(address: &str) -> bool {
    credential(address).is_some_and(|place| &address[place] == MASK)
}

/// Where the password stands, when there is one that is written out.
fn credential(address: &str) -> Option<Range<usize>> {
    let authority = address.find("://")? + "://".len();
    let end = address[authority..].find(['/', '?', '#']).map_or(address.len(), |found| authority + found);
    // An expression in the password holds a `#`, which would end the authority.
    let at = authority + address[authority..end].rfind('@')?;
    let user = authority..at;
    let password = match address[user.clone()].find(':') {
        Some(colon) => user.start + colon + 1..at,
        None => user,
    };
    (!password.is_empty()).then_some(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_credentials_are_hidden() {
        for (address, shown) in [
            ("http://host/a@b:c", "http://host/a@b:c"),
            ("http://u:p@host:80/x", "http://u:********@host:80/x"),
            ("http://u:p@ss@host", "http://u:********@host"),
            ("http://token@host", "http://********@host"),
            ("http://u:@host", "http://u:@host"),
            ("http://host?to=a:b@c", "http://host?to=a:b@c"),
            ("http://u:{#api.properties['p']}@host", "http://u:{#api.properties['p']}@host"),
            ("/path", "/path"),
            ("", ""),
        ] {
            assert_eq!(shown_address(address), shown);
        }
        assert!(is_masked("http://u:********@host") && !is_masked("http://u:p@host"));
    }
}
