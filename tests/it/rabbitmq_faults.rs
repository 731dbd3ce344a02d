//! What clients see when RabbitMQ refuses them, is somebody else, or stays away.

use crate::harness::amqp::Amqp;
use crate::harness::certificates::{self, PASSWORD as STORE_PASSWORD};
use crate::harness::chaos::{Chaos, Mode};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::api;
use crate::harness::ports::free_port;
use crate::harness::posts::Posts;
use crate::harness::process::Process;
use crate::harness::rabbitmq::{Broker, GUEST, PASSWORD, TENANT};
use crate::harness::services::{folder, unique};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, until, within};
use crate::rabbitmq::{rabbitmq, settings};
use lapin::ExchangeKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const CLIENT: &str = "X-Gravitee-Client-Identifier";
/// A refusal has to come within this time; what a loaded machine needs for the call itself is added.
const TOLD_AT_ONCE: Duration = Duration::from_secs(7);
/// When readers hear that RabbitMQ stays away: after 30 s, and a loaded machine may need some more.
const TOLD_OF_ABSENCE: std::ops::Range<Duration> = Duration::from_secs(28)..Duration::from_secs(45);

/// What POST, GET and SSE at none answer; all of them at once.
async fn answers(stack: &Stack, path: &str) -> Vec<Answer> {
    let begun = Instant::now();
    let url = stack.gateways[0].http(path);
    let json = "application/json";
    let requests = [
        http().post(&url).header("Accept", json).body("x"),
        http().get(&url).header("Accept", json),
        http().get(&url).header("Accept", "text/event-stream"),
    ];
    let mut answers = Vec::new();
    for request in requests {
        let sending = request.header(CLIENT, "me").send();
        answers
            .push(Answer::read(within("an answer", SOON, sending).await.expect("the gateway answers")).await);
    }
    assert!(begun.elapsed() < TOLD_AT_ONCE * 3, "told after {:?}", begun.elapsed());
    answers
}

/// An API at a path of its own, with all directions; `change` edits the settings of the endpoint.
async fn serve(stack: &Stack, port: u16, exchange: &str, change: impl FnOnce(&mut Value)) -> String {
    let path = format!("/{}", unique("api"));
    let entrypoints =
        json!([{ "type": "http-post" }, { "type": "http-get" }, { "type": "sse", "qos": "none" }]);
    let mut settings = settings(port, exchange);
    change(&mut settings);
    stack.serve(&path, &api(&path, &entrypoints, &rabbitmq(settings))).await;
    path
}

/// Every direction answers `status` with a text that holds `text` and no password.
async fn refused(stack: &Stack, path: &str, status: u16, text: &str) {
    for answer in answers(stack, path).await {
        let answer = answer.expect(status, text);
        assert!(answer.text.contains(text), "{text:?} in {:?}", answer.text);
        assert!(!answer.text.contains(PASSWORD) && !answer.text.contains("wrong-secret"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_rabbitmq_has_its_own_answer() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let exchange = unique("refused");
    let client = Amqp::connect(broker.port, "/").await;
    client.exchange(&exchange, ExchangeKind::Direct).await;

    let path = serve(&stack, broker.port, &exchange, |_| {}).await;
    refused(&stack, &path, 500, "exists with another type, durability or auto-delete").await;
    let wrong = |settings: &mut Value| settings["security"]["auth"]["password"] = json!("wrong-secret");
    let path = serve(&stack, broker.port, &unique("x"), wrong).await;
    refused(&stack, &path, 500, "RabbitMQ refused the credentials").await;
    let path =
        serve(&stack, broker.port, &unique("x"), |settings| settings["virtualHost"] = json!("nope")).await;
    refused(&stack, &path, 500, "the virtual host does not exist or the user has no access").await;
    let guest = |settings: &mut Value| {
        settings["security"]["auth"] = json!({ "username": GUEST.0, "password": GUEST.1 });
    };
    let path = serve(&stack, broker.port, &unique("x"), guest).await;
    refused(&stack, &path, 500, "the user has not the rights").await;
    let path = serve(&stack, broker.port, "amq.mine", |_| {}).await;
    refused(&stack, &path, 500, "the name is reserved").await;
    let path = serve(&stack, free_port(), &unique("x"), |_| {}).await;
    refused(&stack, &path, 503, "Endpoint connection failed").await;
    let dead = answers(&stack, &path).await;
    assert_eq!(dead[0].json(), json!({ "message": "Endpoint connection failed", "http_status_code": 503 }));
    let nowhere = |settings: &mut Value| settings["serverHost"] = json!("nowhere.invalid");
    let path = serve(&stack, broker.port, &unique("x"), nowhere).await;
    refused(&stack, &path, 500, "serverHost has no address").await;
    let log = stack.gateways[0].process.output();
    assert!(!log.contains(PASSWORD) && !log.contains("wrong-secret"), "passwords are not logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_hosts_are_worlds_of_their_own() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let exchange = unique("tenant");
    let path =
        serve(&stack, broker.port, &exchange, |settings| settings["virtualHost"] = json!(TENANT)).await;
    let mut sse = Sse::open(&stack.gateways[0].http(&path), &[]).await;
    let client = Amqp::connect(broker.port, TENANT).await;
    client.produce(&exchange, "orders.new", &["for the tenant"]).await;
    assert_eq!(sse.message().await, "for the tenant");
    assert!(broker.queues_of(&exchange).await.is_empty(), "nothing in the default virtual host");
}

/// A server that shows `certificate` and speaks TLS, but not AMQP.
async fn imposter(certificate: &str) -> (Process, u16) {
    let port = free_port();
    let (address, cert, key) = (
        format!("127.0.0.1:{port}"),
        certificates::path(&format!("{certificate}.crt")),
        certificates::path(&format!("{certificate}.key")),
    );
    let mut process = Process::new("openssl", "openssl", &folder("imposter"));
    process = process.arguments(["s_server", "-accept", &address, "-cert", &cert, "-key", &key, "-www"]);
    process.start();
    let listens = async || tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok();
    process.ready("its port answers", listens).await;
    (process, port)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_of_tls_has_its_own_answer() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let trusted = |name: &str| json!({ "trustStore": { "type": "PEM", "content": certificates::pem(name) } });
    let secure = async |port, ssl: Value| {
        serve(&stack, port, &unique("tls"), |settings| settings["security"]["ssl"] = ssl).await
    };
    let path = secure(broker.tls_port, trusted("other-ca.crt")).await;
    refused(&stack, &path, 500, "not signed by an authority that is trusted").await;
    let (_expired, port) = imposter("expired").await;
    refused(&stack, &secure(port, trusted("ca.crt")).await, 500, "has expired").await;
    let (_wronghost, port) = imposter("wronghost").await;
    refused(&stack, &secure(port, trusted("ca.crt")).await, 500, "is for another host").await;
    let mut any_name = trusted("ca.crt");
    any_name["hostnameVerifier"] = json!(false);
    // The handshake of TLS succeeds, and then nobody is there who speaks AMQP.
    refused(&stack, &secure(port, any_name).await, 503, "Endpoint connection failed").await;
    refused(&stack, &secure(broker.port, trusted("ca.crt")).await, 500, "does not speak TLS").await;
    let plain = serve(&stack, broker.tls_port, &unique("tls"), |_| {}).await;
    refused(&stack, &plain, 500, "the port speaks TLS: set security.ssl").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_over_tls_with_every_kind_of_store() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let stores = [
        json!({ "trustStore": { "type": "PEM", "path": certificates::path("ca.crt") } }),
        json!({ "trustStore": { "type": "PKCS12", "path": certificates::path("trust.p12"), "password": STORE_PASSWORD } }),
        json!({ "trustStore": { "type": "JKS", "content": certificates::base64("trust.jks"), "password": STORE_PASSWORD },
                "keyStore": { "type": "PKCS12", "content": certificates::base64("client.p12"), "password": STORE_PASSWORD } }),
        json!({ "trustAll": true }),
    ];
    for ssl in stores {
        let exchange = unique("secure");
        let what = ssl.to_string();
        let change = |settings: &mut Value| settings["security"]["ssl"] = ssl;
        let path = serve(&stack, broker.tls_port, &exchange, change).await;
        let mut sse = Sse::open(&stack.gateways[0].http(&path), &[]).await;
        let sent = http().post(stack.gateways[0].http(&path)).body("sealed").send().await;
        Answer::read(sent.expect("the gateway answers")).await.expect(202, &what);
        assert_eq!(sse.message().await, "sealed", "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_rabbitmq_is_never_a_202_and_heals() {
    let broker = Broker::shared().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let exchange = unique("stall");
    let client = Amqp::connect(broker.port, "/").await;
    client.exchange(&exchange, ExchangeKind::Topic).await;
    client.keep(&exchange, "#", &exchange).await;
    let path = serve(&stack, chaos.address().port(), &exchange, |_| {}).await;
    let url = stack.gateways[0].http(&path);
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
    let there = client.drain(&exchange).await;
    assert!(there.contains(&"one".to_owned()) && there.contains(&"three".to_owned()), "{there:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_survives_a_kill_of_rabbitmq() {
    let mut broker = Broker::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let exchange = unique("posts");
    let client = Amqp::connect(broker.port, "/").await;
    client.exchange(&exchange, ExchangeKind::Topic).await;
    client.keep(&exchange, "#", "ledger").await;
    let path = serve(&stack, broker.port, &exchange, |_| {}).await;
    let posts = Posts::start(&stack.gateways[0].http(&path), "", 4);
    until("posts to be accepted", SOON, async || (posts.accepted() > 100).then_some(())).await;
    broker.kill().await;
    until("a post to be refused", SOON, async || posts.statuses().contains_key(&503).then_some(())).await;
    broker.restart().await;
    let before = posts.accepted();
    until("posts to be accepted again", SOON, async || (posts.accepted() > before + 100).then_some(())).await;
    let answers = posts.stop().await;
    let strange: Vec<_> = answers.iter().filter(|(_, status)| ![202, 503].contains(*status)).collect();
    assert!(strange.is_empty(), "only 202 and 503 are answers here: {strange:?}");
    let accepted: BTreeSet<String> =
        answers.iter().filter(|(_, status)| **status == 202).map(|(number, _)| number.to_string()).collect();
    let client = Amqp::connect(broker.port, "/").await;
    let there: BTreeSet<String> = client.drain("ledger").await.into_iter().collect();
    let missing: Vec<_> = accepted.difference(&there).collect();
    assert!(missing.is_empty(), "accepted and lost: {missing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_go_on_after_a_short_absence_and_are_told_of_a_long_one() {
    let broker = Broker::start().await;
    let chaos = Chaos::start(0, broker.address()).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let exchange = unique("away");
    let mut readers = Vec::new();
    for qos in ["auto", "none"] {
        let path = format!("/{qos}");
        let endpoint = rabbitmq(settings(chaos.address().port(), &exchange));
        stack.serve(&path, &api(&path, &json!([{ "type": "sse", "qos": qos }]), &endpoint)).await;
        readers.push(Sse::open(&stack.gateways[0].http(&path), &[(CLIENT, "me")]).await);
    }
    let client = Amqp::connect(broker.port, "/").await;
    client.produce(&exchange, "orders.new", &["before"]).await;
    for sse in &mut readers {
        assert_eq!(sse.message().await, "before");
    }
    // The proxy is what goes away: how long a broker takes to start is no matter of this test.
    let consumers = async |wanted: usize| {
        until(&format!("{wanted} queues with a reader"), SOON, async || {
            let queues = broker.queues_of(&exchange).await;
            (queues.iter().filter(|queue| queue.consumers == 1).count() == wanted).then_some(())
        })
        .await;
    };
    chaos.set(Mode::Refuse);
    chaos.cut();
    consumers(0).await;
    chaos.set(Mode::Pass);
    consumers(2).await;
    Amqp::connect(broker.port, "/").await.produce(&exchange, "orders.new", &["between"]).await;
    for sse in &mut readers {
        let mut seen = sse.message().await;
        if seen == "before" {
            // The acknowledgement was lost with the connection, so a repeat at auto is right.
            seen = sse.message().await;
        }
        assert_eq!(seen, "between", "a short absence is bridged");
    }
    chaos.set(Mode::Refuse);
    chaos.cut();
    let (begun, attempts) = (Instant::now(), chaos.accepted());
    let told = readers.iter_mut().map(|sse| async move {
        let event = within("the word about the absence", TOLD_OF_ABSENCE.end, sse.whenever()).await;
        let event = event.expect("the client is told before the end");
        assert_eq!((event.event.as_str(), event.data.as_str()), ("error", "Endpoint connection closed"));
    });
    futures::future::join_all(told).await;
    assert!(TOLD_OF_ABSENCE.contains(&begun.elapsed()), "told after {:?}", begun.elapsed());
    let attempts = chaos.accepted() - attempts;
    assert!((5..60).contains(&attempts), "{attempts} attempts in 30 s for two readers on one connection");
}
