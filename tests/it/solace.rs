//! Web clients and Solace over AMQP 1.0, with Apache Artemis in its place: both directions, subscriptions that stay,
//! sharing, wildcards, and what a document may say.

use crate::harness::amqp10::{Reader, send, send_all};
use crate::harness::artemis::{APP, Broker};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, solace};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, within};
use fe2o3_amqp::types::messaging::{ApplicationProperties, Header, Message, Properties};
use fe2o3_amqp::types::primitives::{Binary, Symbol};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1500);

/// Settings of an endpoint that reads and writes `topic`.
pub(crate) fn settings(url: &str, topic: &str) -> Value {
    json!({ "url": url, "vpnName": "default",
        "security": { "auth": { "username": APP.0, "password": APP.1 } },
        "consumer": { "enabled": true, "topics": [topic] }, "producer": { "enabled": true, "topics": [topic] } })
}

/// The same without the writing side, for topics with wildcards.
fn reading(url: &str, topic: &str) -> Value {
    let mut settings = settings(url, topic);
    settings["producer"] = Value::Null;
    settings
}

async fn post(stack: &Stack, path: &str, body: &str) -> Answer {
    let sending = http().post(stack.gateways[0].http(path)).body(body.to_owned()).send();
    Answer::read(within("the answer to a POST", SOON, sending).await.expect("the gateway answers")).await
}

async fn get(stack: &Stack, path: &str, client: &str) -> Value {
    let request = http().get(stack.gateways[0].http(path)).header("Accept", "application/json");
    let sending = request.header(CLIENT, client).send();
    let answer = within("the answer to a GET", SOON, sending).await.expect("the gateway answers");
    Answer::read(answer).await.expect(200, "GET").json()
}

fn contents(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|item| item["content"].as_str().expect("content is text").to_owned()).collect()
}

/// SSE with an identifier.
pub(crate) async fn sse(stack: &Stack, gateway: usize, path: &str, client: &str) -> Sse {
    Sse::open(&stack.gateways[gateway].http(path), &[(CLIENT, client)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_reaches_the_broker_and_every_kind_of_reader() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut entrypoints = all_entrypoints();
    entrypoints[1]["configuration"] = json!({ "messagesLimitCount": 2, "messagesLimitDurationMs": 5_000 });
    stack.serve("/auto", &api("/auto", &entrypoints, &solace(settings(&broker.url(), "bridge/one")))).await;
    let live = json!([{ "type": "sse", "qos": "none" }, { "type": "websocket", "qos": "none" }, { "type": "http-post", "qos": "none" }]);
    stack.serve("/none", &api("/none", &live, &solace(settings(&broker.url(), "bridge/one")))).await;

    let mut world = Reader::open(broker.address(), "bridge/*").await;
    let mut auto = sse(&stack, 0, "/auto", "sse").await;
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/auto?{CLIENT}=ws"))).await;
    // Makes the subscription that the GETs read.
    drop(sse(&stack, 0, "/auto", "get").await);
    let mut none = (sse(&stack, 0, "/none", "a").await, sse(&stack, 0, "/none", "a").await);
    let mut live_ws = Ws::open(&stack.gateways[0].ws("/none")).await;

    let accepted = post(&stack, "/auto", "{\"n\":1}").await.expect(202, "POST");
    assert_eq!(accepted.text, "");
    assert_eq!(world.text().await, "{\"n\":1}");
    ws.send("{\"n\":2}").await;
    assert_eq!(world.text().await, "{\"n\":2}");
    post(&stack, "/none", "{\"n\":3}").await.expect(202, "POST at none");
    for expected in ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"] {
        assert_eq!(auto.message().await, expected);
        assert_eq!(ws.message().await, expected, "a WebSocket reads what it wrote");
        assert_eq!(
            (none.0.message().await, none.1.message().await),
            (expected.to_owned(), expected.to_owned())
        );
        assert_eq!(live_ws.message().await, expected);
    }
    assert_eq!(contents(&get(&stack, "/auto", "get").await), ["{\"n\":1}", "{\"n\":2}"]);
    assert_eq!(contents(&get(&stack, "/auto", "get").await), ["{\"n\":3}"], "the rest was not lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_stays_when_its_client_goes() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition = api("/stay", &json!([{ "type": "sse" }]), &solace(reading(&broker.url(), "stay/>")));
    stack.serve("/stay", &definition).await;
    let first = sse(&stack, 0, "/stay", "somebody").await;
    drop(first);
    let mut seen = Vec::new();
    // Comes and goes, and finds what came meanwhile, in its order.
    for round in 0..4 {
        send(broker.address(), "stay/a/b", (round * 50..(round + 1) * 50).map(|n: usize| n.to_string()))
            .await;
        let mut again = sse(&stack, 0, "/stay", "somebody").await;
        for _ in 0..50 {
            seen.push(again.message().await);
        }
    }
    let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), 200, "nothing is lost: {seen:?}");
    assert_eq!(seen, expected);
    let mut another = sse(&stack, 0, "/stay", "another").await;
    assert!(another.quiet_for(QUIET).await.is_none(), "another identifier begins with its own subscription");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_with_one_identifier_share_on_one_node_and_over_nodes() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 2).await;
    let definition = api("/share", &json!([{ "type": "sse" }]), &solace(settings(&broker.url(), "share")));
    stack.serve("/share", &definition).await;
    let (seen, mut all) = tokio::sync::mpsc::channel(1_000);
    for (number, gateway) in [(0, 0), (1, 0), (2, 1)] {
        let (seen, mut sse) = (seen.clone(), sse(&stack, gateway, "/share", "together").await);
        tokio::spawn(async move {
            while let Some(event) = sse.whenever().await {
                seen.send((number, event.data)).await.expect("the test reads");
            }
        });
    }
    send(broker.address(), "share", (0..300).map(|n| n.to_string())).await;
    let (mut messages, mut readers) = (BTreeSet::new(), BTreeSet::new());
    while messages.len() < 300 {
        let (reader, message) = within("a shared message", SOON, all.recv()).await.expect("readers live");
        assert!(messages.insert(message.clone()), "{message} came twice");
        readers.insert(reader);
    }
    assert!(readers.contains(&2) && readers.len() > 1, "both nodes have a part: {readers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_facts_go_both_ways() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut configuration = settings(&broker.url(), "facts/out");
    configuration["consumer"]["topics"] = json!(["facts/in", "facts/deep/>"]);
    configuration["producer"] = json!({ "topics": ["facts/out", "facts/copy"], "deliveryMode": "DIRECT",
        "messageExpiryInterval": 60, "responseTopic": "facts/answers" });
    let entrypoints = json!([{ "type": "http-post", "configuration": { "requestHeadersToMessage": true } },
        { "type": "sse", "configuration": { "headersAsComment": false, "metadataAsComment": false } },
        { "type": "http-get", "configuration": { "headersInPayload": true, "metadataInPayload": true, "messagesLimitCount": 2 } }]);
    stack.serve("/facts", &api("/facts", &entrypoints, &solace(configuration))).await;

    let mut world = Reader::open(broker.address(), "facts/copy").await;
    let sending =
        http().post(stack.gateways[0].http("/facts")).header("X-Colour", "red").body("hello").send();
    assert_eq!(sending.await.expect("an answer").status(), 202);
    let message = world.next().await;
    let header = message.header.expect("a header");
    assert_eq!((header.durable, header.ttl), (false, Some(60_000)));
    assert_eq!(message.properties.expect("properties").reply_to.as_deref(), Some("topic://facts/answers"));
    let sent = message.application_properties.expect("application properties");
    let colour = sent.0.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-colour"));
    assert_eq!(colour.map(|(_, value)| format!("{value:?}")), Some("String(\"red\")".to_owned()));

    drop(sse(&stack, 0, "/facts", "reader").await);
    let properties = Properties::builder()
        .message_id("id-1".to_owned())
        .correlation_id("corr".to_owned())
        .content_type(Symbol::from("text/plain"))
        .build();
    let coloured = Message::builder()
        .header(Header { durable: true, ..Header::default() })
        .properties(properties)
        .application_properties(ApplicationProperties::builder().insert("colour", "blue").build())
        .data(Binary::from(b"in".to_vec()))
        .build();
    send_all(broker.address(), "facts/deep/er", [coloured]).await;
    send(broker.address(), "facts/in", ["plain"]).await;
    let page = get(&stack, "/facts", "reader").await;
    let items = page["items"].as_array().expect("items");
    let deep = items.iter().find(|item| item["content"] == "in").unwrap_or_else(|| panic!("{page}"));
    assert_eq!(deep["headers"]["colour"], json!(["blue"]), "{page}");
    for (name, value) in [("messageId", "id-1"), ("correlationId", "corr"), ("contentType", "text/plain")] {
        assert_eq!(deep["metadata"][name], value, "{page}");
    }
    assert!(deep["metadata"]["sourceTimestamp"].is_number(), "{page}");
    assert_eq!(items.len(), 2, "both topics are read: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wildcards_are_solace_s() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    for (path, topic) in [("/one", "w/*/c"), ("/below", "w/>")] {
        let entrypoints = json!([{ "type": "sse", "qos": "none" }]);
        stack.serve(path, &api(path, &entrypoints, &solace(reading(&broker.url(), topic)))).await;
    }
    let (mut one, mut below) = (sse(&stack, 0, "/one", "x").await, sse(&stack, 0, "/below", "x").await);
    for topic in ["w/a/b", "w/a/c", "v/a/c", "w/b"] {
        send(broker.address(), topic, [topic]).await;
    }
    assert_eq!(one.message().await, "w/a/c");
    assert!(one.quiet_for(QUIET).await.is_none());
    for expected in ["w/a/b", "w/a/c", "w/b"] {
        assert_eq!(below.message().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_that_cannot_work_are_refused_with_the_way_out() {
    let stack = Stack::start(Store::Sqlite, 0).await;
    let refused = async |configuration: Value| {
        let definition = api("/no", &json!([{ "type": "sse" }]), &solace(configuration));
        let answer = stack.client.post("/v4/apis", Some(&definition)).await.expect(400, "create the API");
        answer.json()["message"].as_str().unwrap_or_default().to_owned()
    };
    let own_protocol = refused(settings("tcp://solace:55555", "t")).await;
    assert!(own_protocol.contains("use amqp://host:port"), "{own_protocol}");
    let mut retained = settings("amqp://solace:5672", "t");
    retained["producer"]["retained"] = json!(true);
    let retained = refused(retained).await;
    assert!(retained.contains("producer.retained"), "{retained}");
    let level =
        api("/no", &json!([{ "type": "sse", "qos": "at-least-once" }]), &solace(settings("amqp://s", "t")));
    let level = stack.client.post("/v4/apis", Some(&level)).await.expect(400, "create the API").json();
    assert_eq!(level["technicalCode"], "listeners.entrypoints.qos.invalid", "{level}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_settings_work_over_mqtt() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let url = format!("mqtt://127.0.0.1:{}", broker.ports.mqtt);
    let mut configuration = settings(&url, "mqtt/deep/one");
    configuration["consumer"]["topics"] = json!(["mqtt/*/one", "other/>"]);
    configuration["producer"]["topics"] = json!(["mqtt/deep/one", "aside"]);
    let mut entrypoints = all_entrypoints();
    entrypoints[1]["configuration"] = json!({ "messagesLimitCount": 3, "messagesLimitDurationMs": 5_000 });
    stack.serve("/auto", &api("/auto", &entrypoints, &solace(configuration.clone()))).await;
    let live = json!([{ "type": "sse", "qos": "none" }]);
    stack.serve("/none", &api("/none", &live, &solace(configuration))).await;

    let mut world = Reader::open(broker.address(), "aside").await;
    let mut auto = sse(&stack, 0, "/auto", "sse").await;
    let mut none = sse(&stack, 0, "/none", "x").await;
    drop(sse(&stack, 0, "/auto", "get").await);
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/auto?{CLIENT}=ws"))).await;
    post(&stack, "/auto", "posted").await.expect(202, "POST");
    assert_eq!(world.text().await, "posted", "both topics are written");
    for reader in [&mut auto, &mut none] {
        assert_eq!(reader.message().await, "posted");
    }
    assert_eq!(ws.message().await, "posted");
    ws.send("framed").await;
    assert_eq!(auto.message().await, "framed");
    drop(auto);
    send(broker.address(), "other/any/where", ["while away"]).await;
    assert_eq!(none.message().await, "framed");
    assert_eq!(none.message().await, "while away");
    let mut auto = sse(&stack, 0, "/auto", "sse").await;
    assert_eq!(auto.message().await, "while away", "the broker kept it");
    let page: BTreeSet<String> = contents(&get(&stack, "/auto", "get").await).into_iter().collect();
    assert_eq!(page, ["posted", "framed", "while away"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_written() {
    let broker = Broker::start().await;
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/solace.json");
    let text = std::fs::read_to_string(file).expect("the example is there");
    let text = text.replace("solace:5672", &broker.address().to_string());
    let definition: Value = serde_json::from_str(&text).expect("the example is JSON");
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve("/examples/solace", &definition).await;
    let path = "/examples/solace";
    let mut page = sse(&stack, 0, path, "page").await;
    let mut socket = Ws::open(&stack.gateways[0].ws(path)).await;
    post(&stack, path, "{\"site\":\"north\"}").await.expect(202, "POST");
    assert_eq!(page.message().await, "{\"site\":\"north\"}");
    assert_eq!(socket.message().await, "{\"site\":\"north\"}");
    get(&stack, path, "script").await;
}
