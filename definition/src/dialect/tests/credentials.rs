//! Credentials in headers and addresses: masked wherever they stand, and kept when the masks come back.

use super::*;
use pretty_assertions::assert_eq;

fn proxy_document() -> Value {
    let header =
        |value: &str| json!([{"name": "Authorization", "value": value}, {"name": "X-Env", "value": "test"}]);
    let check = json!({"enabled": true, "type": "http-health-check", "configuration": {
        "schedule": "*/30 * * * * *", "target": "http://user:hush@health/", "headers": header("hush")}});
    json!({
        "name": "Cap", "apiVersion": "1", "definitionVersion": "4.0.0", "type": "sync", "description": "d",
        "listeners": [{"type": "http", "paths": [{"path": "/cap-a"}], "entrypoints": [{"type": "http-proxy"}]}],
        "endpointGroups": [{
            "name": "g", "type": "http-proxy", "services": {"healthCheck": check},
            "endpoints": [{"name": "e", "type": "http-proxy",
                "configuration": {"target": "http://backend", "headers": header("Bearer hush")}}],
        }],
        "flows": [{"request": [{"name": "ask", "description": "d", "policy": "policy-http-callout",
            "configuration": {"url": "https://user:hush@service/{#request.id}", "headers": header("hush")}}]}],
    })
}

#[test]
fn nobody_sees_them_and_nothing_is_lost() {
    let stored = create(&proxy_document());
    let shown = Value::Object(beta_api(&stored));
    let text = shown.to_string();
    assert!(!text.contains("hush"), "{text}");
    assert_eq!(text.matches("********").count(), 5, "{text}");
    assert_eq!(
        shown.pointer("/flows/0/request/0/configuration/url").unwrap(),
        "https://user:********@service/{#request.id}"
    );
    assert_eq!(shown.pointer("/endpointGroups/0/endpoints/0/configuration/headers/1/value").unwrap(), "test");
    let read = again(&stored).unwrap_or_else(|violations| panic!("{}", lines(&violations)));
    assert_eq!((&read.endpoint_groups, &read.flows), (&stored.endpoint_groups, &stored.flows));
}

#[test]
fn masks_that_stand_for_nothing_are_named() {
    let mut document = proxy_document();
    set(
        &mut document,
        "/endpointGroups/0/services/healthCheck/configuration/headers/0/value",
        json!("********"),
    );
    set(&mut document, "/flows/0/request/0/configuration/url", json!("https://user:********@service/"));
    let found = faults(&document);
    for place in [
        "endpointGroups[0].services.healthCheck.configuration.headers[0].value",
        "flows[0].request[0].configuration.url",
    ] {
        assert!(found.contains(place), "{found}");
    }
}

#[test]
fn an_address_that_changed_needs_its_password_again() {
    let stored = create(&proxy_document());
    let mut document = Value::Object(beta_api(&stored));
    document["id"] = json!("id-1");
    set(&mut document, "/flows/0/request/0/configuration/url", json!("https://user:********@elsewhere/"));
    let read = read_api(&document, ReadApi::Update { id: "id-1", current: &stored });
    assert!(lines(&read.unwrap_err()).contains("is masked and nothing is stored for it"));
}
