//! The catalogue is what a console draws forms from: every connector says what it can do, and every setting has a label, a
//! type, an explanation, and whatever a form must know of its values.

use super::{Rest, on_both_engines};
use definition::api::Qos;
use definition::connector::Mode;
use definition::qos::{EndpointKind, EntrypointKind, endpoint_levels, entrypoint_levels};
use serde_json::Value;

on_both_engines! {
    a_form_can_be_drawn_of_every_connector,
}

const ENVIRONMENT: &str = "/management/organizations/DEFAULT/environments/DEFAULT";

async fn a_form_can_be_drawn_of_every_connector(rest: Rest) {
    for list in ["entrypoints", "endpoints"] {
        let connectors = rest.get(&format!("{ENVIRONMENT}/v4/{list}?expand=schema")).await.is(200).json();
        let connectors = connectors.as_array().unwrap();
        assert!(connectors.len() > 3, "{list}: {connectors:?}");
        for connector in connectors {
            let id = text(connector, "id");
            let one = rest.get(&format!("{ENVIRONMENT}/v4/{list}/{id}")).await.is(200).json();
            assert_eq!(text(&one, "id"), id);
            let schema = rest.get(&format!("{ENVIRONMENT}/v4/{list}/{id}/schema")).await.is(200).json();
            let expanded: Value = serde_json::from_str(&text(connector, "schema")).unwrap();
            assert_eq!(schema, expanded, "{id}: one schema, two ways to it");
            introduces_itself(list, connector);
            assert_eq!(schema["type"], "object", "{id}");
            let mut faults = Vec::new();
            form(&id, &schema, &mut faults);
            assert!(faults.is_empty(), "no form can be drawn of these:\n{}", faults.join("\n"));
        }
    }
}

/// What is shown before any form: words, directions, and the levels of the matrix.
fn introduces_itself(list: &str, connector: &Value) {
    let id = text(connector, "id");
    assert!(!text(connector, "name").is_empty() && text(connector, "description").len() > 10, "{id}");
    assert!(["sync", "async"].contains(&&*text(connector, "supportedApiType")), "{id}");
    let modes = connector["supportedModes"].as_array().unwrap();
    assert!(!modes.is_empty(), "{id} has no direction");
    assert!(modes.iter().all(|mode| Mode::parse(mode.as_str().unwrap()).is_some()), "{id}: {modes:?}");
    assert!(connector["availableFeatures"].is_array(), "{id}");
    let levels: Vec<&str> =
        connector["supportedQos"].as_array().unwrap().iter().map(|qos| qos.as_str().unwrap()).collect();
    let matrix = match list {
        "entrypoints" => EntrypointKind::parse(&id).map(entrypoint_levels),
        _ => EndpointKind::parse(&id).map(endpoint_levels),
    };
    let matrix: Vec<&str> = matrix.unwrap_or_default().into_iter().map(Qos::label).collect();
    assert_eq!(levels, matrix, "{id}");
    assert_eq!(levels.is_empty(), text(connector, "supportedApiType") == "sync", "{id}: {levels:?}");
}

/// Collects what a form lacks at `place` and below.
fn form(place: &str, schema: &Value, faults: &mut Vec<String>) {
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        for word in ["title", "description"] {
            if member[word].as_str().is_none_or(|text| text.trim().is_empty()) {
                faults.push(format!("{place} has no {word}"));
            }
        }
        field(&place, member, faults);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if schema["properties"].get(name.as_str().unwrap_or_default()).is_none() {
            faults.push(format!("{place} requires {name}, which it does not have"));
        }
    }
}

/// One field: of one type, with what belongs to that type.
fn field(place: &str, member: &Value, faults: &mut Vec<String>) {
    let kind = member["type"].as_str().unwrap_or_default();
    match kind {
        "object" => form(place, member, faults),
        "array" => match &member["items"] {
            Value::Object(_) => field(&format!("{place}[]"), &member["items"], faults),
            other
            @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                faults.push(format!("{place} is a list of {other}"));
            }
        },
        "string" => {
            let options = &member["enum"];
            let words =
                options.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(Value::is_string));
            if !options.is_null() && !words {
                faults.push(format!("{place} is a choice of {options}"));
            }
        }
        "integer" | "number" | "boolean" => {}
        _ => faults.push(format!("{place} has the type {}", member["type"])),
    }
    let default = &member["default"];
    let fits = match kind {
        "string" => {
            let options = member["enum"].as_array();
            default.is_string() && options.is_none_or(|options| options.contains(default))
        }
        "integer" => default.is_i64() || default.is_u64(),
        "number" => default.is_number(),
        "boolean" => default.is_boolean(),
        "array" => default.is_array(),
        _ => default.is_object(),
    };
    if !default.is_null() && !fits {
        faults.push(format!("{place} has the default {default}, which is no {kind} it allows"));
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is no text: {value}")).to_owned()
}
