//! Garbage in every place: never a panic, always a reason, and the place of a wrong type is named.

use super::documents::documents;
use super::*;
use crate::dialect::{ReadPlan, read_plan, read_update_plans};
use pretty_assertions::assert_eq;
use proptest::prelude::*;

/// A document with every member that an update reads.
fn full_update() -> Value {
    let (_, later) = documents().into_iter().nth(4).unwrap();
    with(
        later,
        &[
            ("/id", json!("id-1")),
            ("/visibility", json!("PUBLIC")),
            ("/description", json!("d")),
            ("/crossId", json!("x")),
            ("/lifecycleState", json!("CREATED")),
            ("/disableMembershipNotifications", json!(true)),
            ("/tags", json!(["t"])),
            ("/groups", json!(["g"])),
            ("/labels", json!(["l"])),
            ("/categories", json!(["c"])),
            ("/listeners/0/pathMappings", json!(["/a"])),
            (
                "/listeners/0/cors",
                json!({"enabled": true, "allowOrigin": ["*"], "allowHeaders": ["a"], "allowMethods": ["GET"],
                "exposeHeaders": ["b"], "maxAge": 5, "allowCredentials": true, "runPolicies": true}),
            ),
            (
                "/flows",
                json!([{"id": "f", "name": "f", "enabled": true, "tags": ["t"], "selectors": [
                {"type": "channel", "operations": ["publish"], "channel": "/", "channelOperator": "EQUALS",
                 "entrypoints": ["sse"]},
                {"type": "condition", "condition": "c"},
            ], "request": [], "response": [], "subscribe": [], "publish": []}]),
            ),
            ("/properties", json!([{"key": "k", "value": "v", "encrypted": true, "dynamic": false}])),
            ("/resources", json!([{"name": "r", "type": "other", "configuration": {}, "enabled": false}])),
            (
                "/responseTemplates",
                json!({"A": {"*/*": {"status": 400, "headers": {"h": "v"}, "body": "b"}}}),
            ),
            (
                "/services",
                json!({"dynamicProperty": {"enabled": false, "type": "t", "configuration": {},
                "overrideConfiguration": true}}),
            ),
            (
                "/analytics/logging",
                json!({"mode": {"entrypoint": true}, "phase": {"request": true}, "content": {"headers": true},
                "condition": "c", "messageCondition": "m"}),
            ),
        ],
    )
}

/// Members that nobody reads for this purpose, or whose content is free.
const IGNORED: &[&str] =
    &["visibility", "resources[0].configuration.", "services.dynamicProperty.configuration."];

/// Every place below a value, as a JSON pointer with its dotted path.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String)>) {
    if !pointer.is_empty() {
        found.push((pointer.to_owned(), path.to_owned()));
    }
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let escaped = key.replace('~', "~0").replace('/', "~1");
                places(member, &format!("{pointer}/{escaped}"), &crate::reader::join(path, key), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                places(item, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Values of every type but that of the value; text is left out where text may hold numbers or JSON.
fn wrong_types(value: &Value) -> Vec<Value> {
    let all = [json!(17.5), json!(true), json!(["garbage", 1]), json!({"garbage": 1}), json!("garbage text")];
    all.into_iter().filter(|other| std::mem::discriminant(other) != std::mem::discriminant(value)).collect()
}

fn related(a: &str, b: &str) -> bool {
    let below = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    below(a, b) || below(b, a)
}

/// Puts wrong types in every place and looks for the place among the violations.
fn check_places(document: &Value, ignored: &[&str], read: impl Fn(&Value) -> Result<(), Vec<Violation>>) {
    assert_eq!(
        read(document).map_err(|violations| lines(&violations)),
        Ok(()),
        "the document itself is good"
    );
    let mut found = Vec::new();
    places(document, "", "", &mut found);
    for (pointer, path) in found {
        let place = document.pointer(&pointer).unwrap();
        for wrong in wrong_types(place) {
            let mut changed = document.clone();
            *changed.pointer_mut(&pointer).unwrap() = wrong.clone();
            let violations = read(&changed).err().unwrap_or_default();
            assert!(violations.iter().all(|v| !v.message.is_empty()), "{path} as {wrong}");
            let named = violations.iter().any(|v| related(&v.path, &path));
            let exempt = ignored.iter().any(|ignored| path.starts_with(ignored));
            assert!(named || exempt, "{path} as {wrong}: {}", lines(&violations));
        }
    }
}

#[test]
fn a_wrong_type_is_named_in_every_created_document() {
    for (_, document) in documents() {
        check_places(&document, IGNORED, |changed| read_api(changed, ReadApi::Create).map(drop));
    }
}

#[test]
fn a_wrong_type_is_named_in_an_update() {
    let document = full_update();
    let current = create(&document);
    let read =
        |changed: &Value| read_api(changed, ReadApi::Update { id: "id-1", current: &current }).map(drop);
    check_places(&document, &IGNORED[1..], read);
}

#[test]
fn a_wrong_type_is_named_in_a_plan() {
    let api = create(&mock_document());
    let plan = json!({"id": "0f9f6b3c-2a1e-4f0e-8d7c-5b6a79881122", "name": "p", "description": "d", "mode": "STANDARD",
        "validation": "auto", "status": "staging", "order": 1, "crossId": "x", "security": {"type": "key-less",
        "configuration": {}}, "flows": [{"name": "f"}], "tags": ["t"], "characteristics": ["c"],
        "excludedGroups": ["g"], "commentRequired": true, "commentMessage": "m", "generalConditions": "p"});
    check_places(&plan, &[], |changed| read_plan(changed, ReadPlan::Create { api: &api }).map(drop));
    let plans = json!({"plans": [plan]});
    check_places(&plans, &[], |changed| read_update_plans(changed, &api, |_| None).map(drop));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["http", "sse", "kafka", "mock", "********", "{}", "[", "4.0.0", "async"])
            .prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "name",
            "type",
            "listeners",
            "entrypoints",
            "endpointGroups",
            "endpoints",
            "configuration",
            "paths",
            "path",
            "qos",
            "flows",
            "selectors",
            "consumer",
            "topics",
            "security",
            "plans",
            "id",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Reads a document for every purpose. Whatever it is, the outcome is a value that prints or reasons to refuse it.
fn read_everything(document: &Value, current: &Api) {
    let current_plan = crate::plan::Plan {
        name: "p".to_owned(),
        description: String::new(),
        validation: crate::plan::PlanValidation::Auto,
        security: crate::plan::PlanSecurity {
            security_type: crate::plan::PlanSecurityType::KeyLess,
            configuration: None,
        },
        cross_id: None,
        flows: Vec::new(),
        tags: Vec::new(),
        characteristics: Vec::new(),
        excluded_groups: Vec::new(),
        comment_required: false,
        comment_message: None,
        selection_rule: None,
        general_conditions: None,
    };
    let update = ReadPlan::Update { id: "p", api: current, current: &current_plan };
    let reads = [
        read_api(document, ReadApi::Create).map(|api| assert_eq!(again(&api), Ok(api))),
        read_api(document, ReadApi::Update { id: "id-1", current })
            .map(|api| assert_eq!(again(&api), Ok(api))),
        read_plan(document, ReadPlan::Create { api: current }).map(drop),
        read_plan(document, update).map(drop),
        read_update_plans(document, current, |_| None).map(drop),
    ];
    for violations in reads.into_iter().filter_map(Result::err) {
        assert!(!violations.is_empty(), "refused without a reason");
        assert!(violations.iter().all(|v| !v.message.is_empty() && !v.code.is_empty()));
    }
}

proptest! {
    #[test]
    fn arbitrary_json_never_panics(document in any_json()) {
        read_everything(&document, &create(&mock_document()));
    }

    #[test]
    fn arbitrary_parts_never_panic(which in 0..7usize, place in any::<prop::sample::Index>(), garbage in any_json()) {
        let mut all: Vec<Value> = documents().into_iter().map(|(_, document)| document).collect();
        all.push(full_update());
        let mut document = all.swap_remove(which);
        let mut found = Vec::new();
        places(&document, "", "", &mut found);
        *document.pointer_mut(&place.get(&found).0).unwrap() = garbage;
        read_everything(&document, &create(&full_update()));
    }
}
