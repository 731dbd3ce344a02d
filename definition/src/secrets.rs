//! Secrets in connector settings: marked in the schema (`x-secret`), masked in every answer, and kept when an
//! author sends the mask back. `x-secret-when: {"member": "PREFIX"}` marks what is one only beside such a member,
//! `x-secret-named: "member"` a value whose name stands in that member and sounds like a credential (of a header), and
//! `x-secret-url` an address, of which only the password in front of the host is masked. `x-secret-address` marks where the
//! secrets beside and below it are sent: whoever changes that has to know them.

use crate::api::Settings;
use crate::expression::{Part, Template};
use crate::reader::join;
use serde_json::Value;

mod address;

pub(crate) use address::has_credential;
pub use address::shown_address;

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
        value if is_secret(schema, value, beside) && !value.is_null() => Value::from(MASK),
        Value::String(text) if schema["x-secret-url"] == true => shown_address(text).into_owned().into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
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
    let stored = stored.filter(|stored| goes_to_the_same(schema, sent, stored));
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
            Value::String(text) if may_be_secret(member) && text == MASK => match kept {
                Some(kept) => *value = kept.clone(),
                None => missing.push(path),
            },
            Value::String(text) if member["x-secret-url"] == true && address::is_masked(text) => {
                // The whole address has to be the same: its password is for no other host.
                match kept.and_then(Value::as_str).filter(|kept| shown_address(kept) == text.as_str()) {
                    Some(kept) => *text = kept.to_owned(),
                    None => missing.push(path),
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Whether what is stored was meant for the address that is sent.
fn goes_to_the_same(schema: &Value, sent: &Settings, stored: &Settings) -> bool {
    // A number may be written as a text.
    let text = |settings: &Settings, name: &str| match settings.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(value) => value.to_string(),
    };
    let mut members = schema["properties"].as_object().into_iter().flatten();
    members.all(|(name, member)| member["x-secret-address"] != true || text(sent, name) == text(stored, name))
}

fn restore_items(
    schema: &Value,
    path: &str,
    sent: &mut [Value],
    stored: &[Value],
    missing: &mut Vec<String>,
) {
    let Some(identity) = identity(schema) else { return };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in sent.iter_mut().enumerate() {
        let Value::Object(item) = item else { continue };
        let named = item.get(identity).filter(|name| !name.is_null());
        let same = |kept: &&Value| named.is_some() && kept.get(identity) == named;
        // Of several with one name, such as headers, the first one is the first one that is stored, and so on.
        let before = seen.iter().filter(|name| Some(*name) == named).count();
        let kept = stored.iter().filter(same).nth(before).and_then(Value::as_object);
        seen.extend(named.cloned());
        restore_below(schema, &format!("{path}[{index}]"), item, kept, missing);
    }
}

/// The member that tells the items of a list apart.
pub(crate) fn identity(items: &Value) -> Option<&str> {
    let mut members = items["properties"].as_object()?.iter();
    members.find(|(_, member)| member["x-identity"] == true).map(|(name, _)| name.as_str())
}

fn is_secret(schema: &Value, value: &Value, beside: &Settings) -> bool {
    let holds = |(member, prefix): (&String, &Value)| {
        let text = beside.get(member).and_then(Value::as_str).unwrap_or_default();
        prefix.as_str().is_some_and(|prefix| text.starts_with(prefix))
    };
    let when = schema["x-secret-when"].as_object();
    let name =
        schema["x-secret-named"].as_str().and_then(|member| beside.get(member)).and_then(Value::as_str);
    schema["x-secret"] == true
        || when.is_some_and(|when| when.iter().any(holds))
        || (name.is_some_and(names_credential) && !is_expression(value))
}

fn may_be_secret(schema: &Value) -> bool {
    schema["x-secret"] == true || schema["x-secret-when"].is_object() || schema["x-secret-named"].is_string()
}

/// Whether what stands under this name, of a header, proves who somebody is.
fn names_credential(name: &str) -> bool {
    const NAMES: &[&str] =
        &["authorization", "cookie", "set-cookie", "api-key", "apikey", "token", "secret", "password"];
    const ENDINGS: &[&str] = &[
        "-authorization",
        "-api-key",
        "-apikey",
        "-access-key",
        "-subscription-key",
        "-token",
        "-secret",
        "-password",
    ];
    let name = name.trim().to_ascii_lowercase().replace('_', "-");
    NAMES.contains(&name.as_str()) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// A value that is one expression shows where the secret comes from, not the secret.
fn is_expression(value: &Value) -> bool {
    let template = value.as_str().and_then(|text| Template::parse(text.trim()).ok());
    template.is_some_and(|template| matches!(template.parts(), [Part::Expression(_)]))
}

/// Whether a place of a schema is a secret or has one below it.
pub(crate) fn holds_secrets(schema: &Value) -> bool {
    let mut below = schema["properties"].as_object().into_iter().flatten();
    let in_items = schema["items"].is_object() && holds_secrets(&schema["items"]);
    let url = schema["x-secret-url"] == true;
    may_be_secret(schema) || url || in_items || below.any(|(_, member)| holds_secrets(member))
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
    fn what_was_stored_for_one_address_is_not_sent_to_another() {
        let mut schema = schema();
        schema["properties"]["host"] = json!({"type": "string", "x-secret-address": true});
        schema["properties"]["port"] = json!({"type": "integer", "x-secret-address": true});
        let stored = settings(json!({"host": "h", "port": 1, "password": "p", "store": {"key": "k"}}));
        let missing = |host: &str, port: Value| {
            let sent = json!({"host": host, "port": port, "password": MASK, "store": {"key": MASK}});
            restore(&schema, &mut settings(sent), Some(&stored)).join(" ")
        };
        assert_eq!(missing("h", json!("1")), "");
        assert_eq!(missing("h", json!(2)), "password store.key");
        assert_eq!(missing("other", json!(1)), "password store.key");
        assert_eq!(missing("h", Value::Null), "password store.key");
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

    fn headers() -> Value {
        json!({"properties": {"headers": {"type": "array", "items": {"properties": {
            "name": {"type": "string", "x-identity": true},
            "value": {"type": "string", "x-secret-named": "name"},
        }}}}})
    }

    #[test]
    fn the_name_of_a_header_says_whether_its_value_is_a_secret() {
        let shown = |name: &str, value: &str| {
            let settings = settings(json!({"headers": [{"name": name, "value": value}]}));
            mask(&headers(), &settings)["headers"][0]["value"].as_str() == Some(MASK)
        };
        for name in [
            "Authorization",
            "proxy-authorization",
            "Cookie",
            "X-Api-Key",
            "X-Gravitee-Api-Key",
            "x-auth-token",
            "X_CLIENT_SECRET",
            "Ocp-Apim-Subscription-Key",
            " token ",
        ] {
            assert!(shown(name, "v"), "{name}");
        }
        for name in ["Accept", "X-Env", "Idempotency-Key", "X-Tokens", "Authorization-Mode"] {
            assert!(!shown(name, "v"), "{name}");
        }
        assert!(!shown("Authorization", "{#api.properties['token']}"), "says where it is");
        assert!(shown("Authorization", "Bearer {#api.properties['token']}") && shown("Authorization", "{x}"));
    }

    #[test]
    fn headers_of_one_name_keep_their_values_in_their_order() {
        let stored = settings(json!({"headers": [
            {"name": "Cookie", "value": "a"}, {"name": "X-Env", "value": "t"}, {"name": "Cookie", "value": "b"},
        ]}));
        let mut sent = mask(&headers(), &stored);
        assert_eq!(sent["headers"][0]["value"], MASK);
        assert_eq!(restore(&headers(), &mut sent, Some(&stored)), Vec::<String>::new());
        assert_eq!(sent, stored);
        let mut renamed = settings(json!({"headers": [{"name": "X-Token", "value": MASK}]}));
        assert_eq!(restore(&headers(), &mut renamed, Some(&stored)), ["headers[0].value"]);
    }

    #[test]
    fn an_address_shows_all_but_its_password() {
        let schema = json!({"properties": {"url": {"type": "string", "x-secret-url": true}}});
        let stored = settings(json!({"url": "https://u:p@host/path?q={#request.id}"}));
        let mut sent = mask(&schema, &stored);
        assert_eq!(sent["url"], "https://u:********@host/path?q={#request.id}");
        assert_eq!(restore(&schema, &mut sent, Some(&stored)), Vec::<String>::new());
        assert_eq!(sent, stored);
        let mut moved = settings(json!({"url": "https://u:********@elsewhere/"}));
        assert_eq!(
            restore(&schema, &mut moved, Some(&stored)),
            ["url"],
            "the password is for the stored host"
        );
    }
}
