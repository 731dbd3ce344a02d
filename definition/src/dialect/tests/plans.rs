//! Plans.

use super::*;
use crate::dialect::{PlanDocument, ReadPlan, beta_plan, read_plan, read_update_plans};
use pretty_assertions::assert_eq;

fn plan() -> Value {
    json!({"name": "p1", "description": "d", "status": "PUBLISHED", "characteristics": [], "security": {"type": "KEY_LESS"}})
}

fn read(changes: &[(&str, Value)]) -> Result<PlanDocument, Vec<Violation>> {
    read_plan(&with(plan(), changes), ReadPlan::Create { api: &create(&mock_document()) })
}

#[track_caller]
fn check_plan(changes: &[(&str, Value)], expected: &str) {
    same(&read(changes).map_or_else(|v| lines(&v), |_| "accepted".to_owned()), expected);
}

#[test]
fn a_plan_is_printed_as_the_field_knows_it() {
    let document = read(&[]).unwrap();
    assert_eq!(document.status, crate::plan::PlanStatus::Published);
    assert_eq!(document.order, None);
    let printed = Value::Object(beta_plan(&document.plan)).to_string();
    let expected = r#"{"name":"p1","description":"d","validation":"auto","type":"api","security":{"type":"key-less"},"flows":[],"tags":[],"characteristics":[],"excludedGroups":[],"commentRequired":false,"planValidation":"auto","planSecurity":{"type":"key-less"}}"#;
    assert_eq!(printed, expected);
}

#[test]
fn what_a_plan_must_hold() {
    check_plan(
        &[("/name", Value::Null), ("/description", Value::Null)],
        "name data.invalid: name must not be null, a text is required\n\
description data.invalid: description must not be null, a text is required",
    );
    check_plan(
        &[("/security", Value::Null)],
        "security.type plan.invalid: security.type is required, use one of key-less, api-key, oauth2, jwt, subscription",
    );
    check_plan(
        &[("/security", json!({"type": "magic"}))],
        "security.type plan.invalid: security.type is unknown, use one of key-less, api-key, oauth2, jwt, subscription",
    );
    check_plan(&[("/security", json!({"type": "api-key"}))], "accepted");
    check_plan(&[("/security", json!({"type": "subscription"}))], "accepted");
    check_plan(&[("/security", Value::Null), ("/mode", json!("PUSH"))], "accepted");
    check_plan(
        &[("/mode", json!("PUSH"))],
        r#"security plan.invalid {"reason":"must not be set on a push plan, remove it"}: security must not be set on a push plan, remove it"#,
    );
    check_plan(&[("/id", json!("notuuid"))], "id data.invalid: id must be a UUID, or left out");
    check_plan(&[("/id", json!("0f9f6b3c-2a1e-4f0e-8d7c-5b6a79881122"))], "accepted");
    check_plan(
        &[("/status", json!("open")), ("/order", json!("1"))],
        r#"order data.invalid: order must be a whole number, found a string
status data.invalid: status has the unknown value "open", expected one of staging, published, deprecated, closed"#,
    );
    check_plan(&[("/selectionRule", json!("#request.headers['x'] == 'y'"))], "accepted");
    check_plan(
        &[("/flows", json!([{"request": [{"name": "r", "description": "d", "policy": "groovy"}]}]))],
        r#"flows[0].request[0].policy data.invalid: flows[0].request[0].policy names the policy "groovy", which is not available in this version; remove the step"#,
    );
    check_plan(
        &[("/mode", json!("STANDARD")), ("/description", Value::Null), ("/validation", json!("MANUAL"))],
        "accepted",
    );
}

#[test]
fn an_update_keeps_the_security_type() {
    let api = create(&mock_document());
    let current = read(&[("/crossId", json!("x"))]).unwrap().plan;
    let update = |changes: &[(&str, Value)]| {
        let document = with(
            plan(),
            &[("/validation", json!("manual")), ("/flows", json!([])), ("/security", Value::Null)],
        );
        let read = ReadPlan::Update { id: "p", api: &api, current: &current };
        read_plan(&with(document, changes), read)
    };
    let updated = update(&[("/name", json!("new"))]).unwrap().plan;
    assert_eq!(updated, crate::plan::Plan { name: "new".to_owned(), ..current.clone() });
    let faults = |changes: &[(&str, Value)]| lines(&update(changes).unwrap_err());
    same(
        &faults(&[("/flows", Value::Null), ("/validation", Value::Null), ("/id", json!("q"))]),
        r#"validation data.invalid: validation must not be null, use one of auto, manual
id data.invalid: id must be p, the plan that the request names
flows plan.missing_flows {"plan":"p"}: flows must be sent, an empty list will do"#,
    );
}

#[test]
fn plans_inside_an_update_name_existing_ones() {
    let api = create(&mock_document());
    let read = |plans: Value| {
        let found = read_update_plans(&json!({"plans": plans}), &api, |_| None);
        let ids = |plans: Vec<(String, PlanDocument)>| {
            plans.into_iter().map(|(id, _)| id).collect::<Vec<_>>().join(" ")
        };
        found.map_or_else(|v| lines(&v), |plans| plans.map_or_else(|| "absent".to_owned(), ids))
    };
    assert_eq!(read(Value::Null), "absent");
    assert_eq!(read(json!([with(plan(), &[("/id", json!("p")), ("/flows", json!([]))])])), "p");
    same(
        &read(json!([with(plan(), &[("/id", json!("p"))]), {"id": "p"}, 5])),
        r#"plans[2] data.invalid: plans[2] must be an object, found a number
plans[1].name data.invalid: plans[1].name must not be null, a text is required
plans[1].description data.invalid: plans[1].description must not be null, a text is required
plans[0].flows plan.missing_flows {"plan":"p"}: plans[0].flows must be sent, an empty list will do
plans[1].id data.invalid: plans[1].id is listed twice, remove one of them
plans[1].security.type plan.invalid: plans[1].security.type is required, use one of key-less, api-key, oauth2, jwt, subscription
plans[1].flows plan.missing_flows {"plan":"p"}: plans[1].flows must be sent, an empty list will do"#,
    );
    same(&read(json!({})), "plans data.invalid: plans must be a list, found an object");
}
