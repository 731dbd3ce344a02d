//! Web clients and a real MQTT broker: both directions, what a message carries, sessions, sharing and broadcasting.

use crate::harness::chaos::Chaos;
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{api, mqtt5};
use crate::harness::mosquitto::{Mosquitto, Peer};
use crate::harness::ports::free_port;
use crate::harness::services::unique;
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, until, within};
use rumqttc::PublishProperties;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1000);
/// A broker that is away is said within this time.
const SAID: Duration = Duration::from_secs(5);

/// Settings of both directions of a topic.
fn settings(port: u16, topic: &str) -> Value {
    json!({ "serverHost": "127.0.0.1", "serverPort": port, "topic": topic,
        "consumer": { "enabled": true }, "producer": { "enabled": true } })
}

async fn send(stack: &Stack, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = http().post(stack.gateways[0].http(path)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = within("the answer to a POST", SOON, request.send()).await.expect("the gateway answers");
    Answer::read(answer).await
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

fn entrypoints() -> Value {
    json!([{ "type": "http-post" },
        { "type": "http-get", "configuration": { "messagesLimitCount": 2, "messagesLimitDurationMs": 2_000,
            "headersInPayload": true, "metadataInPayload": true } },
        { "type": "sse" }, { "type": "websocket" }])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_reaches_the_broker_and_every_kind_of_reader() {
    let broker = Mosquitto::start().await;
    let topic = unique("bridge");
    let mut peer = Peer::connect(broker.plain).await;
    peer.subscribe(&topic).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve("/b", &api("/b", &entrypoints(), &mqtt5(settings(broker.plain, &topic)))).await;
    // A session begins with its first reader.
    assert_eq!(contents(&get(&stack, "/b", "get").await.expect(200, "GET").json()), [""; 0]);
    let mut sse = Sse::open(&stack.gateways[0].http("/b"), &[(CLIENT, "sse")]).await;
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/b?{CLIENT}=ws"))).await;

    let accepted = send(&stack, "/b", &[], "{\"n\":1}").await.expect(202, "POST");
    assert_eq!((accepted.text.as_str(), peer.text().await.as_str()), ("", "{\"n\":1}"));
    assert_eq!((sse.message().await, ws.message().await), ("{\"n\":1}".to_owned(), "{\"n\":1}".to_owned()));
    ws.send("{\"n\":2}").await;
    assert_eq!(ws.message().await, "{\"n\":2}", "a WebSocket reads what it wrote");
    assert_eq!((sse.message().await, peer.text().await), ("{\"n\":2}".to_owned(), "{\"n\":2}".to_owned()));
    let page = get(&stack, "/b", "get").await.expect(200, "GET").json();
    assert_eq!(contents(&page), ["{\"n\":1}", "{\"n\":2}"], "the broker kept them for the session");
    assert!(page.get("pagination").is_none(), "auto has no cursor: {page}");
    assert_eq!(contents(&get(&stack, "/b", "get").await.expect(200, "GET").json()), [""; 0], "and no longer");
    let refused = http().get(stack.gateways[0].http("/b")).header("Accept", "text/event-stream");
    let refused = refused.header("Last-Event-ID", "1").send().await.expect("the gateway answers");
    assert_eq!(refused.status(), 400, "there is no position to go on from");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_carry_properties_both_ways() {
    let broker = Mosquitto::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (out, back) = (unique("out"), unique("back"));
    let settings = json!({ "serverHost": "127.0.0.1", "serverPort": broker.plain.to_string(),
        "consumer": { "enabled": true, "topic": format!("{back}/+") },
        "producer": { "enabled": true, "topic": out, "retained": true, "responseTopic": "answers",
            "messageExpiryInterval": 600 } });
    let mut entrypoints = entrypoints();
    entrypoints[0]["configuration"] = json!({ "requestHeadersToMessage": true });
    stack.serve("/p", &api("/p", &entrypoints, &mqtt5(settings))).await;

    send(&stack, "/p", &[("Content-Type", "text/csv"), ("X-Kind", "a")], "1;2").await.expect(202, "POST");
    // Who comes later gets what is retained, and sees how long it lasts.
    let mut peer = Peer::connect(broker.plain).await;
    peer.subscribe(&out).await;
    let message = peer.message().await;
    let properties = message.properties.clone().expect("properties");
    assert!(message.retain && &message.payload[..] == b"1;2", "{message:?}");
    assert_eq!(properties.content_type.as_deref(), Some("text/csv"));
    assert_eq!(properties.response_topic.as_deref(), Some("answers"));
    assert!((590..=600).contains(&properties.message_expiry_interval.expect("an expiry")), "{properties:?}");
    let has = |name: &str, value: &str| {
        properties.user_properties.iter().any(|(known, is)| known.eq_ignore_ascii_case(name) && is == value)
    };
    assert!(has("x-kind", "a"), "{properties:?}");

    get(&stack, "/p", "get").await.expect(200, "GET");
    let with = PublishProperties {
        content_type: Some("text/plain".to_owned()),
        response_topic: Some("to/me".to_owned()),
        user_properties: vec![("X-Source".to_owned(), "peer".to_owned())],
        ..PublishProperties::default()
    };
    peer.publish_with(&format!("{back}/7"), "hello", with).await;
    let page = get(&stack, "/p?limit=1", "get").await.expect(200, "GET").json();
    let item = &page["items"][0];
    assert_eq!(item["content"], "hello", "{page}");
    assert_eq!(item["headers"]["X-Source"], json!(["peer"]), "{item}");
    let metadata = &item["metadata"];
    assert_eq!(metadata["topic"], format!("{back}/7"));
    assert_eq!(
        (&metadata["type"], &metadata["qos"], &metadata["retain"]),
        (&json!("PUBLISH"), &json!(1), &json!(false))
    );
    assert_eq!(
        (&metadata["contentType"], &metadata["responseTopic"]),
        (&json!("text/plain"), &json!("to/me"))
    );
    assert!(metadata["sourceTimestamp"].is_u64(), "{metadata}");
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_choose_topics_and_sessions() {
    let broker = Mosquitto::start().await;
    let topic = unique("chosen");
    let mut peer = Peer::connect(broker.plain).await;
    peer.subscribe(&format!("{topic}/#")).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let assign = |pairs: Value| json!({"name": "assign", "description": "d", "enabled": true, "policy": "policy-assign-attributes", "configuration": {"attributes": pairs}});
    let mut definition = api("/a", &entrypoints(), &mqtt5(settings(broker.plain, &topic)));
    definition["flows"] = json!([{
        "request": [assign(json!([
            {"name": "gravitee.attribute.mqtt5.clientId", "value": "{#request.headers['X-Session'][0]}"}]))],
        "publish": [assign(json!([
            {"name": "gravitee.attribute.mqtt5.topic", "value": format!("{topic}/{{#message.content}}")},
            {"name": "gravitee.attribute.mqtt5.responseTopic", "value": "reply/{#message.content}"}]))],
    }]);
    stack.serve("/a", &definition).await;
    send(&stack, "/a", &[("X-Session", "w")], "7").await.expect(202, "POST");
    let message = peer.message().await;
    assert_eq!(&message.topic[..], format!("{topic}/7").as_bytes());
    let response_topic = message.properties.and_then(|properties| properties.response_topic);
    assert_eq!(response_topic.as_deref(), Some("reply/7"));
    let refused = send(&stack, "/a", &[("X-Session", "w")], "#").await.expect(400, "a topic with a wildcard");
    assert!(refused.text.contains("no topic name"), "{}", refused.text);

    // Two identifiers that are given one session share what is kept in it.
    let url = stack.gateways[0].http("/a");
    let mut one = Sse::open(&url, &[(CLIENT, "one"), ("X-Session", "same")]).await;
    peer.publish(&topic, ["first"]).await;
    assert_eq!(one.message().await, "first");
    drop(one);
    nobody_reads(&stack.gateways[0]).await;
    peer.publish(&topic, ["second"]).await;
    let mut two = Sse::open(&url, &[(CLIENT, "two"), ("X-Session", "same")]).await;
    assert_eq!(two.message().await, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_none_a_hundred_clients_cost_the_broker_one_connection() {
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("broadcast");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = mqtt5(settings(chaos.address().port(), &topic));
    stack.serve("/n", &api("/n", &json!([{ "type": "websocket", "qos": "none" }]), &endpoint)).await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        // The same identifier for all: at `none` it shares nothing.
        clients.push(Ws::open(&stack.gateways[0].ws(&format!("/n?{CLIENT}=same"))).await);
    }
    let peer = Peer::connect(broker.plain).await;
    peer.publish(&topic, (0..50).map(|n| n.to_string())).await;
    for client in &mut clients {
        for number in 0..50 {
            assert_eq!(client.message().await, number.to_string(), "everybody gets everything in order");
        }
    }
    assert!(chaos.accepted() <= 2, "one connection reads, and one asked whether the broker answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_identifier_share_one_session_and_the_messages() {
    const MESSAGES: usize = 400;
    const BATCH: usize = 60;
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("share");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = mqtt5(settings(chaos.address().port(), &topic));
    stack.serve("/s", &api("/s", &json!([{ "type": "sse", "qos": "at-least-once" }]), &endpoint)).await;
    let url = stack.gateways[0].http("/s");
    let mut team = Vec::new();
    for _ in 0..3 {
        team.push(Sse::open(&url, &[(CLIENT, "team")]).await);
    }
    let mut alone = Sse::open(&url, &[(CLIENT, "alone")]).await;
    let connections = chaos.accepted();
    assert!((2..=3).contains(&connections), "a connection per identifier, and one that asked: {connections}");
    let peer = Peer::connect(broker.plain).await;
    peer.publish(&topic, (0..MESSAGES).map(|n| n.to_string())).await;
    for number in 0..MESSAGES {
        assert_eq!(alone.message().await, number.to_string(), "who reads alone gets everything in order");
    }
    let mut seen = drain(&mut team, MESSAGES).await;
    // Who gets how many goes by who takes first; over time everybody gets some.
    let (mut count, begun) = (MESSAGES, Instant::now());
    while seen.iter().any(Vec::is_empty) {
        assert!(begun.elapsed() < SOON, "a reader gets nothing: {seen:?}");
        peer.publish(&topic, (count..count + BATCH).map(|n| n.to_string())).await;
        count += BATCH;
        let more = drain(&mut team, BATCH).await;
        seen.iter_mut().zip(more).for_each(|(seen, more)| seen.extend(more));
    }
    exactly_once(&seen.concat(), count);
}

/// Reads from all of them until `count` messages came and no more come.
async fn drain(readers: &mut [Sse], count: usize) -> Vec<Vec<String>> {
    let mut seen = vec![Vec::new(); readers.len()];
    let begun = Instant::now();
    let mut quiet = false;
    while !quiet || seen.iter().map(Vec::len).sum::<usize>() < count {
        assert!(begun.elapsed() < SOON, "only {seen:?} came");
        quiet = true;
        for (reader, seen) in readers.iter_mut().zip(&mut seen) {
            while let Some(event) = reader.quiet_for(QUIET / 4).await {
                assert_eq!(event.event, "message", "{event:?}");
                seen.push(event.data);
                quiet = false;
            }
        }
    }
    seen
}

fn exactly_once(seen: &[String], count: usize) {
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (count, count), "none is lost, none comes twice");
}

/// Waits until a gateway knows that its streams have ended.
async fn nobody_reads(gateway: &Gateway) {
    let url = format!("http://127.0.0.1:{}/metrics", gateway.node);
    until("the gateway to know that its clients are gone", SOON, async || {
        let text = http().get(&url).send().await.ok()?.text().await.ok()?;
        let mut lines = text.lines().filter(|line| line.starts_with("tidegate_gateway_open_streams{"));
        lines.all(|line| line.ends_with(" 0")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_what_was_kept_for_it_on_whichever_gateway_it_comes_to() {
    let broker = Mosquitto::start().await;
    let topic = unique("roams");
    let peer = Peer::connect(broker.plain).await;
    for level in ["at-least-once", "at-most-once"] {
        let stack = Stack::start(Store::Sqlite, 2).await;
        let endpoint = mqtt5(settings(broker.plain, &topic));
        stack.serve("/r", &api("/r", &json!([{ "type": "sse", "qos": level }]), &endpoint)).await;
        let mut seen = Vec::new();
        for round in 0..4 {
            let gateway = &stack.gateways[round % 2];
            let mut sse = Sse::open(&gateway.http("/r"), &[(CLIENT, level)]).await;
            if round > 0 {
                for _ in 0..50 {
                    seen.push(sse.message().await);
                }
                assert!(sse.quiet_for(QUIET / 2).await.is_none(), "nothing comes twice at {level}");
            }
            drop(sse);
            nobody_reads(gateway).await;
            peer.publish(&topic, (0..50).map(|n| format!("{round}-{n}"))).await;
        }
        exactly_once(&seen, 150);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_that_serve_one_identifier_share_and_do_not_fight() {
    const MESSAGES: usize = 300;
    /// Each gateway looks once whether the other one is still there; that one connects again, twice.
    const LOOKS_MAX: u64 = 6;
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("both");
    let stack = Stack::start(Store::Sqlite, 2).await;
    let endpoint = mqtt5(settings(chaos.address().port(), &topic));
    stack.serve("/t", &api("/t", &json!([{ "type": "sse", "qos": "at-least-once" }]), &endpoint)).await;
    // Each gateway asks once whether the broker answers.
    until("both gateways to have asked", SOON, async || (chaos.accepted() >= 2).then_some(())).await;
    let before = chaos.accepted();
    let mut readers = Vec::new();
    for gateway in &stack.gateways {
        readers.push(Sse::open(&gateway.http("/t"), &[(CLIENT, "me")]).await);
    }
    until("the first gateway to make way", SOON, async || (chaos.accepted() >= before + 3).then_some(()))
        .await;
    let peer = Peer::connect(broker.plain).await;
    // The way is made once both of them get something.
    let mut probes = 0;
    let mut seen = [Vec::new(), Vec::new()];
    while seen.iter().any(Vec::is_empty) {
        assert!(probes < 100, "one gateway gets nothing");
        peer.publish(&topic, [format!("probe-{probes}")]).await;
        probes += 1;
        for (seen, more) in seen.iter_mut().zip(drain(&mut readers, 0).await) {
            seen.extend(more);
        }
    }
    let settled = chaos.accepted();
    peer.publish(&topic, (0..MESSAGES).map(|n| n.to_string())).await;
    let more = drain(&mut readers, MESSAGES).await;
    assert!(more.iter().all(|seen| seen.len() > MESSAGES / 4), "both of them read: {more:?}");
    exactly_once(&more.concat(), MESSAGES);
    let moves = chaos.accepted() - settled;
    assert!(moves <= LOOKS_MAX, "nobody takes the session back and forth: {moves} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_not_to_be_kept_is_not_kept() {
    let broker = Mosquitto::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let peer = Peer::connect(broker.plain).await;
    for (path, member) in
        [("/expires", json!({"sessionExpiryInterval": 0})), ("/clean", json!({"cleanStart": true}))]
    {
        let topic = unique("kept");
        let mut settings = settings(broker.plain, &topic);
        settings.as_object_mut().expect("an object").extend(member.as_object().expect("an object").clone());
        stack.serve(path, &api(path, &json!([{ "type": "sse" }]), &mqtt5(settings))).await;
        let url = stack.gateways[0].http(path);
        let mut sse = Sse::open(&url, &[(CLIENT, "me")]).await;
        peer.publish(&topic, ["one"]).await;
        assert_eq!(sse.message().await, "one");
        drop(sse);
        nobody_reads(&stack.gateways[0]).await;
        peer.publish(&topic, ["missed"]).await;
        let mut sse = Sse::open(&url, &[(CLIENT, "me")]).await;
        peer.publish(&topic, ["three"]).await;
        assert_eq!(sse.message().await, "three", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_broker_is_said_at_once() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = mqtt5(settings(free_port(), "t"));
    stack.serve("/dead", &api("/dead", &entrypoints(), &endpoint)).await;
    let url = stack.gateways[0].http("/dead");
    let begun = Instant::now();
    send(&stack, "/dead", &[], "lost").await.expect(503, "POST");
    let page = get(&stack, "/dead", "me").await.expect(503, "GET").json();
    assert_eq!(page, json!({"message": "Endpoint connection failed", "http_status_code": 503}));
    let sse = http().get(&url).header("Accept", "text/event-stream").send().await.expect("an answer");
    assert_eq!(sse.status(), 503, "SSE");
    assert!(begun.elapsed() < SAID, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_runs_as_it_is_written() {
    let broker = Mosquitto::start().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mqtt5.json");
    let text = std::fs::read_to_string(file).expect("the example is there");
    let text = text.replace("\"mosquitto\"", "\"127.0.0.1\"").replace("1883", &broker.plain.to_string());
    let definition: Value = serde_json::from_str(&text).expect("the example is JSON");
    let path = definition["listeners"][0]["paths"][0]["path"].as_str().expect("a path").to_owned();
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve(&path, &definition).await;
    let path = path.trim_end_matches('/');
    let mut sse = Sse::open(&stack.gateways[0].http(path), &[(CLIENT, "page")]).await;
    let mut ws = Ws::open(&stack.gateways[0].ws(path)).await;
    send(&stack, path, &[], "{\"celsius\":21}").await.expect(202, "POST");
    assert_eq!(sse.message().await, "{\"celsius\":21}");
    assert_eq!(ws.message().await, "{\"celsius\":21}");
    get(&stack, path, "script").await.expect(200, "GET");
}
