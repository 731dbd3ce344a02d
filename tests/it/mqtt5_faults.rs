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
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// A seat whose gateway is gone is found within this time.
const TAKEN_OVER: Duration = Duration::from_secs(90);
/// A flow that has brought nothing for this long is at rest.
const REST: Duration = Duration::from_millis(1_500);
/// Readers hear of a broker that hangs within this time.
const TOLD_OF_HANG: Duration = Duration::from_secs(50);

fn settings(port: u16, topic: &str, attempts: u32) -> Value {
    json!({ "serverHost": "127.0.0.1", "serverPort": port, "topic": topic, "reconnectAttempts": attempts,
        "consumer": { "enabled": true }, "producer": { "enabled": true } })
}

/// Everything that a browser saw in the order in which it came: it comes back whenever a stream ends.
struct Browser {
    url: String,
    seen: Mutex<Vec<String>>,
}

impl Browser {
    /// Reads for as long as it is asked to.
    async fn browse(&self) {
        loop {
            let again = until("the gateway to let the browser in", SOON, async || {
                Sse::open_if_served(&self.url, &[(CLIENT, "browser")]).await
            });
            let mut sse = again.await;
            while let Some(event) = sse.whenever().await {
                if event.event == "message" {
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(event.data);
                }
            }
        }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn sees_more(&self, than: usize) {
        until("the browser to see more", SOON, async || (self.seen().len() > than).then_some(())).await;
    }

    /// Waits until what is published reaches it: Mosquitto forgets shared subscriptions when it restarts, and what is published
    /// before the gateway has subscribed again is lost by the broker.
    async fn is_reached(&self, peer: &Peer, topic: &str, name: &str) {
        let mut sent = BTreeSet::new();
        until("the browser to be reached", SOON, async || {
            let probe = format!("{name}-{}", sent.len());
            peer.publish(topic, [probe.clone()]).await;
            sent.insert(probe);
            self.seen().iter().any(|seen| sent.contains(seen)).then_some(())
        })
        .await;
    }

    /// Waits until nothing comes any more.
    async fn is_at_rest(&self) {
        let (mut count, mut since) = (self.seen().len(), Instant::now());
        until("the browser to be at rest", SOON, async || {
            if self.seen().len() != count {
                (count, since) = (self.seen().len(), Instant::now());
            }
            (since.elapsed() > REST).then_some(())
        })
        .await;
    }

    async fn has(&self, wanted: &BTreeSet<String>) {
        until("the browser to see everything", SOON, async || {
            let seen: BTreeSet<String> = self.seen().into_iter().collect();
            wanted.is_subset(&seen).then_some(())
        })
        .await;
    }
}

fn ids(range: std::ops::Range<usize>) -> BTreeSet<String> {
    range.map(|number| number.to_string()).collect()
}

/// What a browser saw of 800 messages while everything that can break between gateway and broker did.
async fn through_everything(level: &str) -> Vec<String> {
    let mut broker = Mosquitto::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let topic = unique("ledger");
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = mqtt5(settings(chaos.address().port(), &topic, 5));
    stack.serve("/l", &api("/l", &json!([{ "type": "sse", "qos": level }]), &endpoint)).await;
    let browser = Browser { url: stack.gateways[0].http("/l"), seen: Mutex::default() };
    let mut wanted = if level == "at-least-once" { ids(0..800) } else { BTreeSet::new() };
    wanted.insert("end".to_owned());
    let breaking = async {
        break_everything(&browser, &mut broker, &chaos, &topic).await;
        browser.has(&wanted).await;
    };
    tokio::select! {
        () = browser.browse() => unreachable!("it reads for ever"),
        () = breaking => {}
    }
    browser.seen()
}

async fn break_everything(browser: &Browser, broker: &mut Mosquitto, chaos: &Chaos, topic: &str) {
    let peer = Peer::connect(broker.plain).await;
    // A session begins with its reader.
    until("the browser's session", SOON, async || (chaos.accepted() > 0).then_some(())).await;
    browser.is_reached(&peer, topic, "first").await;
    for cut in 0..4 {
        let publishing = peer.publish(topic, ids(cut * 100..cut * 100 + 100));
        let before = browser.seen().len();
        tokio::join!(publishing, async {
            browser.sees_more(before).await;
            chaos.cut();
        });
    }
    chaos.set(Mode::Stall);
    peer.publish(topic, ids(400..500)).await;
    chaos.set(Mode::Pass);
    chaos.set(Mode::Refuse);
    chaos.cut();
    peer.publish(topic, ids(500..600)).await;
    let refused = chaos.accepted();
    until("the gateway to try again", SOON, async || (chaos.accepted() > refused).then_some(())).await;
    chaos.set(Mode::Pass);
    browser.sees_more(browser.seen().len()).await;
    drop(peer);
    broker.stop().await;
    broker.restart().await;
    let peer = Peer::connect(broker.plain).await;
    browser.is_reached(&peer, topic, "restarted").await;
    peer.publish(topic, ids(600..700)).await;
    // What it is told after it saved is forgotten.
    browser.is_at_rest().await;
    drop(peer);
    broker.save_and_kill().await;
    broker.restart().await;
    let peer = Peer::connect(broker.plain).await;
    browser.is_reached(&peer, topic, "killed").await;
    peer.publish(topic, ids(700..800)).await;
    peer.publish(topic, ["end"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_least_once_loses_nothing() {
    let seen = through_everything("at-least-once").await;
    assert!(seen.len() < 1600, "repeats are what was under way, not everything: {}", seen.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_once_repeats_nothing() {
    let seen = through_everything("at-most-once").await;
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(seen.len(), distinct.len(), "nothing comes twice");
    assert!(seen.len() > 600, "what is lost is what was under way, not everything: {}", seen.len());
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

/// Waits until the readers together have got everything.
async fn everything_comes(readers: &mut [Sse], mut wanted: BTreeSet<String>) {
    until("a gateway to take over what another one left", TAKEN_OVER, async || {
        for reader in readers.iter_mut() {
            while let Some(event) = reader.quiet_for(Duration::from_millis(100)).await {
                wanted.remove(&event.data);
            }
        }
        wanted.is_empty().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_gateway_left_comes_to_the_one_that_stays() {
    let broker = Mosquitto::start().await;
    let topic = unique("killed");
    let mut stack = Stack::start(Store::Sqlite, 2).await;
    let endpoint = mqtt5(settings(broker.plain, &topic, 3));
    stack.serve("/k", &api("/k", &json!([{ "type": "sse", "qos": "at-least-once" }]), &endpoint)).await;
    let peer = Peer::connect(broker.plain).await;
    let mut probes = 0;
    for killed in [1, 0] {
        let mut readers = Vec::new();
        for gateway in &stack.gateways {
            readers.push(Sse::open(&gateway.http("/k"), &[(CLIENT, "me")]).await);
        }
        // Both of them are members of the group once both get something.
        let mut reached = [false; 2];
        until("both gateways to read", TAKEN_OVER, async || {
            peer.publish(&topic, [format!("probe-{probes}")]).await;
            probes += 1;
            for (reached, reader) in reached.iter_mut().zip(&mut readers) {
                *reached |= reader.quiet_for(Duration::from_millis(200)).await.is_some();
            }
            (reached == [true; 2]).then_some(())
        })
        .await;
        stack.gateways[killed].process.kill().await;
        drop(readers.remove(killed));
        // Nobody saw any of these before the gateway was gone.
        let wanted: BTreeSet<String> = (0..100).map(|n| format!("{killed}-{n}")).collect();
        peer.publish(&topic, wanted.clone()).await;
        everything_comes(&mut readers, wanted).await;
        stack.gateways[killed].restart().await;
        until("the API on the new gateway", SOON, async || {
            let url = stack.gateways[killed].http("/k");
            Sse::open_if_served(&url, &[(CLIENT, "other")]).await.map(drop)
        })
        .await;
    }
}
