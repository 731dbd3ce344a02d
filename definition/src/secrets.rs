//! Secrets in connector settings: marked in the schema (`x-secret`), masked in every answer, and kept when an
//! author sends the mask back. `x-secret-when: {"member": "PREFIX"}` marks what is one only beside such a member.

use crate::api::Settings;
use crate::reader::join;
use serde_json::Value;

/// What stands in answers in the place of a secret.
pub const MASK: &str = "********";

/// Settings as they may be shown.
pub fn mask(schema: &Value, settings: &Settings) -> Settings {
    let shown = |(key, value): (&String, &Value)| {
        let member = &schema["properties"][key];
        let value = match value.as_object() {
            Some(object) => Value::Object(mask(member, object)),
            None if is_secret(member, settings) && !value.is_null() => Value::from(MASK),
            None => value.clone(),
        };
        (key.clone(), value)
    };
    settings.iter().map(shown).collect()
}

/// Puts stored secrets in the place of masks. Answers the paths of masks that stand for nothing stored.
pub(crate) fn restore(schema: &Value, sent: &mut Settings, stored: Option<&Settings>) -> Vec<String> {
    let mut missing = Vec::new();
    restore_below(schema, "", sent, stored, &mut missing);
    missing
}

fn restore_below(
    schema: &Value,
    path: &str,
    sent: &mut Settings,
    stored: Option<&Settings>,
    missing: &mut Vec<String>,
) {
    for (key, value) in sent.iter_mut() {
        let member = &schema["properties"][key];
        let path = join(path, key);
        let kept = stored.and_then(|stored| stored.get(key));
        if let Value::Object(object) = value {
            restore_below(member, &path, object, kept.and_then(Value::as_object), missing);
        } else if may_be_secret(member) && value == MASK {
            match kept {
                Some(kept) => *value = kept.clone(),
                None => missing.push(path),
            }
        }
    }
}

fn is_secret(schema: &Value, beside: &Settings) -> bool {
    let holds = |(member, prefix): (&String, &Value)| {
        let text = beside.get(member).and_then(Value::as_str).unwrap_or_default();
        prefix.as_str().is_some_and(|prefix| text.starts_with(prefix))
    };
    let when = schema["x-secret-when"].as_object();
    schema["x-secret"] == true || when.is_some_and(|when| when.iter().any(holds))
}

fn may_be_secret(schema: &Value) -> bool {
    schema["x-secret"] == true || schema["x-secret-when"].is_object()
}

/// Whether a place of a schema is a secret or has one below it.
pub(crate) fn holds_secrets(schema: &Value) -> bool {
    let mut below = schema["properties"].as_object().into_iter().flatten();
    may_be_secret(schema) || below.any(|(_, member)| holds_secrets(member))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"properties": {
            "user": {"type": "string"},
            "password": {"type": "string", "x-secret": true},
            "store": {"type": "object", "properties": {"key": {"type": "string", "x-secret": true}}},
        }})
    }

    fn settings(value: Value) -> Settings {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_secrets_are_masked() {
        let shown =
            mask(&schema(), &settings(json!({"user": "u", "password": "p", "store": {"key": "k", "x": 1}})));
        assert_eq!(
            Value::Object(shown),
            json!({"user": "u", "password": MASK, "store": {"key": MASK, "x": 1}})
        );
    }

    #[test]
    fn what_stands_beside_a_member_may_make_a_secret_of_it() {
        let schema = json!({"properties": {"kind": {}, "key": {"x-secret-when": {"kind": "SECRET"}}}});
        let shown = |kind: &str| Value::Object(mask(&schema, &settings(json!({"kind": kind, "key": "k"}))));
        assert_eq!(shown("SECRET_2")["key"], MASK);
        assert_eq!(shown("PUBLIC")["key"], "k");
        let mut sent = settings(json!({"kind": "SECRET", "key": MASK}));
        assert_eq!(restore(&schema, &mut sent, Some(&settings(json!({"key": "k"})))), Vec::<String>::new());
        assert_eq!(sent["key"], "k");
    }

    #[test]
    fn a_mask_sent_back_keeps_the_value_of_the_same_place() {
        let stored = settings(json!({"password": "p", "store": {"key": "k"}}));
        let mut sent = settings(json!({"user": MASK, "password": MASK, "store": {"key": "new"}}));
        assert_eq!(restore(&schema(), &mut sent, Some(&stored)), Vec::<String>::new());
        assert_eq!(Value::Object(sent), json!({"user": MASK, "password": "p", "store": {"key": "new"}}));
    }

    #[test]
    fn a_mask_for_nothing_is_named() {
        let mut sent = settings(json!({"password": MASK, "store": {"key": MASK}}));
        assert_eq!(restore(&schema(), &mut sent, Some(&settings(json!({"password": "p"})))), ["store.key"]);
    }
}
