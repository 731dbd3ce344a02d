//! What clients see while a broker or management is away, and that nothing confirmed is lost.

use crate::harness::chaos::{Chaos, Mode};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{api, kafka, kafka_advanced, kafka_latest, mock};
use crate::harness::kafka::Broker;
use crate::harness::peer;
use crate::harness::posts::Posts;
use crate::harness::records::{consume, everything, produce};
use crate::harness::services::{services, topic, topic_at};
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::streams::{Sse, Stalled};
use crate::harness::wait::{SOON, throughout, until, within};
use definition::deployment::ApiDeployment;
use definition::dialect::{ReadApi, read_api};
use definition::digest::canonical_bytes;
use futures::future::join_all;
use proto::sync::v1::Level;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Levels at which a consumer group keeps the position.
const GROUP_LEVELS: [&str; 3] = ["auto", "at-most-once", "at-least-once"];
/// An absence of Kafka that outlasts the group's session (6 s) and is still bridged without a word.
const SHORT_OUTAGE: Duration = Duration::from_secs(8);
/// When clients hear that Kafka stays away: after 30 s, and a loaded machine may need some more.
const TOLD_OF_ABSENCE: Range<Duration> = Duration::from_secs(28)..Duration::from_secs(42);
/// A Kafka that hangs is noticed by requests that time out, so the 30 s begin later.
const TOLD_OF_HANG: Range<Duration> = Duration::from_secs(28)..Duration::from_secs(65);
/// Pace of the mock sources here.
const TICK: Duration = Duration::from_millis(20);

#[derive(Clone, Copy)]
enum End {
    Stop,
    Kill,
}

async fn end(broker: &mut Broker, how: End) {
    match how {
        End::Stop => broker.stop().await,
        End::Kill => broker.kill().await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_stop_of_kafka() {
    posts_survive(End::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill_of_kafka() {
    posts_survive(End::Kill).await;
}

async fn posts_survive(how: End) {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "posts", 4).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack
        .serve("/p", &api("/p", &json!([{ "type": "http-post" }]), &kafka(&broker.bootstrap(), &topic)))
        .await;
    let posts = Posts::start(&stack.gateways[0].http("/p"), "", 4);
    until("posts to be accepted", SOON, async || (posts.accepted() > 100).then_some(())).await;
    end(&mut broker, how).await;
    until("a post to be refused", SOON, async || posts.statuses().contains_key(&503).then_some(())).await;
    broker.restart().await;
    let before = posts.accepted();
    until("posts to be accepted again", SOON, async || (posts.accepted() > before + 100).then_some(())).await;

    let answers = posts.stop().await;
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![202, 503].contains(*status)).collect();
    assert!(strange.is_empty(), "only 202 and 503 are answers here: {strange:?}");
    let accepted: BTreeSet<String> =
        answers.iter().filter(|(_, status)| **status == 202).map(|(number, _)| number.to_string()).collect();
    // A refused message may be there (its confirmation was lost); an accepted one must be, once or more.
    let there: BTreeSet<String> = everything(&broker.bootstrap(), &topic).await.into_iter().collect();
    let missing: Vec<_> = accepted.difference(&there).collect();
    assert!(missing.is_empty(), "accepted and lost: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sse_client_at_least_once_gets_everything_over_a_stop_of_kafka() {
    sse_survives(End::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sse_client_at_least_once_gets_everything_over_a_kill_of_kafka() {
    sse_survives(End::Kill).await;
}

/// Reads like a browser does: comes back when the stream ends, with the last id.
async fn sse_survives(how: End) {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "sse", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition = api(
        "/s",
        &json!([{ "type": "sse", "qos": "at-least-once" }]),
        &kafka_advanced(&broker.bootstrap(), &topic),
    );
    stack.serve("/s", &definition).await;
    let url = stack.gateways[0].http("/s");
    let (seen, mut watch) = tokio::sync::watch::channel(BTreeSet::new());
    let reader = tokio::spawn(async move {
        let mut last_id = String::new();
        loop {
            let mut sse = Sse::open(&url, &[(CLIENT, "browser"), ("Last-Event-ID", last_id.as_str())]).await;
            while let Some(event) = sse.whenever().await {
                if event.event == "message" {
                    last_id = event.id;
                    seen.send_if_modified(|seen: &mut BTreeSet<String>| seen.insert(event.data));
                }
            }
        }
    });
    produce(&broker.bootstrap(), &topic, (0..200).map(|n| n.to_string())).await;
    within("the records before", SOON, watch.wait_for(|seen| seen.len() >= 200))
        .await
        .expect("the reader lives");
    end(&mut broker, how).await;
    broker.restart().await;
    produce(&broker.bootstrap(), &topic, (200..400).map(|n| n.to_string())).await;
    within("the records after", SOON * 2, watch.wait_for(|seen| seen.len() >= 400))
        .await
        .expect("the reader lives");
    reader.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sse_client_at_none_goes_on_when_kafka_is_back() {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "none", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition =
        api("/n", &json!([{ "type": "sse", "qos": "none" }]), &kafka(&broker.bootstrap(), &topic));
    stack.serve("/n", &definition).await;
    let mut sse = Sse::open(&stack.gateways[0].http("/n"), &[]).await;
    produce(&broker.bootstrap(), &topic, ["before"]).await;
    assert_eq!(sse.message().await, "before");
    broker.stop().await;
    broker.restart().await;
    produce(&broker.bootstrap(), &topic, ["after"]).await;
    assert_eq!(sse.message().await, "after", "a short absence is bridged");
}

/// SSE clients of an API per level that reads at `address`, `each` of them with an identifier of its own, that have read "before".
async fn readers(
    stack: &Stack,
    (broker, address): (&Broker, &str),
    topic: &str,
    levels: &[&str],
    each: usize,
) -> Vec<(String, Sse)> {
    let endpoint = kafka_advanced(address, topic);
    produce(&broker.bootstrap(), topic, ["before"]).await;
    let mut readers = Vec::new();
    for level in levels {
        let path = format!("/{level}");
        stack.serve(&path, &api(&path, &json!([{ "type": "sse", "qos": level }]), &endpoint)).await;
        for number in 0..each {
            let identifier = format!("{level}-{number}");
            let sse = Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, &identifier)]).await;
            readers.push((identifier, sse));
        }
    }
    for (identifier, sse) in &mut readers {
        assert_eq!(sse.message().await, "before", "{identifier}");
    }
    readers
}

#[tokio::test(flavor = "multi_thread")]
async fn group_readers_of_every_level_go_on_after_a_short_absence_of_kafka() {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "short", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut readers = readers(&stack, (&broker, &broker.bootstrap()), &topic, &GROUP_LEVELS, 3).await;
    broker.kill().await;
    let silence = readers.iter_mut().map(|(level, sse)| async move {
        let event = sse.quiet_for(SHORT_OUTAGE).await;
        assert!(event.is_none(), "a short absence is bridged in silence at {level}: {event:?}");
    });
    join_all(silence).await;
    broker.restart().await;
    let after: BTreeSet<String> = (0..200).map(|n| n.to_string()).collect();
    produce(&broker.bootstrap(), &topic, &after).await;
    let reading = readers.iter_mut().map(|(level, sse)| (level, sse, after.clone()));
    let reading = reading.map(|(level, sse, mut missing)| async move {
        let what = format!("every record after the absence at {level}");
        within(&what, SOON, async {
            while !missing.is_empty() {
                let seen = sse.message().await;
                let new = missing.remove(&seen);
                assert!(new || !level.starts_with("at-most-once"), "{seen} came twice at {level}");
            }
        })
        .await;
    });
    join_all(reading).await;
}

/// Every client gets one error in `period` after `begun` and then the end.
async fn are_told(readers: &mut [(String, Sse)], begun: Instant, period: Range<Duration>) {
    let news = readers.iter_mut().map(|(identifier, sse)| {
        let end = period.end;
        async move {
            let event = tokio::time::timeout(end, sse.whenever()).await;
            let after = begun.elapsed();
            let end = tokio::time::timeout(SOON, sse.whenever()).await.map(|event| event.is_none());
            (identifier.clone(), event, after, end)
        }
    });
    for (identifier, event, after, end) in join_all(news).await {
        let event = event.unwrap_or_else(|_| panic!("{identifier} is told nothing in {after:?}"));
        let event = event.unwrap_or_else(|| panic!("{identifier} ends without a word after {after:?}"));
        let told = (event.event.as_str(), event.data.as_str());
        assert_eq!(told, ("error", "Endpoint connection closed"), "{identifier}");
        assert!(period.contains(&after), "{identifier} is told after {after:?}");
        assert_eq!(end, Ok(true), "the stream ends at {identifier}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_every_level_are_told_when_kafka_stays_away() {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "away", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let levels = [&GROUP_LEVELS[..], &["none"]].concat();
    let mut readers = readers(&stack, (&broker, &broker.bootstrap()), &topic, &levels, 2).await;
    broker.kill().await;
    are_told(&mut readers, Instant::now(), TOLD_OF_ABSENCE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_every_level_are_told_when_kafka_hangs_and_read_on_when_it_is_mended() {
    let broker = Broker::start().await;
    let (port, target) = broker.proxied();
    let chaos = Chaos::start(port, target).await;
    let address = chaos.address().to_string();
    let topic = topic_at(&broker.bootstrap(), "hangs", 2).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let levels = [&GROUP_LEVELS[..], &["none"]].concat();
    let mut readers = readers(&stack, (&broker, &address), &topic, &levels, 2).await;
    chaos.set(Mode::Stall);
    are_told(&mut readers, Instant::now(), TOLD_OF_HANG).await;

    chaos.set(Mode::Pass);
    chaos.cut();
    produce(&broker.bootstrap(), &topic, ["after"]).await;
    for (identifier, _) in readers.iter().filter(|(identifier, _)| !identifier.starts_with("none")) {
        let path = identifier.trim_end_matches(|end: char| !end.is_alphabetic());
        let url = stack.gateways[0].http(&format!("/{path}"));
        let mut sse = Sse::open(&url, &[(CLIENT, identifier)]).await;
        let mut seen = sse.message().await;
        if seen == "before" && !identifier.starts_with("at-most-once") {
            // Its position was on its way to Kafka when that hung, so a repeat is right.
            seen = sse.message().await;
        }
        assert_eq!(seen, "after", "{identifier} goes on where its group stopped");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_broker_is_never_a_202_and_heals() {
    let broker = Broker::start().await;
    let (port, target) = broker.proxied();
    let chaos = Chaos::start(port, target).await;
    let topic = topic_at(&broker.bootstrap(), "stall", 1).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = kafka(&chaos.address().to_string(), &topic);
    stack.serve("/st", &api("/st", &json!([{ "type": "http-post" }]), &endpoint)).await;
    let url = stack.gateways[0].http("/st");
    let post = async |body: &'static str| {
        let sending = http().post(&url).body(body).send();
        within("the answer to a POST", SOON, sending).await.expect("the gateway answers").status().as_u16()
    };
    assert_eq!(post("one").await, 202);
    chaos.set(Mode::Stall);
    assert_eq!(post("two").await, 503, "no confirmation, no 202");
    chaos.set(Mode::Pass);
    chaos.cut();
    until("a post to be accepted again", SOON, async || (post("three").await == 202).then_some(())).await;
    let there = consume(&broker.bootstrap(), &topic, 2).await;
    assert!(there.contains(&"one".to_owned()), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_serve_while_management_is_away_and_follow_when_it_is_back() {
    let mut stack = Stack::start(Store::Postgres, 1).await;
    let definition = api("/m", &json!([{ "type": "sse" }, { "type": "http-get" }]), &mock("old", 20, None));
    let api = stack.serve("/m", &definition).await;
    let opened = Instant::now();
    let mut sse = Sse::open(&stack.gateways[0].http("/m"), &[]).await;
    stack.management.process.kill().await;

    let node = stack.gateways[0].node;
    let url = stack.gateways[0].http("/m?limit=1");
    throughout("serving without management", Duration::from_secs(2), async || {
        let answer = http().get(&url).header("Accept", "application/json").send().await;
        answer.is_ok_and(|answer| answer.status() == 200) && crate::harness::stack::ready(node).await
    })
    .await;
    stack.management.start().await;
    sse.unbroken(0, opened, TICK).await;
    stack
        .client
        .change_api(&api, |body| {
            body["endpointGroups"][0]["endpoints"][0]["configuration"]["messageContent"] = json!("new");
        })
        .await;
    stack.client.deploy(&api).await;
    until("the gateway to follow", SOON, async || {
        let request = http().get(&url).header("Accept", "application/json");
        request.send().await.ok()?.text().await.ok()?.contains("new").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_client_costs_the_fast_one_nothing() {
    const RECORDS: usize = 2000;
    const BATCH: usize = 100;
    let topic = topic("slow", 1).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition =
        api("/slow", &json!([{ "type": "sse", "qos": "none" }]), &kafka_latest(&services().kafka, &topic));
    stack.serve("/slow", &definition).await;
    let stalled = Stalled::open(stack.gateways[0].port, "/slow").await;
    let mut fast = Sse::open(&stack.gateways[0].http("/slow"), &[]).await;
    let mut probe = 0;
    while fast.quiet_for(Duration::from_millis(200)).await.is_none() {
        assert!(probe < 150, "no probe reached the fast client");
        produce(&services().kafka, &topic, [format!("probe-{probe}")]).await;
        probe += 1;
    }
    // 16 MB: more than the shared buffer and the kernel's buffers hold for the stalled one. The fast one is never further
    // behind than one batch, however slow this machine is.
    let filler = "x".repeat(8 * 1024);
    for start in (0..RECORDS).step_by(BATCH) {
        produce(&services().kafka, &topic, (start..start + BATCH).map(|n| format!("{n} {filler}"))).await;
        let mut next = start;
        while next < start + BATCH {
            let data = fast.message().await;
            if !data.starts_with("probe") {
                assert!(data.starts_with(&format!("{next} ")), "the fast client gets every record in order");
                next += 1;
            }
        }
    }
    let got = stalled.drain(SOON).await;
    let complete = got.contains(&format!("data: {} ", RECORDS - 1));
    let told = got.contains("event: error");
    assert!(!complete, "the stalled client cannot have everything");
    assert!(told || !got.ends_with("0\r\n\r\n"), "it is told about the gap or disconnected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_definition_changes_nothing_that_runs() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let definition = api("/good", &json!([{ "type": "sse" }]), &mock("good", 20, None));
    let good = stack.serve("/good", &definition).await;
    let opened = Instant::now();
    let mut sse = Sse::open(&stack.gateways[0].http("/good"), &[]).await;

    let mut bad = stack.client.get_api(&good).await;
    bad["endpointGroups"][0]["endpoints"][0]["configuration"]["messageInterval"] = json!("often");
    let path = format!("/v4/apis/{good}");
    let refused: Answer =
        stack.client.call(reqwest::Method::PUT, &path, Some(&bad)).await.expect(400, "a bad update");
    assert!(refused.text.contains("messageInterval"), "{}", refused.text);
    stack.client.deploy(&good).await;
    // A later deployment of another API shows that the gateway has applied everything before it.
    stack.serve("/beside", &api("/beside", &json!([{ "type": "sse" }]), &mock("beside", 20, None))).await;
    sse.unbroken(0, opened, TICK).await;
}

/// What management sends for a mock API at `path`.
fn body(id: &str, path: &str) -> Value {
    let document = api(path, &json!([{ "type": "sse" }]), &mock(id, 20, None));
    let definition = read_api(&document, ReadApi::Create).expect("a good definition");
    let mut body =
        serde_json::to_value(ApiDeployment::new(id, "DEFAULT", "DEFAULT", &definition, Vec::new()));
    let body = body.as_mut().expect("a deployment is JSON");
    body["plans"] =
        json!([{ "id": "plan", "name": "open", "status": "published", "security": { "type": "key-less" } }]);
    body.take()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_api_keeps_its_old_version_and_hurts_no_other() {
    let waiting = peer::listen().await;
    let mut gateway = Gateway::of(waiting.port);
    let mut peer = waiting.greet().await;
    gateway.ready().await;
    let bytes = |body: &Value| canonical_bytes(body).expect("JSON");
    let (first, second) = (body("first", "/first"), body("second", "/second"));
    let applied = peer.deploy(&[("first", &bytes(&first)), ("second", &bytes(&second))]).await;
    assert!(applied.values().all(|result| result.level() == Level::Active), "{applied:?}");
    let opened = Instant::now();
    let mut old = Sse::open(&gateway.http("/first"), &[]).await;
    let mut beside = Sse::open(&gateway.http("/second"), &[]).await;

    // One batch: a new version that this build cannot run, a new API that is no definition at all, and a good one.
    let mut newer = first.clone();
    newer["endpointGroups"][0]["type"] = json!("carrier-pigeon");
    newer["endpointGroups"][0]["endpoints"][0]["type"] = json!("carrier-pigeon");
    let third = body("third", "/third");
    let garbage = b"{\"id\":\"broken\"}".as_slice();
    let applied =
        peer.deploy(&[("first", &bytes(&newer)), ("broken", garbage), ("third", &bytes(&third))]).await;
    let levels: Vec<_> =
        ["first", "broken", "third"].map(|id| applied.get(id).map(|result| result.level())).into();
    assert_eq!(levels, [Some(Level::Rejected), Some(Level::Rejected), Some(Level::Active)], "{applied:?}");
    let problem = applied["first"].problem.clone().expect("a rejection says why");
    assert!(problem.message.contains("carrier-pigeon"), "{problem:?}");

    old.unbroken(0, opened, TICK).await;
    beside.unbroken(0, opened, TICK).await;
    for id in ["first", "second", "third"] {
        assert_eq!(Sse::open(&gateway.http(&format!("/{id}")), &[]).await.message().await, id);
    }
    assert!(crate::harness::stack::ready(gateway.node).await, "a node with a rejected API serves the others");
}
