//! Labels for forms: every member of a schema that has no title of its own gets one from its name, so that a console shows
//! "Bootstrap servers" for `bootstrapServers`.

use serde_json::{Map, Value};

/// Words that are not written like others.
const SPELLED: &[(&str, &str)] = &[
    ("api", "API"),
    ("dlq", "DLQ"),
    ("dns", "DNS"),
    ("http", "HTTP"),
    ("id", "ID"),
    ("ip", "IP"),
    ("jaas", "JAAS"),
    ("json", "JSON"),
    ("jwks", "JWKS"),
    ("jwt", "JWT"),
    ("ms", "(ms)"),
    ("oauth2", "OAuth2"),
    ("qos", "QoS"),
    ("sasl", "SASL"),
    ("ssl", "SSL"),
    ("ttl", "TTL"),
    ("uri", "URI"),
    ("url", "URL"),
    ("vpn", "VPN"),
    ("xml", "XML"),
    ("xpath", "XPath"),
];

/// Gives every member below `schema` a title.
pub(super) fn add(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, member) in properties {
            if let Value::Object(member) = member
                && !member.contains_key("title")
            {
                member.shift_insert(0, "title".to_owned(), Value::String(of(name)));
            }
            add(member);
        }
    }
    for part in ["items", "additionalProperties"] {
        if let Some(part) = object.get_mut(part) {
            add(part);
        }
    }
    each(object, add);
}

/// The alternatives of a schema.
fn each(object: &mut Map<String, Value>, visit: fn(&mut Value)) {
    for part in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(alternatives)) = object.get_mut(part) {
            alternatives.iter_mut().for_each(visit);
        }
    }
}

/// A label from a name in camel case.
fn of(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut previous = '_';
    for letter in name.chars() {
        let begins = letter == '_' || letter == '-' || (letter.is_uppercase() && !previous.is_uppercase());
        if begins || words.is_empty() {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        previous = letter;
    }
    let words = words.into_iter().filter(|word| !word.is_empty()).enumerate().map(|(index, word)| {
        let spelled =
            SPELLED.iter().find(|(plain, _)| *plain == word).map(|(_, spelled)| (*spelled).to_owned());
        spelled.unwrap_or_else(|| if index == 0 { capital(&word) } else { word })
    });
    words.collect::<Vec<_>>().join(" ").replace(" in (ms)", " (ms)")
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_name_becomes_a_label() {
        for (name, label) in [
            ("bootstrapServers", "Bootstrap servers"),
            ("saslJaasConfig", "SASL JAAS config"),
            ("heartbeatIntervalInMs", "Heartbeat interval (ms)"),
            ("url", "URL"),
            ("issuerURL", "Issuer URL"),
            ("cert_path", "Cert path"),
            ("oauth2", "OAuth2"),
        ] {
            assert_eq!(of(name), label, "{name}");
        }
    }

    #[test]
    fn a_title_of_its_own_stays() {
        let mut schema = json!({ "properties": {
            "a": { "title": "Mine", "items": { "properties": { "bC": { "type": "string" } } } },
            "b": { "oneOf": [{ "properties": { "inner": { "type": "string" } } }] }
        } });
        add(&mut schema);
        assert_eq!(schema["properties"]["a"]["title"], "Mine");
        assert_eq!(schema["properties"]["a"]["items"]["properties"]["bC"]["title"], "B c");
        assert_eq!(schema["properties"]["b"]["oneOf"][0]["properties"]["inner"]["title"], "Inner");
    }
}
