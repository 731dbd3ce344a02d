//! API keys: what they may look like, and what may be done with one. Where they are kept is the store's matter.

use crate::date;
use crate::reader::{Node, Report, Stage};
use crate::violation::Violation;
use serde_json::Value;

/// Characters of a key that its owner chose.
const CUSTOM_CHARS: std::ops::RangeInclusive<usize> = 8..=64;
/// Characters that would not survive a URL, a header or a log.
const FORBIDDEN: &str = "^#%@\\/;=?|~, ";

/// What decides whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyState {
    pub revoked: bool,
    pub paused: bool,
    /// Refused from this moment on, milliseconds since 1970; absent: never.
    pub expire_at_ms: Option<i64>,
}

/// What is done to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyAction {
    Revoke,
    Reactivate,
    Expire,
}

/// Why an action is refused: the text is the `technicalCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyActionError {
    /// It is revoked or expired already.
    #[error("apiKey.expired")]
    Expired,
    /// It works already.
    #[error("apiKey.activated")]
    Activated,
}

impl KeyState {
    /// True from the date of expiry on.
    pub fn is_expired(self, now_ms: i64) -> bool {
        self.expire_at_ms.is_some_and(|at| at <= now_ms)
    }

    /// Says whether `action` is allowed at `now_ms`. A paused key is only paused with its subscription.
    pub fn check(self, action: KeyAction, now_ms: i64) -> Result<(), KeyActionError> {
        let dead = self.revoked || self.is_expired(now_ms);
        match action {
            KeyAction::Revoke if dead => Err(KeyActionError::Expired),
            // An expired key gets another date this way; a revoked one has to be reactivated.
            KeyAction::Expire if self.revoked => Err(KeyActionError::Expired),
            KeyAction::Reactivate if !dead => Err(KeyActionError::Activated),
            KeyAction::Revoke | KeyAction::Expire | KeyAction::Reactivate => Ok(()),
        }
    }
}

/// What is wrong with a key that its owner chose.
pub fn check_custom(key: &str) -> Result<(), String> {
    if !CUSTOM_CHARS.contains(&key.chars().count()) {
        return Err(format!("must have {} to {} characters", CUSTOM_CHARS.start(), CUSTOM_CHARS.end()));
    }
    if key.chars().any(|c| FORBIDDEN.contains(c) || !c.is_ascii_graphic()) {
        return Err("must be visible ASCII without ^ # % @ \\ / ; = ? | ~ , and without spaces".to_owned());
    }
    Ok(())
}

/// Reads a chosen key. A violation never repeats it.
pub(crate) fn read_custom(node: &Node<'_>) -> Option<String> {
    let key = node.trimmed()?;
    if let Err(reason) = check_custom(&key) {
        let violation = node.violation("data.invalid", reason);
        node.fail(Stage::Shape, Violation { invalid_value: None, ..violation });
    }
    Some(key)
}

/// Reads `{customApiKey}`.
pub fn read_renewal(document: &Value) -> Result<Option<String>, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.object();
    let key = read_custom(&node.get("customApiKey"));
    report.finish(key)
}

/// Reads the date of expiry out of a changed key, `expire_at` or `expireAt`, milliseconds since 1970. Absent: never.
pub fn read_expiry(document: &Value, id: &str) -> Result<Option<i64>, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    node.required_object();
    let sent = node.get("id");
    if sent.text().is_some_and(|sent| !sent.eq_ignore_ascii_case(id)) {
        sent.wrong(Stage::Identity, format!("must be {id}, the key that the request names"));
    }
    let beta = node.get("expire_at");
    let date = date::read(&if beta.is_absent() { node.get("expireAt") } else { beta });
    report.finish(date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_may_be_done_with_a_key() {
        use KeyAction::{Expire, Reactivate, Revoke};
        let key = |revoked, expire_at_ms| KeyState { revoked, paused: false, expire_at_ms };
        for (key, revoke, expire, reactivate) in [
            (key(false, None), "", "", "apiKey.activated"),
            (key(false, Some(11)), "", "", "apiKey.activated"),
            (key(false, Some(10)), "apiKey.expired", "", ""),
            (key(true, None), "apiKey.expired", "apiKey.expired", ""),
        ] {
            for (action, expected) in [(Revoke, revoke), (Expire, expire), (Reactivate, reactivate)] {
                let found = key.check(action, 10).err().map(|error| error.to_string()).unwrap_or_default();
                assert_eq!(found, expected, "{key:?} {action:?}");
            }
        }
    }

    #[test]
    fn chosen_keys() {
        for key in ["12345678", "a.b-c_d:e!", &"x".repeat(64)] {
            assert_eq!(check_custom(key), Ok(()), "{key}");
        }
        for key in ["1234567", &"x".repeat(65), "1234 5678", "1234/5678", "12345678é", "1234567\n"] {
            assert!(check_custom(key).is_err(), "{key}");
        }
        let refused = read_renewal(&json!({"customApiKey": "hush/hush"})).unwrap_err();
        assert!(!format!("{refused:?}").contains("hush"), "{refused:?}");
        assert_eq!(read_renewal(&json!({})), Ok(None));
    }

    #[test]
    fn expiry_dates() {
        assert_eq!(read_expiry(&json!({"id": "k", "expire_at": 5}), "k"), Ok(Some(5)));
        assert_eq!(read_expiry(&json!({"expireAt": "1970-01-01T00:00:01Z"}), "k"), Ok(Some(1000)));
        assert_eq!(read_expiry(&json!({"expire_at": null}), "k"), Ok(None));
        assert!(read_expiry(&json!({"id": "other"}), "k").is_err());
    }
}
