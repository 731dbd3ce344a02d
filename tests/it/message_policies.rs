//! Policies between web clients and a real Kafka: what is filtered, changed, keyed and delayed on the way.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{api, kafka_advanced};
use crate::harness::records::{committed, consume, produce};
use crate::harness::services::{services, topic};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, until, within};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1000);

/// A definition at `path` over a topic, with steps in one phase.
fn with_steps(path: &str, topic: &str, entrypoints: &Value, flow: Value) -> Value {
    let mut definition = api(path, entrypoints, &kafka_advanced(&services().kafka, topic));
    definition["flows"] = json!([flow]);
    definition
}

fn step(policy: &str, configuration: Value) -> Value {
    json!({"name": policy, "description": "by a test", "policy": policy, "configuration": configuration})
}

fn filter(expression: &str) -> Value {
    json!({"subscribe": [step("message-filtering", json!({"filter": expression}))]})
}

fn contents(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap_or_else(|| panic!("no items in {page}"));
    items.iter().map(|item| item["content"].as_str().expect("content is text").to_owned()).collect()
}

async fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http().get(stack.gateways[0].http(path)).header("Accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = within("the answer to a GET", SOON, request.send()).await.expect("the gateway answers");
    Answer::read(answer).await.expect(200, "GET")
}

async fn post(stack: &Stack, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = http().post(stack.gateways[0].http(path)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(within("the answer to a POST", SOON, request.send()).await.expect("the gateway answers"))
        .await
}

/// Eleven records, of which every third is to be kept; the last one is not.
fn records() -> Vec<String> {
    (0..11).map(|n| json!({"n": n, "keep": n % 3 == 0}).to_string()).collect()
}

fn kept() -> Vec<String> {
    records().into_iter().step_by(3).collect()
}

const BY_CONTENT: &str = "{#jsonPath(#message.content, '$.keep') == true}";

/// Waits until the group has read everything, what was filtered included.
async fn all_committed(group: &str, topic: &str) {
    until(&format!("the position of {group} to cover what was filtered"), SOON, async || {
        (committed(group, topic, 1).await == 11).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sse_gets_what_is_kept_at_every_level_and_the_rest_is_acknowledged() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    for level in ["none", "auto", "at-most-once", "at-least-once"] {
        let (topic, path) = (topic(&format!("filter-{level}"), 1).await, format!("/sse-{level}"));
        let entrypoints = json!([{"type": "sse", "qos": level}]);
        stack.serve(&path, &with_steps(&path, &topic, &entrypoints, filter(BY_CONTENT))).await;
        produce(&services().kafka, &topic, records()).await;
        let mut sse = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, "reader")]).await;
        for expected in kept() {
            assert_eq!(sse.message().await, expected, "{level}");
        }
        assert!(sse.quiet_for(QUIET).await.is_none(), "{level}: nothing filtered is delivered");
        if level != "none" {
            let group = sse.headers[CLIENT].to_str().expect("text").to_owned();
            all_committed(&group, &topic).await;
            drop(sse);
            let mut again = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, "reader")]).await;
            assert!(again.quiet_for(QUIET).await.is_none(), "{level}: nothing is delivered again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn get_gets_what_is_kept_at_every_level_and_the_rest_is_acknowledged() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    for level in ["auto", "at-most-once", "at-least-once"] {
        let (topic, path) = (topic(&format!("filter-get-{level}"), 1).await, format!("/get-{level}"));
        let limits = json!({"messagesLimitCount": 20, "messagesLimitDurationMs": 4000});
        let entrypoints = json!([{"type": "http-get", "qos": level, "configuration": limits}]);
        stack.serve(&path, &with_steps(&path, &topic, &entrypoints, filter(BY_CONTENT))).await;
        produce(&services().kafka, &topic, records()).await;
        let begun = Instant::now();
        // A GET may end before its group is ready: what counts is all of them together.
        let mut seen = Vec::new();
        loop {
            let page = get(&stack, &path, &[(CLIENT, "reader")]).await;
            seen.extend(contents(&page.json()));
            if committed(page.header(CLIENT), &topic, 1).await == 11 {
                break;
            }
            assert!(begun.elapsed() < SOON, "{level}: what is filtered is not acknowledged: {seen:?}");
        }
        assert_eq!(seen, kept(), "{level}");
        let after = get(&stack, &path, &[(CLIENT, "reader")]).await;
        assert_eq!(contents(&after.json()), [""; 0], "{level}: nothing is delivered again");
        let limited = until("a page of another reader", SOON, async || {
            let page = get(&stack, &format!("{path}?limit=2"), &[(CLIENT, "another")]).await;
            Some(contents(&page.json())).filter(|contents| !contents.is_empty())
        });
        assert_eq!(limited.await, kept()[..2], "{level}: the limit counts what is delivered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_gets_what_is_kept_at_every_level_and_the_rest_is_acknowledged() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    for level in ["none", "auto"] {
        let (topic, path) = (topic(&format!("filter-ws-{level}"), 1).await, format!("/ws-{level}"));
        let entrypoints = json!([{"type": "websocket", "qos": level}, {"type": "sse", "qos": level}]);
        stack.serve(&path, &with_steps(&path, &topic, &entrypoints, filter(BY_CONTENT))).await;
        produce(&services().kafka, &topic, records()).await;
        let mut ws = Ws::open(&stack.gateways[0].ws(&format!("{path}?{CLIENT}=reader"))).await;
        for expected in kept() {
            assert_eq!(ws.message().await, expected, "{level}");
        }
        // The last record is kept, so that what lay before it was dropped and not only late.
        let last = json!({"n": 12, "keep": true}).to_string();
        produce(&services().kafka, &topic, [&last]).await;
        assert_eq!(ws.message().await, last, "{level}: nothing filtered is delivered");
        drop(ws);
        if level == "auto" {
            // The same identifier names the same group, which an SSE client shows.
            let mut sse = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, "reader")]).await;
            let group = sse.headers[CLIENT].to_str().expect("text").to_owned();
            until("everything to be acknowledged", SOON, async || {
                (committed(&group, &topic, 1).await == 12).then_some(())
            })
            .await;
            assert!(sse.quiet_for(QUIET).await.is_none(), "nothing is delivered again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_decides_what_is_kept() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let topic = topic("filter-header", 1).await;
    let entrypoints = json!([
        {"type": "http-post", "configuration": {"requestHeadersToMessage": true}},
        {"type": "sse", "qos": "auto"},
    ]);
    let definition = with_steps("/m", &topic, &entrypoints, filter("{#message.headers.foo == 'x'}"));
    stack.serve("/m", &definition).await;
    for (number, foo) in ["x", "y", "x", "z"].iter().enumerate() {
        post(&stack, "/m", &[("Foo", foo)], &format!("{number}{foo}")).await.expect(202, "POST");
    }
    post(&stack, "/m", &[], "without").await.expect(202, "POST");
    let mut sse = Sse::open(&stack.gateways[0].http("/m"), &[]).await;
    assert_eq!((sse.message().await, sse.message().await), ("0x".to_owned(), "2x".to_owned()));
    assert!(sse.quiet_for(QUIET).await.is_none());
    let group = sse.headers[CLIENT].to_str().expect("text").to_owned();
    until("everything to be acknowledged", SOON, async || {
        (committed(&group, &topic, 1).await == 5).then_some(())
    })
    .await;
}

/// A subscription to an API-key plan with metadata; its key.
async fn subscribed(stack: &Stack, api: &str, plan: &str, name: &str, metadata: Value) -> String {
    let application = json!({"name": name, "description": "d", "settings": {"app": {}}});
    let application = stack.client.post("/applications", Some(&application)).await.expect(201, "application");
    let application = application.json()["id"].as_str().expect("an id").to_owned();
    let path = format!("/v4/apis/{api}/subscriptions");
    let created = stack.client.post(&format!("{path}?application={application}&plan={plan}"), None).await;
    let subscription = created.expect(201, "subscribe").json()["id"].as_str().expect("an id").to_owned();
    let update = json!({"id": subscription, "metadata": metadata});
    let one = format!("{path}/{subscription}");
    stack.client.call(Method::PUT, &one, Some(&update)).await.expect(200, "set the metadata");
    let keys = stack.client.get(&format!("{one}/apikeys")).await.expect(200, "keys").json();
    keys[0]["key"].as_str().expect("a key").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_of_a_subscription_decides_what_is_kept() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let topic = topic("filter-metadata", 1).await;
    let limits = json!({"messagesLimitCount": 20, "messagesLimitDurationMs": 3000});
    let entrypoints = json!([
        {"type": "sse", "qos": "auto"},
        {"type": "websocket", "qos": "auto"},
        {"type": "http-get", "qos": "auto", "configuration": limits},
    ]);
    // The value of the metadata is itself the expression.
    let definition = with_steps("/m", &topic, &entrypoints, filter("{#subscription.metadata['filter']}"));
    let api = stack.client.create_api(&definition).await;
    let plan = json!({"name": "p", "description": "d", "status": "PUBLISHED", "validation": "auto",
        "characteristics": [], "security": {"type": "api-key"}});
    let plan =
        stack.client.post(&format!("/v4/apis/{api}/plans"), Some(&plan)).await.expect(201, "plan").json();
    let plan = plan["id"].as_str().expect("an id").to_owned();
    stack.client.start(&api).await;
    stack.serves("/m").await;
    let filtered = json!({"filter": "{#jsonPath(#message.content, '$.keep')}"});
    let picky = subscribed(&stack, &api, &plan, "picky", filtered).await;
    let one = json!({"bar": "x", "filter": "{#message.content.contains(#subscription.metadata['bar'])}"});
    let other = subscribed(&stack, &api, &plan, "other", one).await;
    produce(&services().kafka, &topic, records()).await;
    produce(&services().kafka, &topic, ["x", "y"]).await;
    until("the key to be known", SOON, async || {
        let url = stack.gateways[0].http(&format!("/m?limit=1&api-key={other}&{CLIENT}=probe"));
        let answer = http().get(url).header("Accept", "application/json").send().await.ok()?;
        (answer.status() == 200).then_some(())
    })
    .await;
    let url = stack.gateways[0].http("/m");
    let key = "X-Gravitee-Api-Key";
    let mut sse = Sse::open(&url, &[(key, &picky), (CLIENT, "sse")]).await;
    for expected in kept() {
        assert_eq!(sse.message().await, expected, "SSE");
    }
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/m?api-key={picky}&{CLIENT}=ws"))).await;
    for expected in kept() {
        assert_eq!(ws.message().await, expected, "WebSocket");
    }
    for (key_of, expected) in [(&picky, kept()), (&other, vec!["x".to_owned()])] {
        let seen = until("a page", SOON, async || {
            let page = get(&stack, "/m", &[(key, key_of), (CLIENT, "get")]).await;
            Some(contents(&page.json())).filter(|contents| !contents.is_empty())
        });
        assert_eq!(seen.await, expected, "GET, each subscription with its own filter");
    }
    assert!(sse.quiet_for(QUIET).await.is_none(), "nothing filtered is delivered");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_transformed_both_ways_and_attributes_key_records() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let topic = topic("transform", 1).await;
    let shift = |from: &str, to: &str| {
        let chain = json!([{"operation": "shift", "spec": {from: to, "text": "text"}}]).to_string();
        step("json-to-json", json!({"specification": chain}))
    };
    let keyed = json!({"attributes": [
        {"name": "gravitee.attribute.kafka.recordKey", "value": "{#jsonPath(#message.content, '$.number')}"},
    ]});
    let template =
        "{\"number\": ${message.content?eval.number}, \"text\": \"${message.content?eval.text?upper_case}\"}";
    let flow = json!({
        "publish": [shift("id", "number"), step("policy-assign-attributes", keyed)],
        "subscribe": [step("policy-assign-content", json!({"body": template})), shift("number", "id")],
    });
    let settings =
        json!({"metadataInPayload": true, "messagesLimitCount": 2, "messagesLimitDurationMs": 15_000});
    let entrypoints = json!([{"type": "http-post"}, {"type": "http-get", "configuration": settings}]);
    stack.serve("/m", &with_steps("/m", &topic, &entrypoints, flow)).await;
    for id in [7, 8] {
        let body = json!({"id": id, "text": "a", "secret": true}).to_string();
        post(&stack, "/m", &[], &body).await.expect(202, "POST");
    }
    let stored = consume(&services().kafka, &topic, 2).await;
    assert_eq!(stored, [r#"{"number":7,"text":"a"}"#, r#"{"number":8,"text":"a"}"#]);
    let page = get(&stack, "/m", &[]).await.json();
    assert_eq!(contents(&page), [r#"{"id":7,"text":"A"}"#, r#"{"id":8,"text":"A"}"#]);
    assert_eq!(
        (&page["items"][0]["metadata"]["key"], &page["items"][1]["metadata"]["key"]),
        (&json!("7"), &json!("8"))
    );
    let refused = post(&stack, "/m", &[], "{no json").await.expect(500, "content that cannot be transformed");
    assert!(refused.text.contains("Unable to apply JOLT transformation to payload"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_policy_keeps_order_and_holds_the_source_back() {
    const RECORDS: usize = 60;
    const DELAY_MS: u64 = 20;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let topic = topic("slow", 1).await;
    let delay = || json!([step("latency", json!({"time": DELAY_MS}))]);
    let entrypoints = json!([{"type": "websocket", "qos": "auto"}, {"type": "sse", "qos": "auto"}]);
    let flow = json!({"publish": delay(), "subscribe": delay()});
    stack.serve("/m", &with_steps("/m", &topic, &entrypoints, flow)).await;
    let expected: Vec<_> = (0..RECORDS).map(|n| n.to_string()).collect();
    let begun = Instant::now();
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/m?{CLIENT}=writer"))).await;
    for record in &expected {
        ws.send(record).await;
    }
    assert_eq!(consume(&services().kafka, &topic, RECORDS).await, expected, "published in order");
    let least = Duration::from_millis(DELAY_MS) * u32::try_from(RECORDS).expect("few");
    assert!(begun.elapsed() >= least, "each message waited: {:?}", begun.elapsed());
    let begun = Instant::now();
    let mut sse = Sse::open(&stack.gateways[0].http("/m"), &[(CLIENT, "reader")]).await;
    for record in &expected {
        assert_eq!(&sse.message().await, record, "delivered in order");
    }
    assert!(begun.elapsed() >= least, "each message waited: {:?}", begun.elapsed());
}
