//! Push subscriptions have one owner: several management nodes on one store, several gateways, a real Kafka, and a
//! ledger of what was produced and what the callback took.

use crate::harness::client::{Client, http};
use crate::harness::receiver::Receiver;
use crate::harness::records::produce;
use crate::harness::services::{services, topic};
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::wait::{SOON, throughout, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Callbacks of these tests are on loopback.
const SETTINGS: &[(&str, &str)] = &[("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8")];
/// How soon another gateway owns what a killed one had.
const TAKEOVER: Duration = Duration::from_secs(15);
/// Shorter than the time after which a silent gateway loses what it has: what moves within it was given back.
const AT_ONCE: Duration = Duration::from_secs(8);

/// A push API on Kafka with one subscription.
struct Pushed {
    stack: Stack,
    topic: String,
    receiver: Receiver,
    api: String,
    subscription: String,
    /// `/applications/{application}/subscriptions/{subscription}`.
    consumer: String,
}

impl Pushed {
    async fn start(managements: usize, gateways: usize) -> Pushed {
        let stack = Stack::cluster(Store::Postgres, managements, gateways, SETTINGS).await;
        let topic = topic("push", 3).await;
        let receiver = Receiver::start().await;
        let client = &stack.client;
        let api = client.create_api(&definition(&topic)).await;
        let plan = json!({ "name": "push", "description": "to callbacks", "status": "PUBLISHED",
            "characteristics": [], "security": { "type": "subscription" } });
        let plan = created(client, &format!("/v4/apis/{api}/plans"), &plan).await;
        client.start(&api).await;
        let application = json!({ "name": "subscriber", "description": "gets what happens" });
        let application = created(client, "/applications", &application).await;
        let path = format!("/v4/apis/{api}/subscriptions?application={application}&plan={plan}");
        let subscription = created(client, &path, &to(&receiver)).await;
        let consumer = format!("/applications/{application}/subscriptions/{subscription}");
        Pushed { stack, topic, receiver, api, subscription, consumer }
    }

    fn path(&self) -> String {
        format!("/v4/apis/{}/subscriptions/{}", self.api, self.subscription)
    }

    /// The subscription as a management node shows it.
    async fn shown(&self) -> Value {
        self.stack.client.get(&self.path()).await.expect(200, "get the subscription").json()
    }

    async fn post(&self, path: &str, what: &str) {
        self.stack.client.post(path, None).await.expect(200, what);
    }

    /// Waits until exactly one gateway runs it, and answers which.
    async fn owner(&self, limit: Duration) -> usize {
        until("one gateway to own the subscription", limit, async || match self.running().await[..] {
            [owner] => Some(owner),
            _ => None,
        })
        .await
    }

    async fn nobody_runs_it(&self) {
        until("nobody to run it", SOON, async || self.running().await.is_empty().then_some(())).await;
    }

    /// The gateways that run it.
    async fn running(&self) -> Vec<usize> {
        let mut running = Vec::new();
        for (number, gateway) in self.stack.gateways.iter().enumerate() {
            if runs(gateway).await > 0 {
                running.push(number);
            }
        }
        running
    }

    async fn produce(&self, payloads: impl IntoIterator<Item = String>) {
        produce(&services().kafka, &self.topic, payloads).await;
    }

    async fn received(&self, wanted: impl IntoIterator<Item = String>) {
        delivered(&self.receiver, wanted).await;
    }
}

/// Waits until everything wanted was delivered at least once.
async fn delivered(receiver: &Receiver, wanted: impl IntoIterator<Item = String>) {
    let wanted: BTreeSet<String> = wanted.into_iter().collect();
    until("everything to be delivered", SOON * 2, async || {
        let got: BTreeSet<String> = receiver.accepted().into_iter().collect();
        wanted.is_subset(&got).then_some(())
    })
    .await;
}

fn definition(topic: &str) -> Value {
    json!({
        "name": format!("push of {topic}"), "apiVersion": "1.0", "definitionVersion": "4.0.0", "type": "async",
        "description": "made by a test",
        "listeners": [{ "type": "subscription", "entrypoints": [{ "type": "webhook", "qos": "at-least-once" }] }],
        "endpointGroups": [{ "name": "default", "type": "kafka-advanced", "endpoints": [
            { "name": "default", "type": "kafka-advanced", "configuration": {
                "bootstrapServers": services().kafka, "topics": [topic],
                "consumer": { "enabled": true, "autoOffsetReset": "earliest" } } }
        ] }],
        "flows": []
    })
}

fn to(receiver: &Receiver) -> Value {
    json!({ "configuration": { "entrypointId": "webhook", "callbackUrl": receiver.url() } })
}

async fn created(client: &Client, path: &str, document: &Value) -> String {
    let answer = client.post(path, Some(document)).await.expect(201, path).json();
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}

/// Push subscriptions that a gateway runs; none when it does not answer.
async fn runs(gateway: &Gateway) -> u32 {
    let url = format!("http://127.0.0.1:{}/metrics", gateway.node);
    let Ok(answer) = http().get(url).send().await else { return 0 };
    let text = answer.text().await.unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("tidegate_gateway_push_running "));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

/// Produces numbered records until it is stopped.
struct Producing {
    stop: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
    produced: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Producing {
    fn start(topic: &str) -> Producing {
        let (stop, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let produced = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn({
            let (stop, next, produced) = (Arc::clone(&stop), Arc::clone(&next), Arc::clone(&produced));
            let topic = topic.to_owned();
            async move {
                while !stop.load(Ordering::Relaxed) {
                    let payload = format!("live-{}", next.fetch_add(1, Ordering::Relaxed));
                    produce(&services().kafka, &topic, [payload.clone()]).await;
                    produced.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
                }
            }
        });
        Producing { stop, next, produced, task }
    }

    async fn at_least(&self, more: u64) {
        let wanted = self.next.load(Ordering::Relaxed) + more;
        until("records to be produced", SOON, async || {
            (self.next.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    }

    /// Ends it; everything that Kafka acknowledged.
    async fn stopped(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("producing does not fail");
        self.produced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_delivers_and_another_takes_over_when_it_is_killed() {
    let mut pushed = Pushed::start(2, 3).await;
    let owner = pushed.owner(SOON).await;
    let first: Vec<String> = (0..60).map(|number| format!("first-{number}")).collect();
    pushed.produce(first.clone()).await;
    pushed.received(first.clone()).await;
    assert_eq!(pushed.running().await, [owner]);
    assert_eq!(pushed.receiver.accepted().len(), first.len(), "nobody else delivers");

    let producing = Producing::start(&pushed.topic);
    producing.at_least(20).await;
    pushed.stack.gateways[owner].process.kill().await;
    let killed = Instant::now();
    let next = pushed.owner(TAKEOVER).await;
    assert!(next != owner && killed.elapsed() <= TAKEOVER);
    producing.at_least(20).await;
    let produced = producing.stopped().await;
    pushed.received(produced).await;
    assert_eq!(pushed.running().await, [next]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_gives_back_at_once_and_nothing_is_lost() {
    let mut pushed = Pushed::start(2, 2).await;
    let owner = pushed.owner(SOON).await;
    let producing = Producing::start(&pushed.topic);
    producing.at_least(20).await;
    let stopping = Instant::now();
    pushed.stack.gateways[owner].process.stop().await;
    pushed.owner(AT_ONCE.saturating_sub(stopping.elapsed())).await;
    producing.at_least(20).await;
    let produced = producing.stopped().await;
    pushed.received(produced).await;

    // The only other one stops as well: the first one, started again, gets it.
    pushed.stack.gateways[owner].restart().await;
    let second = 1 - owner;
    pushed.stack.gateways[second].process.stop().await;
    assert_eq!(pushed.owner(AT_ONCE).await, owner);
    pushed.produce(["after".to_owned()]).await;
    pushed.received(["after".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn management_may_be_away_and_come_back_without_moving_anything() {
    let mut pushed = Pushed::start(2, 2).await;
    let owner = pushed.owner(SOON).await;
    pushed.produce(["before".to_owned()]).await;
    pushed.received(["before".to_owned()]).await;
    pushed.stack.management.process.kill().await;
    pushed.stack.others[0].process.kill().await;
    pushed.produce(["without".to_owned()]).await;
    pushed.received(["without".to_owned()]).await;
    // Longer than a lease: whoever comes back first finds every gateway silent for too long.
    throughout("the owner goes on", TAKEOVER, async || pushed.running().await == [owner]).await;
    pushed.stack.management.start().await;
    throughout("the owner stays", TAKEOVER, async || pushed.running().await == [owner]).await;
    pushed.produce(["again".to_owned()]).await;
    pushed.received(["again".to_owned()]).await;
    let mut got = pushed.receiver.accepted();
    got.sort();
    assert_eq!(got, ["again", "before", "without"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_stopping_changing_and_closing_take_effect() {
    let pushed = Pushed::start(1, 2).await;
    pushed.owner(SOON).await;
    let consumer_status = format!("{}/_changeConsumerStatus?status=", pushed.consumer);
    let pauses = [
        (
            format!("{}/status?status=PAUSED", pushed.path()),
            format!("{}/status?status=RESUMED", pushed.path()),
        ),
        (format!("{consumer_status}STOPPED"), format!("{consumer_status}STARTED")),
    ];
    for (number, (pause, resume)) in pauses.iter().enumerate() {
        pushed.post(pause, "pause it").await;
        pushed.nobody_runs_it().await;
        let during = format!("during-{number}");
        let before = pushed.receiver.accepted().len();
        pushed.produce([during.clone()]).await;
        let quiet = Duration::from_secs(1);
        throughout("nothing is delivered", quiet, async || pushed.receiver.accepted().len() == before).await;
        pushed.post(resume, "resume it").await;
        pushed.received([during]).await;
    }

    let other = Receiver::start().await;
    let client = &pushed.stack.client;
    client
        .call(reqwest::Method::PUT, &pushed.path(), Some(&to(&other)))
        .await
        .expect(200, "change the callback");
    // Until the change has reached the owner the old callback may still get something, and then has taken it.
    let mut count = 0;
    until("the new callback to be called", SOON, async || {
        count += 1;
        pushed.produce([format!("changed-{count}")]).await;
        (!other.accepted().is_empty()).then_some(())
    })
    .await;
    let wanted: BTreeSet<String> = (1..=count).map(|number| format!("changed-{number}")).collect();
    until("every record to reach one of both", SOON, async || {
        let got = pushed.receiver.accepted().into_iter().chain(other.accepted());
        wanted.is_subset(&got.collect()).then_some(())
    })
    .await;

    pushed.post(&format!("{}/status?status=CLOSED", pushed.path()), "close it").await;
    pushed.nobody_runs_it().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_shown_and_resuming_delivers_what_waited() {
    let pushed = Pushed::start(2, 2).await;
    pushed.owner(SOON).await;
    pushed.receiver.answer(410);
    pushed.produce(["waits".to_owned()]).await;
    let failed = until("the failure to be shown", SOON, async || {
        let shown = pushed.shown().await;
        (shown["consumerStatus"] == "FAILURE").then_some(shown)
    })
    .await;
    assert_eq!(failed["status"], "ACCEPTED");
    assert!(!failed["failureCause"].as_str().unwrap_or_default().is_empty(), "{failed}");
    let other = Client::new(pushed.stack.others[0].rest);
    let seen = other.get(&pushed.consumer).await.expect(200, "get it as its consumer").json();
    assert_eq!(
        (&seen["consumerStatus"], &seen["failureCause"]),
        (&failed["consumerStatus"], &failed["failureCause"])
    );
    pushed.nobody_runs_it().await;

    pushed.receiver.answer(200);
    let resume = format!("{}/_changeConsumerStatus?status=STARTED", pushed.consumer);
    other.post(&resume, None).await.expect(200, "resume it");
    pushed.received(["waits".to_owned()]).await;
    let shown = pushed.shown().await;
    assert_eq!((&shown["consumerStatus"], shown.get("failureCause")), (&json!("STARTED"), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_delivered_after_the_end_of_a_subscription() {
    let pushed = Pushed::start(1, 2).await;
    pushed.owner(SOON).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let end = u64::try_from((now + Duration::from_secs(4)).as_millis()).expect("milliseconds");
    let mut ends = to(&pushed.receiver);
    ends["ending_at"] = json!(end);
    let client = &pushed.stack.client;
    client.call(reqwest::Method::PUT, &pushed.path(), Some(&ends)).await.expect(200, "set its end");
    pushed.produce(["before".to_owned()]).await;
    pushed.received(["before".to_owned()]).await;
    pushed.nobody_runs_it().await;
    pushed.produce(["after".to_owned()]).await;
    let quiet = Duration::from_secs(1);
    throughout("nothing is delivered", quiet, async || pushed.receiver.accepted() == ["before"]).await;
    until("the end to be shown", SOON, async || (pushed.shown().await["status"] == "CLOSED").then_some(()))
        .await;
}
