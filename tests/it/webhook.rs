//! Webhooks over a real Kafka, with receivers that fail, stall and answer garbage: nothing is lost, order is kept where it is
//! promised, and what is refused is with the dead letters exactly.

use crate::harness::client::{Client, http};
use crate::harness::records::{everything, produce};
use crate::harness::rude::{Reaction, Rude};
use crate::harness::services::{services, topic, unique};
use crate::harness::stack::{Stack, Store};
use crate::harness::wait::{SOON, throughout, until};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Callbacks of these tests are on loopback.
const SETTINGS: &[(&str, &str)] = &[("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8")];
/// Longest answer that the gateway waits for here.
const READ_TIMEOUT_MS: u64 = 500;

/// An API that delivers `topic`, and puts what is refused into `refused`.
fn definition(topic: &str, refused: Option<&str>, qos: &str) -> Value {
    let mut entrypoint = json!({ "type": "webhook", "qos": qos, "configuration": {
        "http": { "readTimeout": READ_TIMEOUT_MS } } });
    let mut groups = vec![group("source", topic, "consumer")];
    if let Some(refused) = refused {
        entrypoint["dlq"] = json!({ "endpoint": "refused" });
        groups.insert(0, group("refused", refused, "producer"));
    }
    json!({
        "name": format!("webhooks of {topic}"), "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async",
        "description": "made by a test",
        "listeners": [{ "type": "subscription", "entrypoints": [entrypoint] }],
        "endpointGroups": groups, "flows": []
    })
}

fn group(name: &str, topic: &str, direction: &str) -> Value {
    let mut configuration = json!({ "bootstrapServers": services().kafka, "topics": [topic],
        "consumer": { "enabled": false, "autoOffsetReset": "earliest" }, "producer": { "enabled": false } });
    configuration[direction]["enabled"] = json!(true);
    json!({ "name": name, "type": "kafka-advanced", "endpoints": [
        { "name": format!("{name}-1"), "type": "kafka-advanced", "configuration": configuration }] })
}

async fn created(client: &Client, path: &str, document: &Value) -> String {
    let answer = client.post(path, Some(document)).await.expect(201, path).json();
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

/// Deploys the API and subscribes to it. The path of the subscription.
async fn subscribed(stack: &Stack, definition: &Value, configuration: Value) -> String {
    let client = &stack.client;
    let api = client.create_api(definition).await;
    let plan = json!({ "name": "push", "description": "to callbacks", "status": "PUBLISHED", "characteristics": [],
        "security": { "type": "subscription" } });
    let plan = created(client, &format!("/v4/apis/{api}/plans"), &plan).await;
    client.start(&api).await;
    subscription(stack, &api, &plan, configuration).await
}

async fn subscription(stack: &Stack, api: &str, plan: &str, configuration: Value) -> String {
    let client = &stack.client;
    let application = json!({ "name": unique("subscriber"), "description": "gets what happens" });
    let application = created(client, "/applications", &application).await;
    let path = format!("/v4/apis/{api}/subscriptions?application={application}&plan={plan}");
    let metadata = json!({ "shop": "north" });
    let id = created(client, &path, &json!({ "configuration": configuration, "metadata": metadata })).await;
    format!("/v4/apis/{api}/subscriptions/{id}")
}

fn to(receiver: &Rude, retries: u32) -> Value {
    json!({ "entrypointId": "webhook", "callbackUrl": receiver.url(), "retry": {
        "retryOption": "Retry On Fail", "retryStrategy": "LINEAR", "maxAttempts": retries, "initialDelaySeconds": 1 } })
}

async fn all_accepted(receiver: &Rude, wanted: &BTreeSet<String>) {
    until("everything to be delivered", SOON * 3, async || {
        let got: BTreeSet<String> = receiver.accepted().into_iter().collect();
        wanted.is_subset(&got).then_some(())
    })
    .await;
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("m{number:03}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_stalls_and_answers_garbage_gets_everything_in_order() {
    let stack = Stack::start_with(Store::Sqlite, 1, SETTINGS).await;
    let topic = topic("rude", 1).await;
    // Every seventh message is mistreated, each time in another way, and taken when it comes again.
    let receiver = Rude::start(|body, times| {
        let number: usize = body.trim_start_matches('m').parse().unwrap_or(0);
        let bad = [
            Reaction::Answer(503),
            Reaction::Stall,
            Reaction::Garbage,
            Reaction::HangUp,
            Reaction::Answer(500),
        ];
        match number % 7 {
            0 if times == 0 => bad[number / 7 % bad.len()],
            3 => Reaction::Endless,
            _ => Reaction::Answer(200),
        }
    })
    .await;
    let shown = subscribed(&stack, &definition(&topic, None, "at-least-once"), to(&receiver, 3)).await;
    let sent = numbers(0..35);
    produce(&services().kafka, &topic, &sent).await;
    all_accepted(&receiver, &sent.iter().cloned().collect()).await;
    assert_eq!(receiver.accepted(), sent, "each once, in the order of the partition");
    let mistreated = receiver.calls().len() - sent.len();
    assert_eq!(mistreated, 5, "and nothing was called again without need");
    let subscription = stack.client.get(&shown).await.expect(200, "the subscription").json();
    assert_eq!(subscription["consumerStatus"], "STARTED", "{subscription}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_callback_refuses_is_with_the_dead_letters_exactly() {
    let stack = Stack::start_with(Store::Sqlite, 1, SETTINGS).await;
    let (topic, refused) = (topic("letters", 1).await, topic("refused", 1).await);
    let receiver = Rude::start(|body, _| match body.ends_with('4') {
        true => Reaction::Answer(422),
        false => Reaction::Answer(200),
    })
    .await;
    let api = definition(&topic, Some(&refused), "at-least-once");
    subscribed(&stack, &api, to(&receiver, 3)).await;
    let sent = numbers(0..40);
    produce(&services().kafka, &topic, &sent).await;
    let (bad, good): (Vec<String>, Vec<String>) = sent.into_iter().partition(|body| body.ends_with('4'));
    all_accepted(&receiver, &good.iter().cloned().collect()).await;
    until("the dead letters", SOON, async || {
        (everything(&services().kafka, &refused).await.len() >= bad.len()).then_some(())
    })
    .await;
    assert_eq!(everything(&services().kafka, &refused).await, bad);
    assert_eq!(receiver.accepted(), good);
    assert_eq!(receiver.calls().len(), 40, "a refusal is not called again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_callback_gets_what_the_old_one_did_not_take() {
    let stack = Stack::start_with(Store::Sqlite, 1, SETTINGS).await;
    let topic = topic("moved", 1).await;
    // The old one stalls in the middle: the call that is under way is given up, and its message must not be.
    let old =
        Rude::start(|body, _| if body < "m010" { Reaction::Answer(200) } else { Reaction::Answer(503) })
            .await;
    let new = Rude::start(|_, _| Reaction::Answer(200)).await;
    let shown = subscribed(&stack, &definition(&topic, None, "at-least-once"), to(&old, 1_000)).await;
    let sent = numbers(0..20);
    produce(&services().kafka, &topic, &sent).await;
    until("the old callback to be in trouble", SOON, async || {
        old.calls().iter().any(|body| body == "m010").then_some(())
    })
    .await;
    let change = json!({ "configuration": to(&new, 3) });
    stack.client.call(Method::PUT, &shown, Some(&change)).await.expect(200, "change the callback");
    all_accepted(&new, &sent[10..].iter().cloned().collect()).await;
    assert_eq!(old.accepted(), sent[..10]);
    assert_eq!(new.accepted(), sent[10..], "each message once, in order");
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_into_the_gateways_own_networks_fail_with_a_reason() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let topic = topic("inside", 1).await;
    let receiver = Rude::start(|_, _| Reaction::Answer(200)).await;
    let shown = subscribed(&stack, &definition(&topic, None, "auto"), to(&receiver, 3)).await;
    until("a record to reach a running subscription", SOON, async || {
        produce(&services().kafka, &topic, ["secret"]).await;
        let subscription = stack.client.get(&shown).await.expect(200, "the subscription").json();
        (subscription["consumerStatus"] == "FAILURE").then_some(())
    })
    .await;
    throughout("silence", Duration::from_millis(500), async || receiver.calls().is_empty()).await;
    let subscription = stack.client.get(&shown).await.expect(200, "the subscription").json().to_string();
    assert!(subscription.contains("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS"), "{subscription}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_works() {
    let stack = Stack::start_with(Store::Sqlite, 1, SETTINGS).await;
    let (orders, refused) = (topic("orders", 1).await, topic("orders-refused", 1).await);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/webhook-kafka.json");
    let text = std::fs::read_to_string(file).expect("the example is there");
    let text = text
        .replace("kafka:9092", &services().kafka)
        .replace("\"orders-refused\"", &format!("\"{refused}\""))
        .replace("[\"orders\"]", &format!("[\"{orders}\"]"));
    let example: Value = serde_json::from_str(&text).expect("the example is JSON");
    let receiver = Rude::start(|body, _| match body.contains("bad") {
        true => Reaction::Answer(400),
        false => Reaction::Answer(200),
    })
    .await;
    let client = &stack.client;
    let api = client.create_api(&example).await;
    let plan = json!({ "name": "Push", "description": "For webhooks", "status": "PUBLISHED",
        "security": { "type": "subscription" } });
    let plan = created(client, &format!("/v4/apis/{api}/plans"), &plan).await;
    client.create_keyless_plan(&api).await;
    client.start(&api).await;
    stack.serves("/shop/order-webhooks").await;
    subscription(
        &stack,
        &api,
        &plan,
        json!({ "entrypointId": "webhook", "callbackUrl": receiver.url(),
        "headers": [{ "name": "X-Shop", "value": "{#subscription.metadata.shop}" }] }),
    )
    .await;
    for order in ["{\"order\":1}", "{\"order\":\"bad\"}", "{\"order\":2}"] {
        let answer = http().post(stack.gateways[0].http("/shop/order-webhooks")).body(order).send().await;
        assert_eq!(answer.expect("the gateway answers").status().as_u16(), 202, "{order}");
    }
    let good = ["{\"order\":1}", "{\"order\":2}"].map(str::to_owned);
    all_accepted(&receiver, &good.iter().cloned().collect()).await;
    assert_eq!(receiver.accepted(), good);
    until("the dead letter", SOON, async || {
        (everything(&services().kafka, &refused).await == ["{\"order\":\"bad\"}"]).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_has_a_line_in_the_log_without_what_is_secret_when_the_author_asks_for_it() {
    let stack = Stack::start_with(Store::Sqlite, 1, SETTINGS).await;
    let receiver =
        Rude::start(|_, times| if times == 0 { Reaction::Answer(503) } else { Reaction::Answer(204) }).await;
    let mut subscriber = to(&receiver, 2);
    subscriber["callbackUrl"] = json!(format!("{}?key=hush-query", receiver.url()));
    subscriber["headers"] = json!([{ "name": "X-Secret", "value": "hush-header" }]);
    let [silent, logged] = [topic("silent", 1).await, topic("logged", 1).await];
    subscribed(&stack, &definition(&silent, None, "at-least-once"), subscriber.clone()).await;
    let mut document = definition(&logged, None, "at-least-once");
    document["listeners"][0]["entrypoints"][0]["configuration"]["logging"] =
        json!({ "enabled": true, "request": { "headers": true, "payload": true } });
    let path = subscribed(&stack, &document, subscriber).await;
    let id = path.rsplit('/').next().expect("the path ends with the id");
    let lines = || -> Vec<String> {
        let log = stack.gateways[0].process.output();
        log.lines().filter(|line| line.contains("a webhook was called")).map(str::to_owned).collect()
    };
    produce(&services().kafka, &silent, &["hush-silent"]).await;
    produce(&services().kafka, &logged, &["hush-body"]).await;
    all_accepted(&receiver, &["hush-silent", "hush-body"].map(str::to_owned).into()).await;
    until("both calls to be in the log", SOON, async || (lines().len() >= 2).then_some(())).await;
    let lines = lines();
    assert_eq!(lines.len(), 2, "only of the API that asked for it: {lines:#?}");
    let said = |line: &str, parts: &[&str]| {
        for part in [id, "127.0.0.1"].iter().chain(parts) {
            assert!(line.contains(part), "no {part} in {line}");
        }
    };
    said(&lines[0], &["unreachable", "answered 503"]);
    said(&lines[1], &["delivered", "204"]);
    let log = stack.gateways[0].process.output();
    assert!(!log.contains("hush"), "contents, headers or queries are in the log");
}
