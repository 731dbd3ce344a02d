//! Rules for documents that are saved now, and not for those that were saved before: what they refuse can be run, it only
//! never does what its author wants. A gateway that starts again goes on with it.

use crate::api::Settings;
use crate::expression::Template;
use crate::reader::quote;
use crate::secrets;
use crate::violation::Violation;
use serde_json::Value;

/// Faults of a step's settings, with paths relative to them.
pub(crate) fn of_policy(id: &str, settings: &Settings) -> Vec<Violation> {
    match id {
        "message-filtering" => message_filter(settings),
        "dynamic-routing" => routes(settings),
        _ => Vec::new(),
    }
}

/// Faults of an endpoint's settings, with paths relative to them.
pub(crate) fn of_endpoint(id: &str, settings: &Settings) -> Vec<Violation> {
    let proxy = settings.get("proxy").filter(|_| id == "http-proxy");
    let host = proxy.and_then(|proxy| proxy["host"].as_str()).unwrap_or_default();
    if !host.contains('@') {
        return Vec::new();
    }
    let message =
        "#/proxy/host: must be a host name or an address, and username and password are members of their own";
    vec![Violation::new("proxy.host", "data.invalid", message)]
}

/// Every text of the settings that is an expression and can never work.
pub(crate) fn expressions(schema: &Value, settings: &Settings) -> Vec<Violation> {
    let mut found = Vec::new();
    for (key, value) in settings {
        look(&schema["properties"][key], key, value, &mut found);
    }
    found
}

fn look(schema: &Value, path: &str, value: &Value, found: &mut Vec<Violation>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                look(&schema["properties"][key], &format!("{path}.{key}"), value, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                look(&schema["items"], &format!("{path}[{index}]"), value, found);
            }
        }
        Value::String(text) if schema["x-expression"] == true => {
            let mistakes = Template::parse(text).map(|template| template.mistakes()).unwrap_or_default();
            found.extend(mistakes.into_iter().map(|mistake| {
                Violation::new(
                    path,
                    "data.invalid",
                    format!("#/{path}: the expression cannot work: {mistake}"),
                )
            }));
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
    }
}

/// A constant keeps every message or none; any other text keeps none.
fn message_filter(settings: &Settings) -> Vec<Violation> {
    let Some(filter) = settings.get("filter").and_then(Value::as_str).map(str::trim) else {
        return Vec::new();
    };
    let literal = Template::parse(filter).is_ok_and(|template| template.literal().is_some());
    let wrong =
        |reason: String| vec![Violation::new("filter", "data.invalid", format!("#/filter: {reason}"))];
    if !literal
        || filter.is_empty()
        || ["true", "false"].iter().any(|known| known.eq_ignore_ascii_case(filter))
    {
        return Vec::new();
    }
    if !filter.starts_with('#') {
        let example = "{#message.headers['type'][0] == 'order'}";
        return wrong(format!("{} is no expression, write one such as {example}", quote(filter)));
    }
    // A rule without its braces is one, too.
    match Template::condition(filter) {
        Ok(rule) => {
            rule.mistakes().into_iter().flat_map(|mistake| wrong(format!("cannot work: {mistake}"))).collect()
        }
        Err(error) => wrong(format!("the expression cannot be read: {error}")),
    }
}

fn routes(settings: &Settings) -> Vec<Violation> {
    let rules = settings.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let address = |rule: &Value| rule["url"].as_str().is_some_and(secrets::has_credential);
    let wrong = rules.iter().enumerate().filter(|(_, rule)| address(rule));
    wrong
        .map(|(index, _)| {
            let message = format!("#/rules/{index}/url: must not hold credentials, set a header instead");
            Violation::new(format!("rules[{index}].url"), "data.invalid", message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(found: Vec<Violation>) -> Vec<String> {
        found.into_iter().map(|violation| format!("{} {}", violation.path, violation.message)).collect()
    }

    fn of(id: &str, settings: Value) -> Vec<String> {
        lines(of_policy(id, settings.as_object().unwrap()))
    }

    #[test]
    fn a_filter_is_an_expression_or_a_constant() {
        for good in [
            "true",
            "False",
            "{#message.content == 'a'}",
            "#message.content == 'a'",
            "{#subscription.metadata.f}",
        ] {
            assert_eq!(of("message-filtering", json!({"filter": good})), [""; 0], "{good}");
        }
        let found = of("message-filtering", json!({"filter": "order"}));
        assert_eq!(
            found,
            [
                "filter #/filter: \"order\" is no expression, write one such as {#message.headers['type'][0] == 'order'}"
            ]
        );
        for bad in ["#mesage.content == 'a'", "#message.content =="] {
            assert_eq!(of("message-filtering", json!({"filter": bad})).len(), 1, "{bad}");
        }
    }

    #[test]
    fn addresses_hold_no_credentials_where_nobody_would_use_them() {
        let found = of("dynamic-routing", json!({"rules": [{"url": "http://h"}, {"url": "http://u:p@h"}]}));
        assert_eq!(found, ["rules[1].url #/rules/1/url: must not hold credentials, set a header instead"]);
        let settings = json!({"proxy": {"host": "u:p@h"}});
        assert_eq!(lines(of_endpoint("http-proxy", settings.as_object().unwrap())).len(), 1);
    }

    #[test]
    fn expressions_are_looked_at_wherever_the_schema_has_them() {
        let schema = json!({"properties": {"a": {"x-expression": true},
            "list": {"items": {"properties": {"v": {"x-expression": true}, "w": {}}}}}});
        let settings = json!({"a": "{#b}", "list": [{"v": "{#api.id}"}, {"v": "{#c}", "w": "{#d}"}]});
        let found = lines(expressions(&schema, settings.as_object().unwrap()));
        assert!(found[0].starts_with("a #/a: the expression cannot work: there is no `#b`"), "{found:?}");
        assert!(found[1].starts_with("list[1].v "), "{found:?}");
        assert_eq!(found.len(), 2);
    }
}
