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
        (key.clone(), mask_value(&schema["properties"][key], value, settings))
    };
    settings.iter().map(shown).collect()
}

fn mask_value(schema: &Value, value: &Value, beside: &Settings) -> Value {
    match value {
        Value::Object(object) => Value::Object(mask(schema, object)),
        Value::Array(items) => items.iter().map(|item| mask_value(&schema["items"], item, beside)).collect(),
        value if is_secret(schema, beside) && !value.is_null() => Value::from(MASK),
        value => value.clone(),
    }
}

/// Puts stored secrets in the place of masks. Answers the paths of masks that stand for nothing stored.
///
/// An item of a list keeps the secrets of the stored item with the same identity (`x-identity` in the schema),
/// wherever that stood: by its place it could get the secrets of another one.
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
        match value {
            Value::Object(object) => {
                restore_below(member, &path, object, kept.and_then(Value::as_object), missing);
            }
            Value::Array(items) => {
                let kept = kept.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                restore_items(&member["items"], &path, items, kept, missing);
            }
            _ if may_be_secret(member) && value == MASK => match kept {
                Some(kept) => *value = kept.clone(),
                None => missing.push(path),
            },
            _ => {}
        }
    }
}

fn restore_items(
    schema: &Value,
    path: &str,
    sent: &mut [Value],
    stored: &[Value],
    missing: &mut Vec<String>,
) {
    let Some(identity) = identity(schema) else { return };
    for (index, item) in sent.iter_mut().enumerate() {
        let Value::Object(item) = item else { continue };
        let named = item.get(identity).filter(|name| !name.is_null());
        let same = |kept: &&Value| named.is_some() && kept.get(identity) == named;
        let kept = stored.iter().find(same).and_then(Value::as_object);
        restore_below(schema, &format!("{path}[{index}]"), item, kept, missing);
    }
}

/// The member that tells the items of a list apart.
pub(crate) fn identity(items: &Value) -> Option<&str> {
    let mut members = items["properties"].as_object()?.iter();
    members.find(|(_, member)| member["x-identity"] == true).map(|(name, _)| name.as_str())
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
    let in_items = schema["items"].is_object() && holds_secrets(&schema["items"]);
    may_be_secret(schema) || in_items || below.any(|(_, member)| holds_secrets(member))
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
            "users": {"type": "array", "items": {"properties": {
                "name": {"type": "string", "x-identity": true},
                "password": {"type": "string", "x-secret": true},
            }}},
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

    #[test]
    fn items_of_lists_keep_the_secrets_of_their_namesakes() {
        let stored =
            settings(json!({"users": [{"name": "a", "password": "1"}, {"name": "b", "password": "2"}]}));
        let shown = mask(&schema(), &stored);
        assert_eq!(shown["users"][1], json!({"name": "b", "password": MASK}));
        let mut sent = settings(json!({"users": [
            {"name": "b", "password": MASK}, {"name": "c", "password": MASK}, {"password": MASK},
        ]}));
        assert_eq!(restore(&schema(), &mut sent, Some(&stored)), ["users[1].password", "users[2].password"]);
        assert_eq!(sent["users"][0], json!({"name": "b", "password": "2"}));
    }
}
