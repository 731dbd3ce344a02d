//! Web clients and a real Kafka: both directions, positions, sharing and broadcasting.

use crate::harness::chaos::Chaos;
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, kafka, kafka_advanced, kafka_latest};
use crate::harness::ports::free_port;
use crate::harness::records::{committed, consume, produce};
use crate::harness::services::{services, topic};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, within};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Nothing may come in this time where nothing is due.
const QUIET: Duration = Duration::from_millis(1500);
/// Time for reading 19,000 records that wait in Kafka.
const BACKLOG: Duration = Duration::from_secs(19);

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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_reaches_kafka_and_every_kind_of_reader() {
    let topic = topic("bridge", 1).await;
    let stack = Stack::start(Store::Postgres, 1).await;
    let mut entrypoints = all_entrypoints();
    entrypoints[1]["configuration"] = json!({ "messagesLimitCount": 2, "messagesLimitDurationMs": 20_000 });
    stack.serve("/bridge", &api("/bridge", &entrypoints, &kafka(&services().kafka, &topic))).await;

    let accepted = post(&stack, "/bridge", "{\"n\":1}").await.expect(202, "POST");
    assert_eq!(accepted.text, "");
    assert_eq!(consume(&services().kafka, &topic, 1).await, ["{\"n\":1}"], "202 means that Kafka has it");

    let mut sse = Sse::open(&stack.gateways[0].http("/bridge"), &[(CLIENT, "sse")]).await;
    assert_eq!(sse.message().await, "{\"n\":1}");
    let mut ws = Ws::open(&stack.gateways[0].ws(&format!("/bridge?{CLIENT}=ws"))).await;
    assert_eq!(ws.message().await, "{\"n\":1}");
    ws.send("{\"n\":2}").await;
    assert_eq!(ws.message().await, "{\"n\":2}", "a WebSocket reads what it wrote");
    assert_eq!(sse.message().await, "{\"n\":2}");
    let page = get(&stack, "/bridge", "get").await;
    assert_eq!(contents(&page), ["{\"n\":1}", "{\"n\":2}"]);
    assert!(page.get("pagination").is_none(), "auto has no cursor: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_get_at_auto_goes_on_where_its_identifier_stopped() {
    let topic = topic("goes-on", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 3, "messagesLimitDurationMs": 4000 } }]);
    stack.serve("/go", &api("/go", &entrypoints, &kafka(&services().kafka, &topic))).await;
    produce(&services().kafka, &topic, (0..6).map(|n| n.to_string())).await;

    let (first, second) =
        (contents(&get(&stack, "/go", "same").await), contents(&get(&stack, "/go", "same").await));
    assert_eq!((first.len(), second.len()), (3, 3), "{first:?} {second:?}");
    let together: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(together.len(), 6, "{first:?} {second:?}");
    assert_eq!(contents(&get(&stack, "/go", "same").await), [""; 0], "everything was read");
    assert_eq!(
        contents(&get(&stack, "/go?limit=1", "another").await).len(),
        1,
        "another identifier starts anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_walks_ten_thousand_records_in_four_partitions_without_loss_or_repeat() {
    const RECORDS: usize = 10_000;
    let topic = topic("cursor", 4).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-get", "qos": "at-least-once",
        "configuration": { "messagesLimitCount": 700, "messagesLimitDurationMs": 3000 } }]);
    stack.serve("/walk", &api("/walk", &entrypoints, &kafka_advanced(&services().kafka, &topic))).await;
    produce(&services().kafka, &topic, (0..RECORDS).map(|n| format!("record-{n:05}"))).await;

    let (mut seen, mut cursor, mut empty) = (Vec::new(), None::<String>, 0);
    while empty < 2 {
        let position =
            cursor.as_deref().map(|cursor| format!("?cursor={}", query_value(cursor))).unwrap_or_default();
        // A new identifier each time: only the cursor knows what was read.
        let page = get(&stack, &format!("/walk{position}"), &format!("walker-{}", seen.len() + empty)).await;
        let items = contents(&page);
        empty = if items.is_empty() { empty + 1 } else { 0 };
        seen.extend(items);
        assert!(seen.len() <= RECORDS, "records were repeated");
        cursor = page["pagination"]["nextCursor"].as_str().map(str::to_owned);
        assert!(cursor.is_some(), "at-least-once always gives a cursor: {page}");
    }
    let distinct: BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (RECORDS, RECORDS), "each record exactly once");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_once_reads_a_backlog_fast_and_commits_before_it_delivers() {
    const RECORDS: usize = 20_000;
    let topic = topic("at-most-once", 4).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "sse", "qos": "at-most-once" }]);
    stack.serve("/m", &api("/m", &entrypoints, &kafka_advanced(&services().kafka, &topic))).await;
    for start in (0..RECORDS).step_by(5_000) {
        produce(&services().kafka, &topic, (start..start + 5_000).map(|n| n.to_string())).await;
    }
    let mut sse = Sse::open(&stack.gateways[0].http("/m"), &[(CLIENT, "backlog")]).await;
    let group = sse.headers[CLIENT].to_str().expect("an identifier is text").to_owned();
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        assert!(seen.insert(sse.message().await), "at-most-once never repeats");
    }
    let stored = committed(&group, &topic, 4).await;
    assert!(stored >= 1_000, "1,000 records are delivered and only {stored} committed");
    within("the backlog at no less than a thousand records per second", BACKLOG, async {
        while seen.len() < RECORDS {
            assert!(seen.insert(sse.message().await), "at-most-once never repeats");
        }
    })
    .await;
}

fn query_value(text: &str) -> String {
    text.replace('%', "%25")
        .replace('+', "%2B")
        .replace('/', "%2F")
        .replace('=', "%3D")
        .replace('#', "%23")
        .replace('&', "%26")
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_with_one_identifier_share_the_records_on_one_gateway() {
    share(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_with_one_identifier_share_the_records_on_two_gateways() {
    share(2).await;
}

async fn share(gateways: usize) {
    const RECORDS: usize = 400;
    let topic = topic("share", 4).await;
    let stack = Stack::start(Store::Sqlite, gateways).await;
    let definition =
        api("/share", &json!([{ "type": "sse", "qos": "auto" }]), &kafka(&services().kafka, &topic));
    stack.serve("/share", &definition).await;
    let headers = [(CLIENT, "team")];
    let mut one = Sse::open(&stack.gateways[0].http("/share"), &headers).await;
    let mut two = Sse::open(&stack.gateways[gateways - 1].http("/share"), &headers).await;
    assert_eq!(one.headers[CLIENT], two.headers[CLIENT]);

    let (mut first, mut second) = (Vec::new(), Vec::new());
    // Once both of them get records, the group has settled and what follows is shared by both.
    let mut probes = 0;
    while first.is_empty() || second.is_empty() {
        assert!(probes < 100, "one reader got every probe: {} and {}", first.len(), second.len());
        let batch: Vec<_> = (0..20).map(|n| format!("probe-{}", probes * 20 + n)).collect();
        produce(&services().kafka, &topic, &batch).await;
        probes += 1;
        take_for(&mut one, &mut two, &mut first, &mut second, Duration::from_millis(300)).await;
    }
    produce(&services().kafka, &topic, (0..RECORDS).map(|n| format!("record-{n}"))).await;
    let wanted = probes * 20 + RECORDS;
    within("every record to be read by one of the two", SOON, async {
        while first.len() + second.len() < wanted {
            take_for(&mut one, &mut two, &mut first, &mut second, Duration::from_millis(100)).await;
        }
    })
    .await;
    take_for(&mut one, &mut two, &mut first, &mut second, QUIET).await;
    let distinct: BTreeSet<_> = first.iter().chain(&second).collect();
    assert_eq!(
        (first.len() + second.len(), distinct.len()),
        (wanted, wanted),
        "none is lost, none is shared"
    );
}

/// Takes what comes on either stream within `period`.
async fn take_for(
    one: &mut Sse,
    two: &mut Sse,
    first: &mut Vec<String>,
    second: &mut Vec<String>,
    period: Duration,
) {
    let drain = async |sse: &mut Sse, into: &mut Vec<String>| {
        let end = tokio::time::Instant::now() + period;
        while let Some(event) =
            sse.quiet_for(end.saturating_duration_since(tokio::time::Instant::now())).await
        {
            assert_eq!(event.event, "message", "{event:?}");
            into.push(event.data);
        }
    };
    tokio::join!(drain(one, first), drain(two, second));
}

#[tokio::test(flavor = "multi_thread")]
async fn at_none_every_client_gets_every_record() {
    let topic = topic("broadcast", 3).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition =
        api("/all", &json!([{ "type": "sse", "qos": "none" }]), &kafka_latest(&services().kafka, &topic));
    stack.serve("/all", &definition).await;
    let url = stack.gateways[0].http("/all");
    // The same identifier for all: at `none` it shares nothing.
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Sse::open(&url, &[(CLIENT, "same")]).await);
    }
    wake(&topic, &mut clients).await;
    let wanted: BTreeSet<String> = (0..300).map(|n| format!("record-{n}")).collect();
    produce(&services().kafka, &topic, &wanted).await;
    for (number, client) in clients.iter_mut().enumerate() {
        let mut seen = Vec::new();
        while seen.iter().collect::<BTreeSet<_>>().len() < wanted.len() {
            seen.push(client.message().await);
            seen.retain(|data| !data.starts_with("probe"));
        }
        assert_eq!(seen.len(), wanted.len(), "client {number} got a record twice");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), wanted);
    }
}

/// "From now on" begins when the fetch has found the end of the topic: sends probes until every client got one.
async fn wake(topic: &str, clients: &mut [Sse]) {
    for client in clients {
        let mut probe = 0;
        while client.quiet_for(Duration::from_millis(200)).await.is_none() {
            assert!(probe < 150, "no probe reached the client");
            produce(&services().kafka, topic, [format!("probe-{probe}")]).await;
            probe += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_none_a_hundred_clients_cost_the_broker_one_consumer() {
    let (port, target) = services().kafka_proxied;
    let chaos = Chaos::start(port, target).await;
    let topic = topic("one-fetch", 4).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = kafka_latest(&chaos.address().to_string(), &topic);
    stack.serve("/one", &api("/one", &json!([{ "type": "sse", "qos": "none" }]), &endpoint)).await;
    let url = stack.gateways[0].http("/one");
    let mut clients = vec![Sse::open(&url, &[]).await];
    wake(&topic, &mut clients).await;
    let (connections, threads) = (chaos.accepted(), stack.gateways[0].process.threads());
    for _ in 1..100 {
        clients.push(Sse::open(&url, &[]).await);
    }
    wake(&topic, &mut clients).await;
    let after = (chaos.accepted(), stack.gateways[0].process.threads());
    // Connections and threads come and go by themselves; a consumer per client would be a hundred times both.
    assert!(after.0 <= connections + 3, "connections to the broker: {connections}, then {}", after.0);
    assert!(after.1 <= threads + 20, "threads of the gateway: {threads}, then {}", after.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_client_at_none_and_earliest_joins_without_gap_or_repeat() {
    let topic = topic("backlog", 4).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition =
        api("/late", &json!([{ "type": "sse", "qos": "none" }]), &kafka(&services().kafka, &topic));
    stack.serve("/late", &definition).await;
    produce(&services().kafka, &topic, (0..2000).map(|n| format!("{n}"))).await;
    let mut early = Sse::open(&stack.gateways[0].http("/late"), &[]).await;
    let publishing = tokio::spawn({
        let topic = topic.clone();
        async move {
            for start in (2000..3000).step_by(50) {
                produce(&services().kafka, &topic, (start..start + 50).map(|n| n.to_string())).await;
            }
        }
    });
    let mut late = Sse::open(&stack.gateways[0].http("/late"), &[]).await;
    let read = async |sse: &mut Sse| {
        let mut seen = Vec::new();
        while seen.len() < 3000 {
            seen.push(sse.message().await);
        }
        seen
    };
    let (first, second) = tokio::join!(read(&mut early), read(&mut late));
    publishing.await.expect("publishing does not fail");
    for seen in [first, second] {
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), 3000, "no gap and no repeat");
    }
    assert!(
        early.quiet_for(QUIET).await.is_none() && late.quiet_for(QUIET).await.is_none(),
        "nothing came twice"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_kafka_is_said_and_not_waited_for() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut entrypoints = all_entrypoints();
    entrypoints[1]["configuration"] = json!({ "messagesLimitDurationMs": 15_000 });
    let nowhere = kafka(&format!("127.0.0.1:{}", free_port()), "t");
    stack.serve("/dead", &api("/dead", &entrypoints, &nowhere)).await;
    let refused = post(&stack, "/dead", "lost").await.expect(503, "POST");
    assert!(refused.text.contains("Endpoint connection"), "{}", refused.text);
    let page = get(&stack, "/dead", "reader").await;
    assert_eq!(page["items"], json!([]));
    assert!(page["error"]["content"].is_string(), "the reader is told: {page}");
    let mut sse = Sse::open(&stack.gateways[0].http("/dead"), &[]).await;
    let event = sse.next().await.expect("the client is told before the end");
    assert_eq!(event.event, "error", "{event:?}");
}
