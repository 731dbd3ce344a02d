//! What clients see while a broker reached over AMQP 1.0 is away, hangs or says no, and that nothing confirmed is lost.

use crate::harness::amqp10::{Reader, send};
use crate::harness::artemis::{Broker, OTHER};
use crate::harness::certificates::{self, PASSWORD};
use crate::harness::chaos::{Chaos, Mode};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{api, solace};
use crate::harness::ports::free_port;
use crate::harness::posts::Posts;
use crate::harness::stack::{Stack, Store};
use crate::harness::wait::{SOON, until, within};
use crate::solace::{settings, sse};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A client hears within this time what is wrong with the broker.
const TOLD: Duration = Duration::from_secs(5);

async fn post(stack: &Stack, path: &str, body: String) -> Answer {
    let sending = http().post(stack.gateways[0].http(path)).body(body).send();
    Answer::read(within("the answer to a POST", SOON, sending).await.expect("the gateway answers")).await
}

/// What an SSE client of `path` is refused with, and how fast.
async fn refused(stack: &Stack, path: &str, status: u16) -> String {
    let begin = Instant::now();
    let asking = http().get(stack.gateways[0].http(path)).header("Accept", "text/event-stream").send();
    let answer = within("the refusal", SOON, asking).await.expect("the gateway answers");
    let text = Answer::read(answer).await.expect(status, path).text;
    assert!(begin.elapsed() < TOLD, "{path} took {:?}: {text}", begin.elapsed());
    text
}

enum Trouble {
    Kill,
    Stop,
    Cuts,
}

/// Every post that was accepted is there afterwards, for one who holds a durable subscription.
async fn posts_survive(trouble: Trouble) {
    let mut broker = Broker::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = solace(settings(&format!("amqp://{}", chaos.address()), "posts"));
    stack.serve("/p", &api("/p", &json!([{ "type": "http-post" }]), &endpoint)).await;
    Reader::durable(broker.address(), "ledger", "posts").await.leave().await;

    let posts = Posts::start(&stack.gateways[0].http("/p"), "", 4);
    let more = async |count: usize| {
        let before = posts.accepted();
        until("posts to be accepted", SOON, async || (posts.accepted() > before + count).then_some(())).await;
    };
    more(100).await;
    match trouble {
        Trouble::Cuts => {
            for _ in 0..5 {
                chaos.cut();
                more(50).await;
            }
        }
        Trouble::Kill | Trouble::Stop => {
            match trouble {
                Trouble::Kill => broker.kill().await,
                Trouble::Stop | Trouble::Cuts => broker.stop().await,
            }
            until("a post to be refused", SOON, async || posts.statuses().contains_key(&503).then_some(()))
                .await;
            broker.restart().await;
        }
    }
    more(100).await;
    let answers = posts.stop().await;
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![202, 503].contains(*status)).collect();
    assert!(strange.is_empty(), "only 202 and 503 are answers here: {strange:?}");
    let mut missing: BTreeSet<String> =
        answers.iter().filter(|(_, status)| **status == 202).map(|(number, _)| number.to_string()).collect();
    let mut ledger = Reader::durable(broker.address(), "ledger", "posts").await;
    while !missing.is_empty() {
        missing.remove(&ledger.text().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill_of_the_broker() {
    posts_survive(Trouble::Kill).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_stop_of_the_broker() {
    posts_survive(Trouble::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_cuts() {
    posts_survive(Trouble::Cuts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_at_auto_loses_nothing_over_cuts_a_stall_and_a_kill() {
    let mut broker = Broker::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = solace(settings(&format!("amqp://{}", chaos.address()), "reads"));
    stack.serve("/r", &api("/r", &json!([{ "type": "sse" }]), &endpoint)).await;
    let mut reader = sse(&stack, 0, "/r", "ledger").await;
    let mut seen = BTreeSet::new();
    let mut sent = 0;
    let mut more = async |broker: &Broker| {
        let batch: BTreeSet<String> = (sent..sent + 100).map(|n: u64| n.to_string()).collect();
        send(broker.address(), "reads", &batch).await;
        sent += 100;
        while !batch.is_subset(&seen) {
            seen.insert(reader.message().await);
        }
    };
    more(&broker).await;
    for _ in 0..3 {
        chaos.cut();
        more(&broker).await;
    }
    chaos.set(Mode::Stall);
    chaos.cut();
    let mending = tokio::spawn(async move {
        crate::harness::wait::be_slow(Duration::from_secs(3)).await;
        chaos.set(Mode::Pass);
        chaos
    });
    more(&broker).await;
    let _chaos = mending.await.expect("the proxy lives");
    broker.kill().await;
    broker.restart().await;
    more(&broker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_at_none_goes_on_when_the_broker_is_back() {
    let mut broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = solace(settings(&broker.url(), "none"));
    stack.serve("/n", &api("/n", &json!([{ "type": "sse", "qos": "none" }]), &endpoint)).await;
    let mut reader = sse(&stack, 0, "/n", "x").await;
    send(broker.address(), "none", ["before"]).await;
    assert_eq!(reader.message().await, "before");
    broker.stop().await;
    broker.restart().await;
    // Until the gateway is back, what is sent goes past it.
    let address = broker.address();
    let sending = tokio::spawn(async move {
        loop {
            send(address, "none", ["after"]).await;
            crate::harness::wait::be_slow(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(reader.message().await, "after");
    sending.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_full_refuses_and_the_gateway_says_so() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let endpoint = solace(settings(&broker.url(), "full/one"));
    stack.serve("/f", &api("/f", &json!([{ "type": "http-post" }]), &endpoint)).await;
    let ledger = Reader::durable(broker.address(), "ledger", "full/one").await;
    ledger.leave().await;
    let mut accepted = 0;
    let refusal = loop {
        let answer = post(&stack, "/f", format!("{accepted:01000}")).await;
        if answer.status != 202 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 1_000, "the broker never refuses");
    };
    assert_eq!(refusal.status, 503, "{}", refusal.text);
    assert!(refusal.text.contains("cannot take more messages"), "{}", refusal.text);
    let mut ledger = Reader::durable(broker.address(), "ledger", "full/one").await;
    for number in 0..accepted {
        assert_eq!(ledger.text().await, format!("{number:01000}"), "202 means that the broker has it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reason_not_to_connect_is_told_apart_and_soon() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let both = json!([{ "type": "sse" }, { "type": "http-post" }]);
    let auth = |user: (&str, &str)| json!({ "auth": { "username": user.0, "password": user.1 } });
    let with = |url: String, security: Value| {
        let mut settings = settings(&url, "t");
        settings["security"] = security;
        settings
    };
    let url = broker.url();
    // Without the right to make an address, Artemis speaks of an internal error.
    send(broker.address(), "t", ["makes the address"]).await;
    let cases = [
        ("/wrong", with(url.clone(), auth(("app", "wrong"))), 500, "refused the credentials"),
        ("/anonymous", with(url.clone(), json!({})), 500, "refused the credentials"),
        ("/forbidden", with(url, auth(OTHER)), 500, "the right to this topic"),
        (
            "/away",
            settings(&format!("amqp://127.0.0.1:{}", free_port()), "t"),
            503,
            "Endpoint connection failed",
        ),
        ("/nowhere", settings("amqp://nowhere.invalid", "t"), 500, "has no address"),
        (
            "/stranger",
            settings(&format!("amqp://127.0.0.1:{}", stack.management.rest), "t"),
            500,
            "does not speak AMQP",
        ),
    ];
    for (path, configuration, status, expected) in cases {
        stack.serve(path, &api(path, &both, &solace(configuration))).await;
        let told = refused(&stack, path, status).await;
        assert!(told.contains(expected), "{path}: {told}");
        let begin = Instant::now();
        let told = post(&stack, path, "x".to_owned()).await.expect(status, path).text;
        assert!(told.contains(expected), "{path}: {told}");
        assert!(begin.elapsed() < TOLD, "{path} took {:?}", begin.elapsed());
        assert!(!told.contains("secret") && !told.contains("127.0.0.1"), "nothing private: {told}");
    }
    let chaos = Chaos::start(0, broker.address()).await;
    chaos.set(Mode::Stall);
    let endpoint = solace(settings(&format!("amqp://{}", chaos.address()), "t"));
    stack.serve("/hangs", &api("/hangs", &both, &endpoint)).await;
    let told = refused(&stack, "/hangs", 503).await;
    assert!(told.contains("Endpoint connection failed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_verified_and_every_reason_against_it_is_told_apart() {
    let broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "sse", "qos": "none" }, { "type": "http-post", "qos": "none" }]);
    let tls = |port: u16, ssl: Value| {
        let mut settings = settings(&format!("amqps://localhost:{port}"), "tls");
        settings["security"]["ssl"] = ssl;
        settings
    };
    let trust = json!({ "type": "PEM", "content": certificates::pem("ca.crt") });
    let client =
        json!({ "type": "PKCS12", "content": certificates::base64("client.p12"), "password": PASSWORD });
    let ports = broker.ports;
    let good = [
        ("/pem", tls(ports.amqps, json!({ "trustStore": trust }))),
        (
            "/file",
            tls(
                ports.amqps,
                json!({ "trustStore": { "type": "JKS", "location": certificates::path("trust.jks"), "password": PASSWORD } }),
            ),
        ),
        ("/any-name", tls(ports.wronghost, json!({ "trustStore": trust, "hostnameVerifier": false }))),
        ("/mutual", tls(ports.mutual, json!({ "trustStore": trust, "keyStore": client }))),
    ];
    for (path, configuration) in good {
        stack.serve(path, &api(path, &entrypoints, &solace(configuration))).await;
        let mut reader = sse(&stack, 0, path, "x").await;
        post(&stack, path, path.to_owned()).await.expect(202, path);
        assert_eq!(reader.message().await, path);
    }
    let bad = [
        ("/public", tls(ports.amqps, json!({})), "not signed by a trusted authority"),
        ("/expired", tls(ports.expired, json!({ "trustStore": trust })), "has expired"),
        ("/wronghost", tls(ports.wronghost, json!({ "trustStore": trust })), "names another host"),
        (
            "/without",
            tls(ports.mutual, json!({ "trustStore": trust })),
            "does not accept the gateway's certificate",
        ),
    ];
    for (path, configuration, expected) in bad {
        stack.serve(path, &api(path, &entrypoints, &solace(configuration))).await;
        let told = refused(&stack, path, 500).await;
        assert!(told.contains(expected), "{path}: {told}");
    }
    // This broker keeps silent when it is greeted with TLS on a port without it.
    stack.serve("/plain", &api("/plain", &entrypoints, &solace(tls(ports.amqp, json!({}))))).await;
    let told = refused(&stack, "/plain", 503).await;
    assert!(told.contains("Endpoint connection failed"), "{told}");
}
