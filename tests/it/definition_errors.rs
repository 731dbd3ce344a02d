//! Garbage in every field of a definition: the answer is a 4xx that names the field, and management lives on.

use crate::harness::client::Answer;
use crate::harness::definitions::{all_entrypoints, api, kafka, mock};
use crate::harness::stack::{Stack, Store};
use serde_json::{Value, json};

/// A document that uses every part of a definition this version reads.
fn full_document() -> Value {
    let entrypoints = json!([
        { "type": "http-post", "qos": "auto", "configuration": { "requestHeadersToMessage": true } },
        { "type": "http-get", "qos": "auto", "configuration": {
            "messagesLimitCount": 10, "messagesLimitDurationMs": 1000, "headersInPayload": true, "metadataInPayload": false } },
        { "type": "sse", "qos": "none", "configuration": {
            "heartbeatIntervalInMs": 5000, "metadataAsComment": true, "headersAsComment": false } },
        { "type": "websocket", "qos": "none", "configuration": {
            "publisher": { "enabled": true }, "subscriber": { "enabled": true } } }
    ]);
    let mut document = api("/full", &entrypoints, &kafka("127.0.0.1:9", "t"));
    document["listeners"][0]["paths"][0]["host"] = json!("example.org");
    document["listeners"][0]["cors"] = json!({ "enabled": true, "allowOrigin": ["*"], "allowMethods": ["GET"],
        "allowHeaders": ["x-a"], "exposeHeaders": ["x-b"], "maxAge": 30, "allowCredentials": false });
    document["tags"] = json!(["a"]);
    document["flowMode"] = json!("default");
    document["flows"] = json!([{ "name": "f", "enabled": true, "request": [], "response": [], "subscribe": [], "publish": [],
        "selectors": [{ "type": "channel", "operations": ["subscribe"], "channel": "/", "channelOperator": "STARTS_WITH",
            "entrypoints": ["sse"] }] }]);
    let group = &mut document["endpointGroups"][0];
    group["loadBalancer"] = json!({ "type": "round-robin" });
    group["endpoints"][0]["weight"] = json!(1);
    group["endpoints"][0]["inheritConfiguration"] = json!(false);
    group["endpoints"][0]["secondary"] = json!(false);
    document
}

/// Every place of a document: its pointer, its dotted path and a value of a wrong type for it.
fn places(value: &Value, pointer: &str, path: &str, found: &mut Vec<(String, String, Value)>) {
    let garbage = match value {
        Value::String(_) => json!({ "garbage": true }),
        Value::Array(_) | Value::Object(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {
            json!("garbage")
        }
    };
    if !path.is_empty() {
        found.push((pointer.to_owned(), path.to_owned(), garbage));
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let dotted = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                places(member, &format!("{pointer}/{name}"), &dotted, found);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                places(element, &format!("{pointer}/{index}"), &format!("{path}[{index}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The places that an error body names.
fn named(body: &Value) -> Vec<String> {
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let place = |detail: &Value| detail["path"].as_str().or(detail["location"].as_str()).map(str::to_owned);
    details.iter().filter_map(place).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_any_field_is_refused_with_a_path_to_it() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let document = full_document();
    let mut found = Vec::new();
    places(&document, "", "", &mut found);
    assert!(found.len() > 60, "the walk found only {} places", found.len());
    let mut wrong = Vec::new();
    for (pointer, path, garbage) in found {
        let mut broken = document.clone();
        *broken.pointer_mut(&pointer).expect("the pointer was found in it") = garbage.clone();
        let answer = stack.client.post("/v4/apis", Some(&broken)).await;
        let status = answer.status.as_u16();
        let paths = if (400..500).contains(&status) { named(&answer.json()) } else { Vec::new() };
        let refused = matches!(status, 400 | 404);
        if !refused || !paths.iter().any(|named| named == &path || named.starts_with(&format!("{path}."))) {
            wrong.push(format!("{path} = {garbage}: {status}, names {paths:?}"));
        }
    }
    assert!(wrong.is_empty(), "not refused, or without a path to the field:\n{}", wrong.join("\n"));
    stack.client.create_api(&document).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_faults_are_reported_together() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let mut document = full_document();
    document["name"] = json!(" ");
    document["listeners"][0]["entrypoints"][2]["qos"] = json!("twice");
    document["endpointGroups"][0]["endpoints"][0]["weight"] = json!([]);
    let body = stack.client.post("/v4/apis", Some(&document)).await.expect(400, "three faults").json();
    let paths = named(&body);
    for path in ["name", "listeners[0].entrypoints[2].qos", "endpointGroups[0].endpoints[0].weight"] {
        assert!(paths.iter().any(|named| named == path), "{path} is missing in {paths:?}");
    }
    assert_eq!(body["http_status"], 400);
    assert_eq!(body["message"], body["details"][0]["message"], "the first one decides");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_document_are_refused() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let nested = [b"[".repeat(200_000), b"]".repeat(200_000)].concat();
    let bodies: [(&str, Vec<u8>); 7] = [
        ("nothing", Vec::new()),
        ("half an object", b"{\"name\": ".to_vec()),
        ("an array", b"[]".to_vec()),
        ("a string", b"\"text\"".to_vec()),
        ("null", b"null".to_vec()),
        ("bytes that are no text", vec![0xff, 0xfe, 0x00]),
        ("brackets without end", nested),
    ];
    for (what, body) in bodies {
        let answer = stack.client.post_raw("/v4/apis", "application/json", body).await.expect(400, what);
        let body = answer.json();
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {body}");
    }
    stack.client.get("/v4/apis").await.expect(200, "management lives on");
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_and_levels_that_do_not_fit_are_named() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let refuse = async |document: Value, status: u16| -> Answer {
        stack.client.post("/v4/apis", Some(&document)).await.expect(status, "refused")
    };
    let source = || mock("x", 100, None);

    let unknown = refuse(api("/u", &json!([{ "type": "carrier-pigeon" }]), &source()), 404).await.json();
    assert_eq!(
        (&unknown["technicalCode"], &unknown["parameters"]["plugin"]),
        (&json!("plugin.notFound"), &json!("carrier-pigeon"))
    );

    let later = refuse(api("/l", &json!([{ "type": "tcp-proxy" }]), &source()), 400).await.json();
    assert_eq!(later["technicalCode"], "data.invalid");
    assert!(
        later["message"].as_str().is_some_and(|text| text.contains("not available in this version")),
        "{later}"
    );

    let level = json!([{ "type": "sse", "qos": "at-least-once" }]);
    let misfit = refuse(api("/q", &level, &kafka("127.0.0.1:9", "t")), 400).await.json();
    assert_eq!(misfit["technicalCode"], "listeners.entrypoints.qos.invalid");
    let message = misfit["message"].as_str().unwrap_or_default();
    assert!(["sse", "kafka", "none", "auto"].iter().all(|word| message.contains(word)), "{message}");

    let mut stepped = api("/s", &all_entrypoints(), &source());
    stepped["flows"] = json!([{ "selectors": [], "request": [
        { "name": "n", "description": "d", "policy": "groovy", "configuration": {} }] }]);
    let step = refuse(stepped, 400).await.json();
    assert!(step["message"].as_str().is_some_and(|text| text.contains("groovy")), "{step}");
}
