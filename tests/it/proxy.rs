//! Proxy APIs from the management API to a real backend: saved in both dialects, deployed, called, changed under load.

use crate::harness::backend::Backend;
use crate::harness::client::{Answer, http};
use crate::harness::stack::{Stack, Store};
use crate::harness::wait::{SOON, until, within};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// As the beta writes it: everything in `configuration`.
fn beta(path: &str, configuration: &Value) -> Value {
    json!({
        "name": format!("API at {path}"), "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "sync",
        "description": "made by a test",
        "listeners": [{ "type": "http", "paths": [{ "path": path }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": [{ "name": "default", "type": "http-proxy", "endpoints": [
            { "name": "default", "type": "http-proxy", "configuration": configuration }
        ] }],
        "flows": []
    })
}

async fn ask(stack: &Stack, path: &str) -> Answer {
    let asked = http().post(stack.gateways[0].http(path)).header("X-Own", "1").body("hello").send();
    Answer::read(within("an answer", SOON, asked).await.expect("the gateway answers")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_dialects_reach_their_backend() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let backend = Backend::start("one").await;
    let settings = json!({ "target": backend.url("/base?k=1"), "http": { "readTimeout": "5000" },
        "headers": [{ "name": "X-Set", "value": "set" }] });
    stack.serve("/beta", &beta("/beta", &settings)).await;
    let mut v4 = beta("/v4", &json!({ "target": backend.url("/base") }));
    v4["type"] = json!("PROXY");
    v4["definitionVersion"] = json!("V4");
    let shared = json!({ "headers": [{ "name": "X-Set", "value": "shared" }], "ssl": { "trustAll": true } });
    v4["endpointGroups"][0]["sharedConfiguration"] = shared;
    v4["endpointGroups"][0]["endpoints"][0]["inheritConfiguration"] = json!(true);
    stack.serve("/v4", &v4).await;

    let told = ask(&stack, "/beta/a%20b?x=1").await.expect(200, "beta").json();
    assert_eq!((&told["method"], &told["target"]), (&json!("POST"), &json!("/base/a%20b?k=1&x=1")));
    assert_eq!((&told["body"], &told["headers"]["x-own"]), (&json!("hello"), &json!("1")));
    assert_eq!(told["headers"]["x-set"], "set");
    assert!(told["headers"]["x-gravitee-transaction-id"].is_string(), "{told}");
    let told = ask(&stack, "/v4").await.expect(200, "4.x").json();
    assert_eq!((&told["target"], &told["headers"]["x-set"]), (&json!("/base"), &json!("shared")));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_masked_and_faults_are_listed() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let proxy =
        json!({ "enabled": true, "host": "proxy", "port": 3128, "username": "u", "password": "hush" });
    let settings = json!({ "target": "https://backend", "proxy": proxy,
        "ssl": { "keyStore": { "type": "PKCS12", "content": "AAEC", "password": "hush" } } });
    let api = stack.client.create_api(&beta("/masked", &settings)).await;
    let stored = stack.client.get_api(&api).await;
    assert!(!stored.to_string().contains("hush"), "{stored}");
    let shown = &stored["endpointGroups"][0]["endpoints"][0]["configuration"];
    assert_eq!(shown["proxy"]["password"], "********");
    assert_eq!(shown["ssl"]["keyStore"]["content"], "********");
    stack.client.change_api(&api, |definition| definition["name"] = json!("renamed")).await;

    let wrong = json!({ "target": "ftp://backend", "proxy": { "enabled": true } });
    let answer =
        stack.client.post("/v4/apis", Some(&beta("/wrong", &wrong))).await.expect(400, "three faults");
    for part in ["target must begin with http", "proxy.host is required", "proxy.port is required"] {
        assert!(answer.text.contains(part), "{part} is not in {}", answer.text);
    }
    let mut mixed = beta("/mixed", &json!({ "target": "http://backend" }));
    mixed["type"] = json!("async");
    stack.client.post("/v4/apis", Some(&mixed)).await.expect(400, "a proxy endpoint in a message API");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_endpoint_loses_no_request() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (one, two) = (Backend::start("one").await, Backend::start("two").await);
    let api = stack.serve("/load", &beta("/load", &json!({ "target": one.url("") }))).await;
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (stop, asked, url) = (Arc::clone(&stop), Arc::clone(&asked), stack.gateways[0].http("/load"));
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.post(&url).body("x").send().await;
                    asked.fetch_add(1, Ordering::Relaxed);
                    match answer {
                        Ok(answer) if answer.status() == 200 => drop(answer.bytes().await),
                        other => failed.push(format!("{other:?}")),
                    }
                }
                failed
            })
        })
        .collect();
    for (target, wanted) in [(&two, "two"), (&one, "one"), (&two, "two")] {
        let before = asked.load(Ordering::Relaxed);
        until("some requests", SOON, async || (asked.load(Ordering::Relaxed) > before + 200).then_some(()))
            .await;
        stack
            .client
            .change_api(&api, |definition| {
                definition["endpointGroups"][0]["endpoints"][0]["configuration"]["target"] =
                    json!(target.url(""));
            })
            .await;
        stack.client.deploy(&api).await;
        until("the new backend to answer", SOON, async || {
            let told = ask(&stack, "/load").await.json();
            (told["backend"] == wanted).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        assert_eq!(caller.await.expect("the caller ends"), [""; 0]);
    }
}
