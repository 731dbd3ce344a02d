//! Endpoint groups of HTTP proxy APIs over real backends: who gets a request, and what happens when a backend dies.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::origin::Origin;
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::wait::{SOON, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// A proxy API in the 4.x spelling.
fn proxy(path: &str, groups: Value) -> Value {
    json!({
        "name": format!("Proxy at {path}"), "apiVersion": "1.0", "definitionVersion": "V4", "type": "PROXY",
        "listeners": [{ "type": "HTTP", "paths": [{ "path": path }], "entrypoints": [{ "type": "http-proxy" }] }],
        "endpointGroups": groups, "flows": [],
    })
}

fn group(name: &str, balancer: &str, endpoints: &[Value]) -> Value {
    json!({ "name": name, "type": "http-proxy", "loadBalancer": { "type": balancer }, "endpoints": endpoints })
}

fn endpoint(name: &str, origin: &Origin) -> Value {
    json!({ "name": name, "type": "http-proxy", "weight": 1, "inheritConfiguration": false,
        "configuration": { "target": origin.url("/") } })
}

fn with(mut value: Value, member: &str, what: Value) -> Value {
    value[member] = what;
    value
}

/// A check each second: one failure takes an endpoint out, one success brings it back.
fn check() -> Value {
    json!({ "healthCheck": { "type": "http-health-check", "enabled": true, "configuration": {
        "schedule": "* * * * * *", "target": "/health", "successThreshold": 1, "failureThreshold": 1 } } })
}

async fn get(gateway: &Gateway, path: &str) -> Answer {
    let answer = http().get(gateway.http(path)).send().await;
    Answer::read(answer.expect("the gateway answers")).await
}

/// Who answered how many of `count` requests, by the first word of their answers.
async fn answered(gateway: &Gateway, path: &str, count: usize) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for _ in 0..count {
        let answer = get(gateway, path).await.expect(200, "a proxied request");
        let name = answer.text.split(' ').next().unwrap_or_default().to_owned();
        *names.entry(name).or_default() += 1;
    }
    names
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_shared_out_by_weight() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let (a, b) = (Origin::start("a").await, Origin::start("b").await);
    for (balancer, expected) in
        [("ROUND_ROBIN", [20, 20]), ("WEIGHTED_ROUND_ROBIN", [30, 10]), ("WEIGHTED_RANDOM", [30, 10])]
    {
        let path = format!("/{}", balancer.to_lowercase());
        let endpoints = [with(endpoint("a", &a), "weight", json!(3)), endpoint("b", &b)];
        stack.serve(&path, &proxy(&path, json!([group("default", balancer, &endpoints)]))).await;
        // Asking whether it serves took turns; whole rounds are exact wherever they begin.
        let (a_before, b_before) = (a.requests(), b.requests());
        answered(&stack.gateways[0], &path, 40).await;
        let seen = [a.requests() - a_before, b.requests() - b_before];
        let off = seen.iter().zip(expected).map(|(seen, expected)| seen.abs_diff(expected)).max();
        assert!(off <= Some(3), "{balancer}: {seen:?} instead of {expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_backend_is_left_out_and_taken_back() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let (mut a, mut b, spare) =
        (Origin::start("a").await, Origin::start("b").await, Origin::start("spare").await);
    let endpoints =
        [endpoint("a", &a), endpoint("b", &b), with(endpoint("spare", &spare), "secondary", json!(true))];
    let groups = json!([with(group("default", "ROUND_ROBIN", &endpoints), "services", check())]);
    let definition = with(proxy("/checked", groups), "failover", json!({ "enabled": true, "maxRetries": 2 }));
    let api = stack.serve("/checked", &definition).await;
    until("both to be used", SOON, async || {
        (answered(gateway, "/checked/x", 2).await == counts(&[("a", 1), ("b", 1)])).then_some(())
    })
    .await;

    a.kill().await;
    // Nothing fails before the check has noticed: another endpoint is tried.
    assert_eq!(answered(gateway, "/checked/x", 4).await, counts(&[("b", 4)]));
    available(gateway, "a", false).await;
    assert_eq!(answered(gateway, "/checked/x", 4).await, counts(&[("b", 4)]));
    b.kill().await;
    available(gateway, "b", false).await;
    assert_eq!(answered(gateway, "/checked/x", 2).await, counts(&[("spare", 2)]));
    let said =
        "the API serves, but its endpoint `a` does not: its health check fails (and 1 more of its endpoints)";
    until("the deployment to say so", SOON, async || {
        let status = stack.client.deployment(&api).await;
        (status["nodes"]["degraded"] == 1 && status["problems"][0]["message"] == said).then_some(())
    })
    .await;

    a.restart().await;
    available(gateway, "a", true).await;
    assert_eq!(answered(gateway, "/checked/x", 4).await, counts(&[("a", 4)]));
    b.restart().await;
    available(gateway, "b", true).await;
    assert_eq!(answered(gateway, "/checked/x", 4).await, counts(&[("a", 2), ("b", 2)]));
    until("the deployment to be whole again", SOON, async || {
        let status = stack.client.deployment(&api).await;
        (status["state"] == "CONVERGED" && status["problems"] == json!([])).then_some(())
    })
    .await;
    assert!(a.checks() > 0 && spare.checks() > 0, "a check of the group is for secondary endpoints too");
}

/// Waits until the gateway's metrics say so of an endpoint.
async fn available(gateway: &Gateway, endpoint: &str, wanted: bool) {
    let url = format!("http://127.0.0.1:{}/metrics", gateway.node);
    let (label, value) = (format!("endpoint=\"{endpoint}\""), if wanted { "1" } else { "0" });
    until(&format!("{endpoint} to be up: {wanted}"), SOON, async || {
        let text = http().get(&url).send().await.ok()?.text().await.ok()?;
        let mut lines = text.lines().filter(|line| line.starts_with("tidegate_gateway_endpoint_up{"));
        lines.any(|line| line.contains(&label) && line.ends_with(&format!(" {value}"))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_check_knows_outlives_a_redeploy() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let (mut a, b, c) = (Origin::start("a").await, Origin::start("b").await, Origin::start("c").await);
    let own = with(
        check(),
        "healthCheck",
        with(check()["healthCheck"].clone(), "overrideConfiguration", json!(true)),
    );
    a.kill().await;
    let endpoints = [with(endpoint("a", &a), "services", own), endpoint("b", &b)];
    let api =
        stack.serve("/kept", &proxy("/kept", json!([group("default", "ROUND_ROBIN", &endpoints)]))).await;
    available(gateway, "a", false).await;
    // It would answer calls, and its checks go on failing.
    a.answer(500);
    a.restart().await;
    stack
        .client
        .change_api(&api, |body| {
            body["endpointGroups"][0]["endpoints"][1]["configuration"]["target"] = json!(c.url("/"));
        })
        .await;
    stack.client.deploy(&api).await;
    until("the new endpoint to answer", SOON, async || {
        get(gateway, "/kept/x").await.text.starts_with("c ").then_some(())
    })
    .await;
    assert_eq!(answered(gateway, "/kept/x", 4).await, counts(&[("c", 4)]), "a was known to be down");
    assert_eq!(a.requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_of_messages_is_judged_by_the_server_that_its_check_names() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let origin = Origin::start("judge").await;
    let mut definition = api("/judged", &all_entrypoints(), &mock("message", 1, Some(1)));
    definition["endpointGroups"][0]["services"] = check();
    definition["endpointGroups"][0]["services"]["healthCheck"]["configuration"]["target"] =
        json!(origin.url("/health"));
    stack.serve("/judged", &definition).await;
    available(gateway, "default", true).await;
    get(gateway, "/judged?limit=1").await.expect(200, "the endpoint is up");
    origin.answer(500);
    available(gateway, "default", false).await;
    get(gateway, "/judged?limit=1").await.expect(503, "the endpoint is down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_or_failing_answer_is_replaced_by_that_of_another_endpoint() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let (a, b) = (Origin::start("a").await, Origin::start("b").await);
    let groups = json!([group("default", "ROUND_ROBIN", &[endpoint("a", &a), endpoint("b", &b)])]);
    let failover = json!({ "enabled": true, "maxRetries": 1, "slowCallDuration": 300,
        "failureCondition": "{#response.status == 503}" });
    stack.serve("/over", &with(proxy("/over", groups), "failover", failover)).await;
    let post = async || {
        let sent = http().post(gateway.http("/over/orders")).body("body").send().await;
        Answer::read(sent.expect("an answer")).await.expect(200, "a POST").text
    };
    a.delay(Duration::from_secs(20));
    for _ in 0..2 {
        assert_eq!(post().await, "b /orders body", "the body is sent again");
    }
    a.delay(Duration::ZERO);
    a.answer(503);
    for _ in 0..2 {
        assert_eq!(post().await, "b /orders body", "the failure condition holds for a");
    }
    b.answer(500);
    let statuses =
        [get(gateway, "/over/x").await.status.as_u16(), get(gateway, "/over/x").await.status.as_u16()];
    assert_eq!(statuses, [500, 500], "a status alone is an answer");
    b.answer(503);
    let given_up = get(gateway, "/over/x").await.expect(502, "nobody answers");
    assert_eq!(given_up.text, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_circuit_spares_the_backend() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let mut a = Origin::start("a").await;
    let groups = json!([group("default", "ROUND_ROBIN", &[endpoint("a", &a)])]);
    let failover = json!({ "enabled": true, "maxRetries": 0, "maxFailures": 2, "openStateDuration": 1500 });
    stack.serve("/circuit", &with(proxy("/circuit", groups), "failover", failover)).await;
    get(gateway, "/circuit/x").await.expect(200, "the circuit is closed");
    a.kill().await;
    for _ in 0..2 {
        get(gateway, "/circuit/x").await.expect(502, "nobody answers");
    }
    a.restart().await;
    let before = a.requests();
    get(gateway, "/circuit/x").await.expect(502, "the circuit is open");
    assert_eq!(a.requests(), before);
    until("the circuit to let a call try", SOON, async || {
        (get(gateway, "/circuit/x").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(a.requests(), before + 1, "the first call that was let through closed it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_may_name_an_endpoint_or_a_group() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let (a, b, c) = (Origin::start("a").await, Origin::start("b").await, Origin::start("c").await);
    let mut down = endpoint("gone", &a);
    down["services"] = check();
    down["services"]["healthCheck"]["overrideConfiguration"] = json!(true);
    down["services"]["healthCheck"]["configuration"]["assertion"] = json!("{#response.status == 204}");
    let groups = json!([
        group("first", "ROUND_ROBIN", &[endpoint("a", &a), down]),
        group("second", "ROUND_ROBIN", &[endpoint("b", &b), endpoint("c", &c)]),
    ]);
    let step = json!({ "name": "route", "enabled": true, "policy": "policy-assign-attributes",
        "condition": "{#request.headers['x-to'] != null}", "configuration": { "attributes": [
            { "name": "gravitee.attribute.request.endpoint", "value": "{#request.headers['x-to'][0]}" }] } });
    let flow = json!({ "name": "all", "enabled": true, "request": [step],
        "selectors": [{ "type": "HTTP", "path": "/", "pathOperator": "STARTS_WITH" }] });
    stack.serve("/routed", &with(proxy("/routed", groups), "flows", json!([flow]))).await;
    available(gateway, "gone", false).await;
    let to = async |target: &str| {
        let sent = http().get(gateway.http("/routed/x")).header("x-to", target).send().await;
        Answer::read(sent.expect("an answer")).await
    };
    assert!(get(gateway, "/routed/x").await.expect(200, "the first group").text.starts_with("a "));
    assert!(to("b:").await.expect(200, "an endpoint").text.starts_with("b "));
    let of_group: Vec<String> =
        [to("second:/p").await, to("second:/p").await].map(|answer| answer.text).into();
    assert!(
        of_group.iter().any(|text| text.starts_with("b /p"))
            && of_group.iter().any(|text| text.starts_with("c /p")),
        "{of_group:?}"
    );
    assert!(to(&c.url("/absolute")).await.expect(200, "a URL").text.starts_with("c /absolute"));
    to("gone:").await.expect(503, "an endpoint that is down has no stand-in");
    to("nobody:").await.expect(503, "an unknown name");
}

/// Requests at a fixed rate, and how many of them were not answered with 200.
struct Rate {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    workers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Rate {
    /// 1,000 requests per second over kept connections.
    fn start(url: &str) -> Rate {
        const WORKERS: u64 = 20;
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = reqwest::Client::new();
        let workers = (0..WORKERS).map(|_| {
            let (stop, sent, client, url) =
                (Arc::clone(&stop), Arc::clone(&sent), client.clone(), url.to_owned());
            tokio::spawn(async move {
                let mut ticks = interval(Duration::from_millis(WORKERS));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    ticks.tick().await;
                    let answer = client.get(&url).send().await;
                    sent.fetch_add(1, Ordering::Relaxed);
                    match answer {
                        Ok(answer) if answer.status() == 200 => drop(answer.bytes().await),
                        Ok(answer) => failures.push(format!("{}", answer.status())),
                        Err(error) => failures.push(format!("{error:?}")),
                    }
                }
                failures
            })
        });
        Rate { workers: workers.collect(), stop, sent }
    }

    async fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for worker in self.workers {
            failures.extend(worker.await.expect("a worker does not fail"));
        }
        (self.sent.load(Ordering::Relaxed), failures)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redeploys_lose_no_request() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let gateway = &stack.gateways[0];
    let (a, b, c) = (Origin::start("a").await, Origin::start("b").await, Origin::start("c").await);
    let of = |endpoints: &[Value]| json!([group("default", "ROUND_ROBIN", endpoints)]);
    let api = stack.serve("/busy", &proxy("/busy", of(&[endpoint("one", &a)]))).await;
    let rate = Rate::start(&gateway.http("/busy/x"));
    let versions = [
        ("altered", of(&[endpoint("one", &b)]), &b),
        ("added", of(&[endpoint("one", &b), endpoint("two", &c)]), &c),
        ("deleted", of(&[endpoint("two", &c)]), &c),
        ("altered back", of(&[endpoint("one", &a)]), &a),
    ];
    for (what, groups, new) in versions.iter().cycle().take(12) {
        stack.client.change_api(&api, |body| body["endpointGroups"] = groups.clone()).await;
        let before = new.requests();
        stack.client.deploy(&api).await;
        until(&format!("an endpoint to be {what}"), SOON, async || {
            (new.requests() > before + 100).then_some(())
        })
        .await;
    }
    until("10,000 requests", SOON * 2, async || (rate.sent.load(Ordering::Relaxed) >= 10_000).then_some(()))
        .await;
    let (sent, failures) = rate.stop().await;
    assert!(
        failures.is_empty(),
        "{} of {sent} requests failed, first: {:?}",
        failures.len(),
        failures.first()
    );
}
