//! Data in, text out. A case is a good document with some members set or removed; its outcome is the printed beta
//! form or one line per violation: `path code parameters: message`.

use super::{ReadApi, beta_api, read_api};
use crate::api::Api;
use crate::violation::{Severity, Violation};
use pretty_assertions::assert_eq;
use serde_json::{Value, json};

mod analytics;
mod credentials;
mod documents;
mod endpoints;
mod flows;
mod fuzz;
mod listeners;
mod order;
mod plans;
mod update;

/// A small good document over the mock endpoint.
fn mock_document() -> Value {
    json!({
        "name": "Cap", "apiVersion": "1", "definitionVersion": "4.0.0", "type": "async", "description": "d",
        "listeners": [{
            "type": "http", "paths": [{"path": "/cap-a"}],
            "entrypoints": [{"type": "http-get"}, {"type": "http-post"}],
        }],
        "endpointGroups": [{
            "name": "g", "type": "mock",
            "endpoints": [{
                "name": "e", "type": "mock",
                "configuration": {"messageCount": 5, "messageInterval": 100, "messageContent": "{\"a\":1}"},
            }],
        }],
    })
}

/// Sets a place, given as a JSON pointer, to a value; `null` removes it; a member that is not there is added.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap_or_else(|| panic!("no place {pointer}"));
    match parent {
        Value::Array(items) => {
            let index: usize = key.parse().unwrap();
            if index == items.len() { items.push(value) } else { items[index] = value }
        }
        Value::Object(object) if value.is_null() => {
            object.shift_remove(key);
        }
        Value::Object(object) => {
            object.insert(key.to_owned(), value);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("{pointer} is below a leaf")
        }
    }
}

fn with(mut document: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        set(&mut document, pointer, value.clone());
    }
    document
}

fn lines(violations: &[Violation]) -> String {
    let line = |v: &Violation| {
        let parameters = v.parameters.as_ref().map(|p| format!(" {}", json!(p))).unwrap_or_default();
        let severity = if v.severity == Severity::UnknownPlugin { " 404" } else { "" };
        format!("{} {}{parameters}{severity}: {}", v.path, v.code, v.message)
    };
    violations.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn create(document: &Value) -> Api {
    read_api(document, ReadApi::Create).unwrap_or_else(|violations| panic!("{}", lines(&violations)))
}

/// The violations of a creation.
fn faults(document: &Value) -> String {
    read_api(document, ReadApi::Create)
        .map_or_else(|violations| lines(&violations), |_| "accepted".to_owned())
}

/// Compares, showing the difference.
#[track_caller]
fn same(found: &str, expected: &str) {
    assert_eq!(found, expected);
}

/// A change of the mock document and the violations that follow.
#[track_caller]
fn check(pointer: &str, value: Value, expected: &str) {
    same(&faults(&with(mock_document(), &[(pointer, value)])), expected);
}

/// A change of the mock document and what is printed at a place.
fn check_printed(pointer: &str, value: Value, printed: &str, expected: &Value) {
    let api = create(&with(mock_document(), &[(pointer, value)]));
    let out = Value::Object(beta_api(&api));
    assert_eq!(out.pointer(printed).unwrap_or(&Value::Null), expected, "{pointer}");
}

/// The answer of GET sent back as an update.
fn again(api: &Api) -> Result<Api, Vec<Violation>> {
    let mut document = beta_api(api);
    document.insert("id".to_owned(), "id-1".into());
    read_api(&Value::Object(document), ReadApi::Update { id: "id-1", current: api })
}
