//! What every case begins with: the subject, a gateway that serves an API per level and one to post to, and a reader per
//! level that gets messages already.

use super::ledger::{Ledger, Verdict};
use super::reader::{Reader, Target, Way, ways};
use super::subject::{Start, Subject};
use crate::harness::client::Client;
use crate::harness::definitions::api;
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::wait::until;
use definition::api::Qos;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Path of the API that takes posts.
pub(crate) const POST: &str = "/post";
/// Callbacks of tests are on loopback.
const CALLBACKS: &[(&str, &str)] = &[("TIDEGATE_WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8")];
/// Pause between two probes, while nobody gets any.
const PROBE_PAUSE: Duration = Duration::from_millis(200);
/// Time for a reader to get everything after the last fault. Brokers and clients have pauses of their own.
pub(crate) const HEALED: Duration = Duration::from_secs(60);
/// A flow that has brought nothing for this long is at rest.
const REST: Duration = Duration::from_millis(1_500);

/// A running set-up. Everything ends with it.
pub(crate) struct Scene<S> {
    pub(crate) subject: S,
    pub(crate) stack: Stack,
    pub(crate) destination: String,
    pub(crate) ledger: Ledger,
    pub(crate) readers: Vec<Reader>,
    /// Ids of the APIs.
    pub(crate) apis: Vec<String>,
    /// API and plan of each way on which the gateway calls.
    pushes: Vec<(Way, String, String)>,
}

impl<S: Subject> Scene<S> {
    /// Without readers: an API per way, and one to post to.
    pub(crate) async fn empty() -> Scene<S> {
        let (subject, stack) = tokio::join!(S::start(), Stack::start_with(Store::Sqlite, 1, CALLBACKS));
        let destination = subject.destination().await;
        let mut scene = Scene {
            subject,
            stack,
            destination,
            ledger: Ledger::default(),
            readers: Vec::new(),
            apis: Vec::new(),
            pushes: Vec::new(),
        };
        let (subject, destination) = (&scene.subject, &scene.destination);
        let document = |path: &str, entrypoints: serde_json::Value, start| {
            api(path, &entrypoints, &subject.endpoint(destination, start))
        };
        let mut pushed = Vec::new();
        let mut documents =
            vec![(POST.to_owned(), document(POST, json!([{ "type": "http-post" }]), Start::Now))];
        for way in ways(S::ID) {
            // Only at none a position is nobody's; at the others the first reader must not miss what comes while it joins.
            let start = if way.qos == Qos::None { Start::Now } else { Start::Earliest };
            let entrypoint = json!([{ "type": way.entrypoint, "qos": way.qos }]);
            let mut document = document(&way.path(), entrypoint, start);
            if way.is_stream() {
                documents.push((way.path(), document));
            } else {
                let listener = &mut document["listeners"][0];
                listener["type"] = json!("subscription");
                listener.as_object_mut().expect("a listener is an object").remove("paths");
                pushed.push((way, document));
            }
        }
        for (path, document) in documents {
            scene.apis.push(scene.stack.serve(&path, &document).await);
        }
        for (way, document) in pushed {
            let (api, plan) = push(&scene.stack.client, &document).await;
            scene.apis.push(api.clone());
            scene.pushes.push((way, api, plan));
        }
        scene
    }

    /// With one reader per level, all of which got a message.
    pub(crate) async fn start() -> Scene<S> {
        let mut scene = Scene::empty().await;
        for way in ways(S::ID) {
            scene.join(way, &format!("reader-{}", way.qos)).await;
        }
        scene.alive().await;
        scene
    }

    /// Adds a reader: opens a stream, or subscribes a callback.
    pub(crate) async fn join(&mut self, way: Way, identifier: &str) {
        let target = Target::new(self.gateway(), way, identifier);
        let reader = match self.pushes.iter().find(|(pushed, ..)| *pushed == way) {
            None => Reader::start(target),
            Some((_, api, plan)) => {
                let (reader, callback) = Reader::listen(target).await;
                let application = json!({ "name": identifier, "description": "is called" });
                let application = created(&self.stack.client, "/applications", &application).await;
                let path = format!("/v4/apis/{api}/subscriptions?application={application}&plan={plan}");
                let subscription = json!({ "configuration": { "entrypointId": "webhook",
                    "callbackUrl": callback, "retry": { "retryOption": "Retry On Fail", "retryStrategy": "LINEAR",
                        "maxAttempts": 1000, "initialDelaySeconds": 1, "maxDelaySeconds": 1 } } });
                created(&self.stack.client, &path, &subscription).await;
                reader
            }
        };
        self.readers.push(reader);
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.stack.gateways[0]
    }

    /// Has `count` new messages acknowledged by the broker. Their ids.
    pub(crate) async fn produce(&mut self, count: usize) -> Vec<String> {
        let ids = self.ledger.next(count);
        self.subject.produce(&self.destination, &ids).await;
        ids
    }

    /// The same with messages of `bytes` each.
    pub(crate) async fn produce_large(&mut self, count: usize, bytes: usize) {
        let ids = self.ledger.next(count);
        let payloads: Vec<String> = ids.iter().map(|id| format!("{id} {:x<bytes$}", "")).collect();
        self.subject.produce(&self.destination, &payloads).await;
    }

    /// Changes every API a little and deploys it; a `weight` that was used before changes nothing.
    pub(crate) async fn redeploy(&self, weight: u64) {
        for api in &self.apis {
            let change = |body: &mut serde_json::Value| {
                body["endpointGroups"][0]["endpoints"][0]["weight"] = json!(weight);
            };
            self.stack.client.change_api(api, change).await;
            self.stack.client.deploy(api).await;
        }
    }

    /// Starts the broker again, and waits until it knows its readers where it forgot them.
    pub(crate) async fn restart_broker(&mut self) {
        self.subject.restart().await;
        if !S::KEEPS_SUBSCRIPTIONS {
            self.alive().await;
        }
    }

    /// Sends probes until every reader has got one of those.
    pub(crate) async fn alive(&mut self) {
        let mut waiting: Vec<usize> = (0..self.readers.len()).collect();
        let begun = Instant::now();
        let mut sent = Vec::new();
        while !waiting.is_empty() {
            let names: Vec<&str> =
                waiting.iter().map(|index| self.readers[*index].target.identifier.as_str()).collect();
            assert!(begun.elapsed() < HEALED, "after {HEALED:?} these still get nothing: {names:?}");
            let probe = self.ledger.probe();
            self.subject.produce(&self.destination, std::slice::from_ref(&probe)).await;
            sent.push(probe);
            let until = Instant::now() + PROBE_PAUSE;
            while !waiting.is_empty() && Instant::now() < until {
                waiting.retain(|index| {
                    let seen = self.readers[*index].seen();
                    !seen.iter().rev().any(|payload| sent.contains(payload))
                });
                tokio::task::yield_now().await;
                crate::harness::wait::be_slow(Duration::from_millis(10)).await;
            }
        }
    }

    /// Waits until some reader has one of `ids`: they are on their way.
    pub(crate) async fn on_their_way(&self, ids: &[String]) {
        until("the first of the new messages to be delivered", HEALED, async || {
            let some = self.readers.iter().any(|reader| reader.seen().iter().any(|id| ids.contains(id)));
            some.then_some(())
        })
        .await;
    }

    /// Compares what everybody got with the promise of its level, once the readers at at-least-once have everything, the
    /// others get messages again, and nothing comes any more.
    pub(crate) async fn judged(&mut self) {
        self.complete(Qos::AtLeastOnce, HEALED).await;
        self.healed().await;
        let broken = self.verdicts().filter(|(reader, verdict)| !verdict.keeps(reader.qos()));
        let broken: Vec<String> =
            broken.map(|(reader, verdict)| format!("{}: {verdict}", reader.target.identifier)).collect();
        assert!(broken.is_empty(), "broken promises:\n{}", broken.join("\n"));
    }

    /// Waits until every reader gets messages again, then until nothing comes any more.
    pub(crate) async fn healed(&mut self) {
        self.alive().await;
        at_rest("the readers", || self.readers.iter().map(|reader| reader.count() as u64).sum()).await;
    }

    /// What the ledger says about every reader.
    pub(crate) fn verdicts(&self) -> impl Iterator<Item = (&Reader, Verdict)> {
        self.readers.iter().map(|reader| (reader, self.ledger.verdict(&reader.seen())))
    }

    /// Waits until the readers at `qos` have everything that was produced.
    pub(crate) async fn complete(&self, qos: Qos, limit: Duration) {
        let begun = Instant::now();
        for reader in self.readers.iter().filter(|reader| reader.qos() == qos) {
            while !self.ledger.missing(&reader.seen()).is_empty() {
                let verdict = self.ledger.verdict(&reader.seen());
                let name = &reader.target.identifier;
                assert!(begun.elapsed() < limit, "{name} has not everything after {limit:?}: {verdict}");
                crate::harness::wait::be_slow(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Waits until a counter has stopped growing.
pub(crate) async fn at_rest(what: &str, mut count: impl FnMut() -> u64) -> u64 {
    let (mut last, mut since) = (count(), Instant::now());
    until(&format!("{what} to come to rest"), HEALED, async || {
        let now = count();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        (since.elapsed() >= REST).then_some(now)
    })
    .await
}

/// Creates, plans and starts an API that calls its subscribers. Its id and its plan's.
async fn push(client: &Client, document: &Value) -> (String, String) {
    let api = client.create_api(document).await;
    let plan = json!({ "name": "push", "description": "to callbacks", "status": "PUBLISHED",
        "characteristics": [], "security": { "type": "subscription" } });
    let plan = created(client, &format!("/v4/apis/{api}/plans"), &plan).await;
    client.start(&api).await;
    (api, plan)
}

/// The id of what was created.
async fn created(client: &Client, path: &str, document: &Value) -> String {
    let answer = client.post(path, Some(document)).await.expect(201, path).json();
    answer["id"].as_str().unwrap_or_else(|| panic!("no id in {answer}")).to_owned()
}
