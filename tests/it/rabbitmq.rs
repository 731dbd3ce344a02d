//! Web clients and a real RabbitMQ: both directions, positions, sharing, broadcasting, and what is refused.

use crate::harness::amqp::Amqp;
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{Endpoint, all_entrypoints, api};
use crate::harness::rabbitmq::{Broker, PASSWORD, USER};
use crate::harness::services::unique;
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Stalled, Ws};
use crate::harness::wait::{SOON, until, within};
use lapin::types::{AMQPValue, ShortString};
use lapin::{BasicProperties, ExchangeKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1500);
/// What a client that reads nothing may have taken from its queue, beside what sockets hold: the prefetch.
const PREFETCH: u64 = 64;

/// Settings of a broker on `port`, reading and writing a topic exchange.
pub(crate) fn settings(port: u16, exchange: &str) -> Value {
    let side = |routing_key: &str| json!({ "enabled": true, "exchange": { "name": exchange, "type": "topic" }, "routingKey": routing_key });
    json!({ "serverHost": "127.0.0.1", "serverPort": port,
        "security": { "auth": { "username": USER, "password": PASSWORD } },
        "consumer": side("orders.#"), "producer": side("orders.new") })
}

pub(crate) fn rabbitmq(settings: Value) -> Endpoint {
    Endpoint::new("rabbitmq", settings)
}

async fn post(stack: &Stack, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http().post(stack.gateways[0].http(path)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(within("the answer to a POST", SOON, request.send()).await.expect("the gateway answers"))
        .await
}

async fn get(stack: &Stack, path: &str, client: &str) -> Answer {
    let request = http().get(stack.gateways[0].http(path)).header("Accept", "application/json");
    let sending = request.header(CLIENT, client).send();
    Answer::read(within("the answer to a GET", SOON, sending).await.expect("the gateway answers")).await
}

fn contents(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|item| item["content"].as_str().expect("content is text").to_owned()).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_reaches_rabbitmq_and_every_kind_of_reader() {
    let broker = Broker::shared().await;
    let exchange = unique("bridge");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut entrypoints = all_entrypoints();
    entrypoints[0]["configuration"] = json!({ "requestHeadersToMessage": true });
    entrypoints[1]["configuration"] = json!({ "messagesLimitCount": 2, "messagesLimitDurationMs": 20_000 });
    stack.serve("/bridge", &api("/bridge", &entrypoints, &rabbitmq(settings(broker.port, &exchange)))).await;

    let mut sse = Sse::open(&stack.gateways[0].http("/bridge"), &[(CLIENT, "sse")]).await;
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/bridge?{CLIENT}=ws"))).await;
    let client = Amqp::connect(broker.port, "/").await;
    client.keep(&exchange, "orders.*", &exchange).await;
    let headers = [("Content-Type", "application/json"), ("X-Shop", "north"), ("X-Shop", "south")];
    let accepted = post(&stack, "/bridge", "{\"n\":1}", &headers).await.expect(202, "POST");
    assert_eq!(accepted.text, "");
    let there = client.next(&exchange).await;
    assert_eq!(there.data, b"{\"n\":1}", "202 means that RabbitMQ has it");
    assert_eq!(there.routing_key.as_str(), "orders.new");
    let properties = &there.properties;
    assert_eq!(properties.content_type().as_ref().map(ShortString::as_str), Some("application/json"));
    assert_eq!(properties.delivery_mode(), &Some(2), "auto survives a restart");
    let table = properties.headers().as_ref().expect("the request's headers").inner();
    assert!(
        matches!(&table["x-shop"], AMQPValue::FieldArray(both) if both.as_slice().len() == 2),
        "{table:?}"
    );

    assert_eq!(sse.message().await, "{\"n\":1}");
    assert_eq!(ws.message().await, "{\"n\":1}");
    let page = tokio::spawn({
        let url = stack.gateways[0].http("/bridge");
        async move {
            let request = http().get(url).header("Accept", "application/json").header(CLIENT, "get");
            Answer::read(request.send().await.expect("the gateway answers")).await
        }
    });
    // A queue begins when its first reader comes.
    until("the queue of the GET", SOON, async || {
        (broker.queues_of(&exchange).await.len() == 4).then_some(())
    })
    .await;
    ws.send("{\"n\":2}").await;
    assert_eq!(ws.message().await, "{\"n\":2}", "a WebSocket reads what it wrote");
    assert_eq!(sse.message().await, "{\"n\":2}");
    ws.send("{\"n\":3}").await;
    let page = page.await.expect("reading does not fail").expect(200, "GET").json();
    assert_eq!(contents(&page), ["{\"n\":2}", "{\"n\":3}"]);
    assert!(page.get("pagination").is_none(), "auto has no cursor: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_see_headers_and_facts_of_a_message() {
    let broker = Broker::shared().await;
    let exchange = unique("facts");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoint = json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 1,
        "messagesLimitDurationMs": 3_000, "headersInPayload": true, "metadataInPayload": true } }]);
    stack.serve("/facts", &api("/facts", &entrypoint, &rabbitmq(settings(broker.port, &exchange)))).await;
    assert_eq!(contents(&get(&stack, "/facts", "me").await.json()), [""; 0]);
    let client = Amqp::connect(broker.port, "/").await;
    let mut headers = lapin::types::FieldTable::default();
    headers.insert("x-shop".into(), AMQPValue::LongString("north".into()));
    headers.insert("attempt".into(), AMQPValue::LongInt(2));
    let properties = BasicProperties::default()
        .with_headers(headers)
        .with_content_type("text/csv".into())
        .with_correlation_id("c-1".into())
        .with_message_id("m-1".into())
        .with_priority(3)
        .with_timestamp(1_700_000_000);
    client.produce_with(&exchange, "orders.eu.new", &["a,b"], properties).await;
    let page = get(&stack, "/facts", "me").await.expect(200, "GET").json();
    let item = &page["items"][0];
    assert_eq!(item["headers"]["x-shop"], json!(["north"]), "{item}");
    assert_eq!(item["headers"]["attempt"], json!(["2"]), "{item}");
    let facts = &item["metadata"];
    let expected = [
        ("exchange", json!(exchange)),
        ("routingKey", json!("orders.eu.new")),
        ("redelivered", json!(false)),
        ("contentType", json!("text/csv")),
        ("correlationId", json!("c-1")),
        ("messageId", json!("m-1")),
        ("priority", json!(3)),
        ("timestamp", json!(1_700_000_000)),
        ("sourceTimestamp", json!(1_700_000_000_000_u64)),
    ];
    for (name, value) in expected {
        assert_eq!(facts[name], value, "{name} in {facts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_at_auto_goes_on_where_its_identifier_stopped() {
    let broker = Broker::shared().await;
    let exchange = unique("goes-on");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 3, "messagesLimitDurationMs": 3000 } }]);
    stack.serve("/go", &api("/go", &entrypoints, &rabbitmq(settings(broker.port, &exchange)))).await;
    let page = async |client: &str| contents(&get(&stack, "/go", client).await.expect(200, "GET").json());
    assert_eq!(page("same").await, [""; 0], "the queue begins with its first reader");
    let client = Amqp::connect(broker.port, "/").await;
    client.produce(&exchange, "orders.new", &numbers(0..7)).await;
    assert_eq!(page("same").await, numbers(0..3));
    assert_eq!(page("same").await, numbers(3..6));
    assert_eq!(page("same").await, numbers(6..7));
    assert_eq!(page("another").await, [""; 0], "another identifier has a queue of its own");
    let queues = broker.queues_of(&exchange).await;
    assert_eq!(queues.len(), 2, "{queues:?}");
    for queue in queues {
        assert!(queue.name.starts_with("gravitee/gio-gateway/"), "{queue:?}");
        assert_eq!((queue.ready, queue.unacknowledged, queue.consumers), (0, 0, 0), "{queue:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_with_one_identifier_share_the_messages_on_one_gateway() {
    share(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_with_one_identifier_share_the_messages_on_two_gateways() {
    share(2).await;
}

async fn share(gateways: usize) {
    const MESSAGES: usize = 400;
    let broker = Broker::shared().await;
    let exchange = unique("share");
    let stack = Stack::start(Store::Sqlite, gateways).await;
    let endpoint = rabbitmq(settings(broker.port, &exchange));
    stack.serve("/share", &api("/share", &json!([{ "type": "sse", "qos": "auto" }]), &endpoint)).await;
    let headers = [(CLIENT, "team")];
    let mut one = Sse::open(&stack.gateways[0].http("/share"), &headers).await;
    let mut two = Sse::open(&stack.gateways[gateways - 1].http("/share"), &headers).await;
    let client = Amqp::connect(broker.port, "/").await;
    let queues = broker.queues_of(&exchange).await;
    assert!(matches!(&queues[..], [queue] if queue.consumers == 2), "{queues:?}");
    let messages = numbers(0..MESSAGES);
    let producing = client.produce(&exchange, "orders.new", &messages);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let reading = async {
        while first.len() + second.len() < MESSAGES {
            tokio::select! {
                data = one.message() => first.push(data),
                data = two.message() => second.push(data),
            }
        }
    };
    within("every message to be read by one of the two", SOON, async { tokio::join!(producing, reading) })
        .await;
    let distinct: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(distinct.len(), MESSAGES, "none is lost");
    assert!(
        first.len() >= MESSAGES / 4 && second.len() >= MESSAGES / 4,
        "{} and {}",
        first.len(),
        second.len()
    );
    let more = tokio::join!(one.quiet_for(QUIET), two.quiet_for(QUIET));
    assert!(matches!(more, (None, None)), "none came twice: {more:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_none_a_hundred_clients_get_everything_over_one_queue() {
    const CLIENTS: usize = 100;
    let broker = Broker::shared().await;
    let exchange = unique("broadcast");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = rabbitmq(settings(broker.port, &exchange));
    stack.serve("/all", &api("/all", &json!([{ "type": "sse", "qos": "none" }]), &endpoint)).await;
    let url = stack.gateways[0].http("/all");
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        // The same identifier for all: at `none` it shares nothing.
        clients.push(Sse::open(&url, &[(CLIENT, "same")]).await);
    }
    let queues = broker.queues_of(&exchange).await;
    assert!(matches!(&queues[..], [queue] if queue.consumers == 1), "{queues:?}");
    let producer = Amqp::connect(broker.port, "/").await;
    producer.produce(&exchange, "orders.new", &numbers(0..300)).await;
    for client in &mut clients {
        for wanted in numbers(0..300) {
            assert_eq!(client.message().await, wanted, "everybody gets everything, in order");
        }
    }
    drop(clients);
    until("the queue to go with its readers", SOON, async || {
        broker.queues_of(&exchange).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_queue_takes_is_not_accepted() {
    let broker = Broker::shared().await;
    let exchange = unique("nobody");
    let stack = Stack::start(Store::Sqlite, 1).await;
    for qos in ["none", "auto"] {
        let path = format!("/{qos}");
        let entrypoint = json!([{ "type": "http-post", "qos": qos }]);
        stack.serve(&path, &api(&path, &entrypoint, &rabbitmq(settings(broker.port, &exchange)))).await;
        let refused = post(&stack, &path, "lost", &[]).await.expect(503, qos);
        for part in [&exchange, "orders.new", "no queue is bound"] {
            assert!(refused.text.contains(part), "{part} in {}", refused.text);
        }
    }
    let client = Amqp::connect(broker.port, "/").await;
    client.keep(&exchange, "orders.new", &exchange).await;
    for (qos, mode) in [("none", 1), ("auto", 2)] {
        post(&stack, &format!("/{qos}"), qos, &[]).await.expect(202, "with a queue");
        let there = client.next(&exchange).await;
        assert_eq!((there.data, there.properties.delivery_mode()), (qos.as_bytes().to_vec(), &Some(mode)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_belong_to_their_messages_under_load() {
    let broker = Broker::shared().await;
    let exchange = unique("mixed");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut definition =
        api("/mixed", &json!([{ "type": "http-post" }]), &rabbitmq(settings(broker.port, &exchange)));
    definition["flows"] = json!([routing()]);
    stack.serve("/mixed", &definition).await;
    let client = Amqp::connect(broker.port, "/").await;
    client.exchange(&exchange, ExchangeKind::Topic).await;
    client.keep(&exchange, "taken", &exchange).await;
    let posts = (0..200).map(|number| {
        let (stack, key) = (&stack, if number % 2 == 0 { "taken" } else { "untaken" });
        async move { (number, post(stack, "/mixed", &number.to_string(), &[("x-key", key)]).await) }
    });
    for (number, answer) in futures::future::join_all(posts).await {
        answer.expect(if number % 2 == 0 { 202 } else { 503 }, &format!("message {number}"));
    }
    let there: BTreeSet<String> = client.drain(&exchange).await.into_iter().collect();
    assert_eq!(there, (0..200).step_by(2).map(|number| number.to_string()).collect::<BTreeSet<_>>());
}

/// A flow that takes exchange and routing key from the request's headers.
fn routing() -> Value {
    let to = |name: &str, header: &str| {
        json!({ "name": "route", "description": "by a test", "enabled": true, "policy": "policy-assign-attributes",
            "condition": format!("{{#request.headers['{header}'] != null}}"),
            "configuration": { "attributes": [{ "name": name, "value": format!("{{#request.headers['{header}'][0]}}") }] } })
    };
    json!({ "name": "all", "enabled": true, "selectors": [],
        "request": [to("gravitee.attribute.rabbitmq.exchange", "x-exchange"), to("rabbitmq.routingKey", "x-key")] })
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_choose_exchange_and_routing_key() {
    let broker = Broker::shared().await;
    let (configured, other, missing) = (unique("configured"), unique("other"), unique("missing"));
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-post" }, { "type": "sse", "qos": "none" }]);
    let mut definition = api("/chosen", &entrypoints, &rabbitmq(settings(broker.port, &configured)));
    definition["flows"] = json!([routing()]);
    stack.serve("/chosen", &definition).await;
    let client = Amqp::connect(broker.port, "/").await;
    // Not of the type that the settings name: one that exists is used as it is.
    client.exchange(&other, ExchangeKind::Direct).await;
    client.keep(&other, "special", &other).await;
    let to = |exchange| [("x-exchange", exchange), ("x-key", "special")];
    post(&stack, "/chosen", "chosen", &to(other.as_str())).await.expect(202, "an exchange that exists");
    assert_eq!(client.take(&other, 1).await, ["chosen"]);
    let refused = post(&stack, "/chosen", "lost", &to(missing.as_str())).await.expect(503, "a new exchange");
    assert!(
        refused.text.contains(&missing) && refused.text.contains("no queue is bound"),
        "{}",
        refused.text
    );

    let mut sse = Sse::open(&stack.gateways[0].http("/chosen"), &to(other.as_str())).await;
    client.produce(&other, "special", &["for the chosen"]).await;
    assert_eq!(sse.message().await, "for the chosen");
    let key = "k".repeat(256);
    let refused = post(&stack, "/chosen", "x", &[("x-key", &key)]).await.expect(400, "too long a key");
    assert!(refused.text.contains("rabbitmq.routingKey"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_takes_no_more_than_the_prefetch() {
    const MESSAGES: usize = 600;
    let broker = Broker::shared().await;
    let exchange = unique("slow");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = rabbitmq(settings(broker.port, &exchange));
    stack.serve("/slow", &api("/slow", &json!([{ "type": "sse", "qos": "auto" }]), &endpoint)).await;
    let stalled = Stalled::open(stack.gateways[0].port, &format!("/slow?{CLIENT}=slow")).await;
    let mut fast = Sse::open(&stack.gateways[0].http("/slow"), &[(CLIENT, "fast")]).await;
    let filler = "x".repeat(64 * 1024);
    let client = Amqp::connect(broker.port, "/").await;
    for start in (0..MESSAGES).step_by(50) {
        let payloads: Vec<_> = (start..start + 50).map(|number| format!("{number} {filler}")).collect();
        client.produce(&exchange, "orders.new", &payloads).await;
        for number in start..start + 50 {
            let data = fast.message().await;
            assert!(data.starts_with(&format!("{number} ")), "the fast one gets everything in order");
        }
    }
    let queues = broker.queues_of(&exchange).await;
    let slow = queues.iter().find(|queue| queue.name.contains("-slow/")).expect("the queue of the slow one");
    assert!(slow.unacknowledged <= PREFETCH, "{slow:?}");
    assert!(slow.ready >= (MESSAGES / 2) as u64, "most of it stays in RabbitMQ: {slow:?}");
    drop(stalled);
    until("what was not taken to go back", SOON, async || {
        let queues = broker.queues_of(&exchange).await;
        let slow = queues.iter().find(|queue| queue.name.contains("-slow/"))?;
        (slow.unacknowledged == 0 && slow.consumers == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_works_as_it_is_written() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rabbitmq.json");
    let text = std::fs::read_to_string(file).expect("the example is there");
    let mut definition: Value = serde_json::from_str(&text).expect("the example is JSON");
    let address = &mut definition["endpointGroups"][0]["endpoints"][0]["configuration"];
    assert_eq!(*address, json!({ "serverHost": "rabbitmq", "serverPort": 5672 }));
    *address = json!({ "serverHost": "127.0.0.1", "serverPort": broker.port });
    let path = "/examples/rabbitmq";
    let api = stack.serve(path, &definition).await;
    let mut sse = Sse::open(&stack.gateways[0].http(path), &[(CLIENT, "sse")]).await;
    let mut ws = Ws::open(&stack.gateways[0].ws(path)).await;
    post(&stack, path, "{\"order\":1}", &[]).await.expect(202, "POST");
    assert_eq!(sse.message().await, "{\"order\":1}");
    assert_eq!(ws.message().await, "{\"order\":1}");
    let stored = stack.client.get_api(&api).await;
    assert!(!stored.to_string().contains(PASSWORD), "the password is not shown");
    stack.client.change_api(&api, |_| {}).await;
    stack.client.deploy(&api).await;
    post(&stack, path, "{\"order\":2}", &[]).await.expect(202, "the password was kept");
}
