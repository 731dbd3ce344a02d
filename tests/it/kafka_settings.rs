//! Settings of Kafka endpoints beyond security: topics by pattern, the check of topics, values of schema registries,
//! compression, and what attributes and expressions change for one call.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{Endpoint, api, kafka, kafka_latest};
use crate::harness::kafka_secured::{ALICE_PLAIN, Secured};
use crate::harness::records::{consume, produce};
use crate::harness::services::{services, topic, topic_at, unique};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, within};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1500);
const CLIENT: &str = "X-Gravitee-Client-Identifier";

async fn post(stack: &Stack, path: &str, headers: &[(&str, &str)], body: impl Into<reqwest::Body>) -> Answer {
    let mut request = http().post(stack.gateways[0].http(path)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(within("the answer to a POST", SOON, request.send()).await.expect("the gateway answers"))
        .await
}

async fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http().get(stack.gateways[0].http(path)).header("Accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(within("the answer to a GET", SOON, request.send()).await.expect("the gateway answers"))
        .await
}

fn contents(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|item| item["content"].as_str().expect("content is text")).collect()
}

/// An endpoint that reads what a pattern matches.
fn by_pattern(pattern: &str, reset: &str) -> Endpoint {
    kafka_latest(&services().kafka, "unused")
        .with("topics", Value::Null)
        .with("consumer", json!({ "topicPattern": pattern, "autoOffsetReset": reset }))
        .with("producer", json!({ "enabled": false }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_reads_topics_that_come_later_at_every_level() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    for level in ["none", "auto"] {
        for reset in ["latest", "earliest"] {
            let prefix = unique(&format!("pattern-{level}-{reset}"));
            let (first, path) = (topic(&prefix, 1).await, format!("/{level}-{reset}"));
            let definition = api(
                &path,
                &json!([{ "type": "sse", "qos": level }]),
                &by_pattern(&format!("{prefix}-[0-9a-f]+"), reset),
            );
            stack.serve(&path, &definition).await;
            let mut sse = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, &prefix)]).await;
            // "From now on" has begun when something comes.
            let mut probes = 0;
            while sse.quiet_for(Duration::from_millis(300)).await.is_none() {
                assert!(probes < 100, "{path}: nothing comes");
                produce(&services().kafka, &first, ["probe"]).await;
                probes += 1;
            }
            let (later, other) = (topic(&prefix, 2).await, topic(&format!("other-{prefix}"), 1).await);
            produce(&services().kafka, &other, ["not meant"]).await;
            produce(&services().kafka, &later, ["from the later topic"]).await;
            let mut seen = sse.message().await;
            while seen == "probe" {
                seen = sse.message().await;
            }
            assert_eq!(seen, "from the later topic", "{path}");
            produce(&services().kafka, &first, ["from the first topic"]).await;
            assert_eq!(sse.message().await, "from the first topic", "{path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_waits_for_the_first_topic() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    for level in ["none", "auto"] {
        let (prefix, path) = (unique(&format!("first-{level}")), format!("/{level}"));
        let entrypoints = json!([{ "type": "sse", "qos": level }]);
        stack.serve(&path, &api(&path, &entrypoints, &by_pattern(&format!("{prefix}.*"), "latest"))).await;
        let mut sse = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, &prefix)]).await;
        assert!(sse.quiet_for(QUIET).await.is_none(), "{level}: no topic is no error");
        let topic = topic(&prefix, 1).await;
        produce(&services().kafka, &topic, ["the first"]).await;
        assert_eq!(sse.message().await, "the first", "{level}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_topics_are_said_before_anything_is_read() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let name = unique("missing");
    let consumer = json!({ "enabled": true, "checkTopicExistence": true, "autoOffsetReset": "earliest" });
    let entrypoints =
        json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 1 } }, { "type": "sse" }]);
    let endpoint = kafka(&services().kafka, &name).with("consumer", consumer.clone());
    stack.serve("/missing", &api("/missing", &entrypoints, &endpoint)).await;
    for accept in ["application/json", "text/event-stream"] {
        let request = http().get(stack.gateways[0].http("/missing")).header("Accept", accept).send();
        let answer = within("the answer", SOON, request).await.expect("the gateway answers");
        let answer = Answer::read(answer).await.expect(404, accept);
        assert!(answer.text.contains("the topic does not exist"), "{}", answer.text);
    }
    let topic = topic("there", 1).await;
    let endpoint = kafka(&services().kafka, &topic).with("consumer", consumer);
    stack.serve("/there", &api("/there", &entrypoints, &endpoint)).await;
    produce(&services().kafka, &topic, ["there"]).await;
    let page = get(&stack, "/there", &[]).await.expect(200, "GET").json();
    assert_eq!(contents(&page), ["there"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_schema_is_cut_off_where_the_settings_say_so() {
    let topic = topic("registry", 1).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-post" }, { "type": "sse", "qos": "none" },
        { "type": "http-get", "configuration": { "messagesLimitCount": 2 } }]);
    for (path, cut) in [("/cut", true), ("/whole", false)] {
        let consumer = json!({ "removeConfluentHeader": cut, "autoOffsetReset": "earliest" });
        let endpoint = kafka(&services().kafka, &topic).with("consumer", consumer);
        stack.serve(path, &api(path, &entrypoints, &endpoint)).await;
    }
    post(&stack, "/cut", &[], b"\x00\x00\x00\x00\x07{\"a\":1}".to_vec()).await.expect(202, "POST");
    post(&stack, "/cut", &[], "plain").await.expect(202, "POST");
    let page = get(&stack, "/cut", &[(CLIENT, "cut")]).await.expect(200, "GET").json();
    assert_eq!(contents(&page), ["{\"a\":1}", "plain"]);
    let mut cut = Sse::open(&stack.gateways[0].http("/cut"), &[]).await;
    let mut whole = Sse::open(&stack.gateways[0].http("/whole"), &[]).await;
    assert_eq!(cut.message().await, "{\"a\":1}");
    assert_ne!(whole.message().await, "{\"a\":1}", "the two do not share one reading");
    assert_eq!((cut.message().await, whole.message().await), ("plain".to_owned(), "plain".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_is_built_in_and_used() {
    const SIZE: usize = 200_000;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let broker = Secured::shared().await;
    let content = "compress me ".repeat(SIZE / 12);
    for compression in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let (topic, path) = (topic_at(&broker.open(), compression, 1).await, format!("/{compression}"));
        let endpoint =
            kafka(&broker.open(), &topic).with("producer", json!({ "compressionType": compression }));
        let entrypoints = json!([{ "type": "http-post" },
            { "type": "http-get", "configuration": { "messagesLimitCount": 1 } }]);
        stack.serve(&path, &api(&path, &entrypoints, &endpoint)).await;
        post(&stack, &path, &[], content.clone()).await.expect(202, compression);
        let stored = broker.log_bytes(&topic);
        let small = stored < SIZE as u64 / 5;
        assert_eq!(small, compression != "none", "{compression} stores {stored} bytes");
        let page = get(&stack, &path, &[]).await.expect(200, compression).json();
        assert_eq!(contents(&page), [content.as_str()], "{compression}");
    }
}

/// Settings that come from headers of the request.
fn from_headers(attributes: Value) -> Value {
    let attributes: Vec<Value> = attributes
        .as_object()
        .expect("an object")
        .iter()
        .map(|(name, header)| {
            json!({ "name": name, "value": format!("{{#request.headers['{}'][0]}}", header.as_str().expect("text")) })
        })
        .collect();
    json!({ "request": [{ "name": "settings", "description": "by a test", "policy": "policy-assign-attributes",
        "configuration": { "scope": "REQUEST", "attributes": attributes } }] })
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_decide_where_and_as_whom_a_call_goes() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let broker = Secured::shared().await;
    let topic = topic_at(&broker.open(), "expressions", 1).await;
    let line = "org.apache.kafka.common.security.plain.PlainLoginModule required \
                username=\"{#request.headers['X-User'][0]}\" password=\"{#request.headers['X-Password'][0]}\";";
    let security =
        json!({ "protocol": "SASL_PLAINTEXT", "sasl": { "saslMechanism": "PLAIN", "saslJaasConfig": line } });
    let endpoint = kafka("{#request.headers['X-Broker'][0]}", &topic).with("security", security);
    let entrypoints = json!([{ "type": "http-post" }]);
    let id = stack.serve("/dynamic", &api("/dynamic", &entrypoints, &endpoint)).await;
    let shown = stack.client.get_api(&id).await;
    let shown = &shown["endpointGroups"][0]["endpoints"][0]["configuration"];
    assert_eq!(shown["security"]["sasl"]["saslJaasConfig"], "********");
    assert_eq!(shown["bootstrapServers"], "{#request.headers['X-Broker'][0]}");

    let address = broker.at("SASLPLAIN");
    let as_alice = [("X-Broker", address.as_str()), ("X-User", "alice"), ("X-Password", ALICE_PLAIN)];
    post(&stack, "/dynamic", &as_alice, "mine").await.expect(202, "POST");
    assert_eq!(consume(&broker.open(), &topic, 1).await, ["mine"]);

    let check = async |headers: &[(&str, &str)], expected: &str| {
        let refused = post(&stack, "/dynamic", headers, "x").await.expect(500, expected);
        assert!(refused.text.contains(expected), "{}", refused.text);
        assert!(!refused.text.contains(ALICE_PLAIN), "{}", refused.text);
    };
    let [broker_header, user, password] = as_alice;
    check(&[broker_header, user, ("X-Password", "other")], "refused the credentials").await;
    check(&[("X-Broker", "no address"), user, password], "bootstrapServers must list host:port pairs").await;
    check(&[user, password], "the expression of bootstrapServers has no value").await;
    // What comes from a request cannot put another option into the line.
    check(&[broker_header, ("X-User", "mallory\" password=\"x"), password], "stands there twice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_take_the_place_of_settings() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (first, second) = (topic("first", 1).await, topic("second", 1).await);
    let mut definition = api(
        "/over",
        &json!([{ "type": "http-post" }, { "type": "http-get", "configuration": { "messagesLimitCount": 1 } }]),
        &kafka(&services().kafka, &first),
    );
    let prefix = "gravitee.attributes.endpoint.kafka";
    definition["flows"] = json!([from_headers(json!({
        format!("{prefix}.producer.topics"): "X-Topic", format!("{prefix}.consumer.topics"): "X-Topic",
        format!("{prefix}.producer.compressionType"): "X-Compression",
    }))]);
    stack.serve("/over", &definition).await;
    let there = [("X-Topic", second.as_str()), ("X-Compression", "zstd"), (CLIENT, "over")];
    post(&stack, "/over", &there, "to the second").await.expect(202, "POST");
    assert_eq!(consume(&services().kafka, &second, 1).await, ["to the second"]);
    let page = get(&stack, "/over", &there).await.expect(200, "GET").json();
    assert_eq!(contents(&page), ["to the second"]);
    let wrong = [("X-Topic", second.as_str()), ("X-Compression", "middle-out")];
    let refused = post(&stack, "/over", &wrong, "x").await.expect(500, "POST");
    assert!(
        refused.text.contains("Invalid configuration") && refused.text.contains("zstd"),
        "{}",
        refused.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_written() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kafka.json");
    let text = std::fs::read_to_string(file).expect("the example is there");
    let name = topic("example", 1).await;
    let text = text.replace("kafka:9092", &services().kafka).replace("\"orders\"", &format!("{name:?}"));
    let definition: Value = serde_json::from_str(&text).expect("the example is JSON");
    let path = definition["listeners"][0]["paths"][0]["path"].as_str().expect("a path").to_owned();
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve(&path, &definition).await;
    let path = path.trim_end_matches('/');
    post(&stack, path, &[], "{\"order\":1}").await.expect(202, "POST");
    let page = get(&stack, path, &[]).await.expect(200, "GET").json();
    assert_eq!(contents(&page), ["{\"order\":1}"]);
    let mut sse = Sse::open(&stack.gateways[0].http(path), &[(CLIENT, "page")]).await;
    assert_eq!(sse.message().await, "{\"order\":1}");
}
