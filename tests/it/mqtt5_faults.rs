//! MQTT under cuts, stalls and restarts: at-least-once loses nothing, at-most-once repeats nothing, and nobody waits for ever.

use crate::harness::chaos::{Chaos, Mode};
use crate::harness::client::http;
use crate::harness::definitions::{api, mqtt5};
use crate::harness::mosquitto::{Mosquitto, Peer};
use crate::harness::posts::Posts;
use crate::harness::services::unique;
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Stalled, Ws};
use crate::harness::wait::{SOON, until, within};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// Readers hear of a broker that hangs within this time.
const TOLD_OF_HANG: Duration = Duration::from_secs(50);

fn settings(port: u16, topic: &str, attempts: u32) -> Value {
    json!({ "serverHost": "127.0.0.1", "serverPort": port, "topic": topic, "reconnectAttempts": attempts,
        "consumer": { "enabled": true }, "producer": { "enabled": true } })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_accepted_is_at_the_broker_whatever_breaks() {
    let mut broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("posts");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = mqtt5(settings(chaos.address().port(), &topic, 3));
    stack.serve("/p", &api("/p", &json!([{ "type": "http-post" }]), &endpoint)).await;
    let mut peer = Peer::connect(broker.plain).await;
    peer.subscribe(&topic).await;
    let posts = Posts::start(&stack.gateways[0].http("/p"), "", 4);
    let accepted = async |than: usize| {
        until("posts to be accepted", SOON, async || (posts.accepted() > than).then_some(())).await;
    };
    for _ in 0..5 {
        accepted(posts.accepted() + 50).await;
        chaos.cut();
    }
    chaos.set(Mode::Stall);
    until("a post to be refused", SOON, async || posts.statuses().contains_key(&503).then_some(())).await;
    chaos.set(Mode::Pass);
    accepted(posts.accepted() + 50).await;
    let answers = posts.stop().await;
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![202, 503].contains(*status)).collect();
    assert!(strange.is_empty(), "only 202 and 503 are answers here: {strange:?}");
    let mut missing: BTreeSet<String> =
        answers.iter().filter(|(_, status)| **status == 202).map(|(number, _)| number.to_string()).collect();
    within("every accepted message at the broker", SOON, async {
        while !missing.is_empty() {
            missing.remove(&peer.text().await);
        }
    })
    .await;
    drop(peer);

    broker.stop().await;
    let post = async || {
        http().post(stack.gateways[0].http("/p")).body("x").send().await.expect("an answer").status()
    };
    until("a post to be refused", SOON, async || (post().await == 503).then_some(())).await;
    broker.restart().await;
    until("a post to be accepted again", SOON, async || (post().await == 202).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_reader_cannot_take_stays_with_the_broker() {
    const MESSAGES: usize = 2_000;
    /// Of 16 MB: what the session holds, and what the kernel's buffers hold on the way to the slow client.
    const TAKEN_MAX_BYTES: u64 = 8 * 1024 * 1024;
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("slow");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "sse", "qos": "at-least-once" }]);
    stack
        .serve("/slow", &api("/slow", &entrypoints, &mqtt5(settings(chaos.address().port(), &topic, 3))))
        .await;
    stack.serve("/fast", &api("/fast", &entrypoints, &mqtt5(settings(broker.plain, &topic, 3)))).await;
    let stalled = Stalled::open(stack.gateways[0].port, &format!("/slow?{CLIENT}=slow")).await;
    let mut fast = Sse::open(&stack.gateways[0].http("/fast"), &[(CLIENT, "fast")]).await;
    let filler = "x".repeat(8 * 1024);
    let peer = Peer::connect(broker.plain).await;
    peer.publish(&topic, (0..MESSAGES).map(|n| format!("{n} {filler}"))).await;
    for number in 0..MESSAGES {
        assert!(
            fast.message().await.starts_with(&format!("{number} ")),
            "the fast one gets everything in order"
        );
    }
    let taken = chaos.bytes().1;
    assert!(
        taken < TAKEN_MAX_BYTES,
        "{taken} bytes were taken from the broker for a client that takes nothing"
    );
    let got = stalled.drain(Duration::from_secs(10)).await;
    let last = format!("data: {} ", MESSAGES - 1);
    assert!(got.contains(&last), "everything comes once the client reads");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_told_when_the_broker_does_not_come_back_and_it_is_not_hammered() {
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("away");
    let stack = Stack::start(Store::Sqlite, 1).await;
    for (path, attempts) in [("/never", 0), ("/often", 10)] {
        let entrypoints =
            json!([{ "type": "sse", "qos": "at-least-once" }, { "type": "websocket", "qos": "none" }]);
        let endpoint = mqtt5(settings(chaos.address().port(), &topic, attempts));
        stack.serve(path, &api(path, &entrypoints, &endpoint)).await;
    }
    let mut never = Sse::open(&stack.gateways[0].http("/never"), &[(CLIENT, "never")]).await;
    let never_ws = Ws::open(&stack.gateways[0].ws("/never")).await;
    let mut often = Sse::open(&stack.gateways[0].http("/often"), &[(CLIENT, "often")]).await;
    chaos.set(Mode::Refuse);
    let (before, begun) = (chaos.accepted(), Instant::now());
    chaos.cut();
    let event = never.next().await.expect("the client is told before the end");
    assert_eq!((event.event.as_str(), event.data.as_str()), ("error", "Endpoint connection closed"));
    assert!(never.next().await.is_none(), "the stream ends");
    assert_eq!(u16::from(never_ws.closed().await.code), 1011);
    assert!(often.quiet_for(Duration::from_secs(4)).await.is_none(), "a reader that waits hears nothing");
    let tries = chaos.accepted() - before;
    assert!((2..=6).contains(&tries), "{tries} attempts in {:?}", begun.elapsed());
    chaos.set(Mode::Pass);
    let peer = Peer::connect(broker.plain).await;
    peer.publish(&topic, ["after"]).await;
    assert_eq!(often.message().await, "after", "and reads on when it is back");
    let mut back = Sse::open(&stack.gateways[0].http("/never"), &[(CLIENT, "never")]).await;
    assert_eq!(back.message().await, "after", "the session was kept for the one that was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_are_told_of_a_broker_that_hangs() {
    let broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("hangs");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints =
        json!([{ "type": "sse", "qos": "at-least-once" }, { "type": "websocket", "qos": "none" }]);
    stack.serve("/h", &api("/h", &entrypoints, &mqtt5(settings(chaos.address().port(), &topic, 0)))).await;
    let mut sse = Sse::open(&stack.gateways[0].http("/h"), &[(CLIENT, "me")]).await;
    let ws = Ws::open(&stack.gateways[0].ws("/h")).await;
    let begun = Instant::now();
    chaos.set(Mode::Stall);
    let event = sse.next().await.expect("the client is told before the end");
    assert_eq!((event.event.as_str(), event.data.as_str()), ("error", "Endpoint connection closed"));
    assert_eq!(u16::from(ws.closed().await.code), 1011);
    assert!(begun.elapsed() < TOLD_OF_HANG, "{:?}", begun.elapsed());
    chaos.set(Mode::Pass);
    let peer = Peer::connect(broker.plain).await;
    peer.publish(&topic, ["after"]).await;
    let mut sse = Sse::open(&stack.gateways[0].http("/h"), &[(CLIENT, "me")]).await;
    assert_eq!(sse.message().await, "after");
}
