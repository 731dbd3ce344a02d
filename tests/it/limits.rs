//! Limits on requests: per node, exact over nodes with a shared store, and what happens when that is lost.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::redis::Redis;
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, until, within};
use futures::StreamExt;
use serde_json::{Value, json};

/// Requests that one gateway gets at once.
const AT_ONCE: usize = 60;

/// An API at `path` with one step before its endpoint.
fn limited(path: &str, policy: &str, configuration: &Value) -> Value {
    let mut definition = api(path, &all_entrypoints(), &mock("{\"a\":1}", 1, None));
    let step = json!({"name": "limit", "description": "d", "policy": policy, "configuration": configuration});
    definition["flows"] = json!([{"name": "all", "request": [step]}]);
    definition
}

fn per_minutes(limit: u64) -> Value {
    json!({"addHeaders": true, "rate": {"limit": limit, "periodTime": 10, "periodTimeUnit": "MINUTES"}})
}

async fn post_as(stack: &Stack, gateway: usize, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http().post(stack.gateways[gateway].http(path)).header("Accept", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = within("an answer", SOON, request.body("x").send()).await;
    Answer::read(answer.expect("the gateway answers")).await
}

async fn post(stack: &Stack, gateway: usize, path: &str) -> Answer {
    post_as(stack, gateway, path, &[]).await
}

/// How many of `AT_ONCE` requests to each of these gateways are let through; the others are told that they were too many.
async fn accepted(stack: &Stack, gateways: &[usize], path: &str) -> usize {
    let requests = gateways.iter().flat_map(|gateway| std::iter::repeat_n(*gateway, AT_ONCE));
    let answers = futures::stream::iter(requests).map(|gateway| post(stack, gateway, path));
    let statuses: Vec<u16> =
        answers.buffer_unordered(AT_ONCE).map(|answer| answer.status.as_u16()).collect().await;
    assert!(statuses.iter().all(|status| [202, 429].contains(status)), "{statuses:?}");
    statuses.into_iter().filter(|status| *status == 202).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_with_a_shared_store_count_exactly() {
    let redis = Redis::start().await;
    let settings = [("TIDEGATE_RATE_LIMIT_REDIS_URL", redis.url())];
    let stack = Stack::start_with(Store::Sqlite, 2, &[(settings[0].0, &settings[0].1)]).await;
    stack.serve("/rate", &limited("/rate", "rate-limit", &per_minutes(25))).await;
    assert_eq!(accepted(&stack, &[0, 1], "/rate").await, 25);
    let refused = post(&stack, 1, "/rate").await.expect(429, "one more");
    assert_eq!(
        refused.json()["message"],
        "Rate limit exceeded! You reached the limit of 25 requests per 10 minutes"
    );
    assert_eq!((refused.header("x-rate-limit-limit"), refused.header("x-rate-limit-remaining")), ("25", "0"));
    assert!(refused.header("x-rate-limit-reset").parse::<u64>().is_ok_and(|reset| reset > 1_700_000_000_000));

    let quota = json!({"quota": {"limit": 7}});
    stack.serve("/quota", &limited("/quota", "quota", &quota)).await;
    assert_eq!(accepted(&stack, &[0, 1], "/quota").await, 7);
    for gateway in &stack.gateways {
        assert!(!gateway.process.output().contains("password"), "the log shows the store's password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_without_a_store_count_for_themselves() {
    let stack = Stack::start(Store::Sqlite, 2).await;
    let mut definition = limited("/rate", "rate-limit", &per_minutes(10));
    definition["responseTemplates"] = json!({"RATE_LIMIT_TOO_MANY_REQUESTS": {"*/*": {"status": 430,
        "body": "{#parameters['limit']} per {#parameters['period_time']} {#parameters['period_unit']}"}}});
    stack.serve("/rate", &definition).await;
    let mut through = 0;
    for gateway in [0, 1] {
        for _ in 0..10 {
            through += usize::from(post(&stack, gateway, "/rate").await.status == 202);
        }
        let refused = post(&stack, gateway, "/rate").await.expect(430, "the template's status");
        assert_eq!(refused.text, "10 per 10 MINUTES");
    }
    assert_eq!(through, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_lets_pass_or_refuses_until_it_is_back() {
    let mut redis = Redis::start().await;
    let url = redis.url();
    let stack = Stack::start_with(Store::Sqlite, 1, &[("TIDEGATE_RATE_LIMIT_REDIS_URL", &url)]).await;
    let strategy = |strategy: &str| {
        let mut configuration = per_minutes(3);
        configuration["errorStrategy"] = json!(strategy);
        configuration
    };
    stack.serve("/pass", &limited("/pass", "rate-limit", &strategy("FALLBACK_PASS_TROUGH"))).await;
    stack.serve("/block", &limited("/block", "rate-limit", &strategy("BLOCK_ON_INTERNAL_ERROR"))).await;
    assert_eq!(accepted(&stack, &[0], "/pass").await, 3);

    redis.kill().await;
    for _ in 0..10 {
        let passed = post(&stack, 0, "/pass").await.expect(202, "uncounted");
        assert_eq!(
            (passed.header("x-rate-limit-remaining"), passed.header("x-rate-limit-reset")),
            ("3", "-1")
        );
    }
    let blocked = post(&stack, 0, "/block").await.expect(429, "nobody passes uncounted");
    assert_eq!(blocked.json()["message"], "Requests cannot be counted at the moment, please try again.");

    redis.restart().await;
    until("requests to be counted again", SOON, async || {
        (post(&stack, 0, "/block").await.status == 202).then_some(())
    })
    .await;
    assert_eq!(accepted(&stack, &[0], "/block").await, 2, "the first one was let through above");
    assert_eq!(accepted(&stack, &[0], "/pass").await, 3, "the new server knows nothing of before");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_report_later_hear_of_each_other() {
    let redis = Redis::start().await;
    let url = redis.url();
    let stack = Stack::start_with(Store::Sqlite, 2, &[("TIDEGATE_RATE_LIMIT_REDIS_URL", &url)]).await;
    let mut configuration = per_minutes(1_000_000);
    configuration["async"] = json!(true);
    stack.serve("/rate", &limited("/rate", "rate-limit", &configuration)).await;
    let counted = async |gateway| {
        let answer = post(&stack, gateway, "/rate").await.expect(202, "far below the limit");
        1_000_000 - answer.header("x-rate-limit-remaining").parse::<u64>().expect("a number")
    };
    for expected in 1..=20 {
        assert_eq!(counted(0).await, expected);
    }
    let mut own = 0;
    until("the other gateway to hear of 20 requests", SOON, async || {
        own += 1;
        (counted(1).await == own + 20).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_counted_and_messages_are_not() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve("/m", &limited("/m", "rate-limit", &per_minutes(2))).await;
    let url = stack.gateways[0].http("/m");
    for _ in 0..2 {
        let mut sse = Sse::open(&url, &[]).await;
        for _ in 0..50 {
            sse.message().await;
        }
    }
    let request = http().get(&url).header("Accept", "text/event-stream").send().await;
    Answer::read(request.expect("the gateway answers")).await.expect(429, "the third connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_trusted_proxy_names_the_caller() {
    let trusting = Stack::start_with(Store::Sqlite, 1, &[("TIDEGATE_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let wary = Stack::start(Store::Sqlite, 1).await;
    let inside = json!({"whitelistIps": ["198.51.100.0/24"]});
    for stack in [&trusting, &wary] {
        stack.serve("/rate", &limited("/rate", "rate-limit", &per_minutes(1))).await;
        stack.serve("/inside", &limited("/inside", "ip-filtering", &inside)).await;
    }
    let caller = |address| [("X-Forwarded-For", address)];
    let ask = async |stack: &Stack, path: &str, address: &'static str| {
        post_as(stack, 0, path, &caller(address)).await
    };
    let first = ask(&trusting, "/rate", "198.51.100.1").await.expect(202, "the first caller");
    ask(&trusting, "/rate", "198.51.100.1").await.expect(429, "the first caller again");
    let second = ask(&trusting, "/rate", "6.6.6.6, 198.51.100.2").await.expect(202, "the second caller");
    let client = |answer: &Answer| answer.header("x-gravitee-client-identifier").to_owned();
    assert_ne!(client(&first), client(&second), "key-less callers are told apart by their addresses");
    ask(&trusting, "/inside", "198.51.100.1").await.expect(202, "inside");
    let outside = ask(&trusting, "/inside", "198.51.100.1, 203.0.113.1").await.expect(403, "outside");
    assert!(outside.text.contains("Your IP (203.0.113.1)"), "{}", outside.text);

    ask(&wary, "/rate", "198.51.100.1").await.expect(202, "the peer of the connection");
    ask(&wary, "/rate", "198.51.100.2").await.expect(429, "the same peer under another name");
    ask(&wary, "/inside", "198.51.100.1").await.expect(403, "a peer that nobody trusts");
}
