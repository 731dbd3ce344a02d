//! Kafka that is secured: every protocol, mechanism and form of a store carries messages, and everything that can be
//! wrong is told by a text of its own, to callers and in the status of the deployment.

use crate::harness::certificates::{PASSWORD, base64, path as file, pem};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{Endpoint, api, kafka};
use crate::harness::kafka::Broker;
use crate::harness::kafka_secured::{ALICE_PLAIN, BOB_256, BOB_512, Secured};
use crate::harness::services::topic_at;
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, until, within};
use ::base64::Engine as _;
use ::base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Within this time callers and deployments say what is wrong.
const TOLD: Duration = Duration::from_secs(5);
const MODULES: &str = "org.apache.kafka.common.security";

fn sasl(protocol: &str, mechanism: &str, module: &str, options: &str) -> Value {
    json!({ "protocol": protocol, "sasl": { "saslMechanism": mechanism,
        "saslJaasConfig": format!("{MODULES}.{module} required {options};") } })
}

fn password(user: &str, password: &str) -> String {
    format!("username=\"{user}\" password=\"{password}\"")
}

fn plain(protocol: &str, secret: &str) -> Value {
    sasl(protocol, "PLAIN", "plain.PlainLoginModule", &password("alice", secret))
}

fn scram(protocol: &str, mechanism: &str, secret: &str) -> Value {
    sasl(protocol, mechanism, "scram.ScramLoginModule", &password("bob", secret))
}

/// A token as the broker of these tests takes them, with more or fewer seconds to live.
fn token(algorithm: &str, seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "sub": "alice", "iat": now - 60, "exp": now + seconds });
    format!("{}.{}.", part(json!({ "alg": algorithm })), part(claims))
}

fn oauth(token: &str) -> Value {
    let option = format!("access_token=\"{token}\"");
    sasl("SASL_PLAINTEXT", "OAUTHBEARER", "oauthbearer.OAuthBearerLoginModule", &option)
}

fn tls(ssl: Value) -> Value {
    json!({ "protocol": "SSL", "ssl": ssl })
}

fn trust() -> Value {
    json!({ "type": "PEM", "certificates": pem("ca.crt") })
}

fn key(store: Value) -> Value {
    tls(json!({ "trustStore": trust(), "keyStore": store }))
}

/// Post, GET and SSE over one topic.
fn bridge(path: &str, endpoint: &Endpoint) -> Value {
    let limits = json!({ "messagesLimitCount": 1, "messagesLimitDurationMs": 10_000 });
    let entrypoints = json!([
        { "type": "http-post" }, { "type": "http-get", "configuration": limits }, { "type": "sse", "qos": "none" },
    ]);
    api(path, &entrypoints, endpoint)
}

async fn post(stack: &Stack, path: &str, body: &str) -> Answer {
    let sending = http().post(stack.gateways[0].http(path)).body(body.to_owned()).send();
    Answer::read(within("the answer to a POST", SOON, sending).await.expect("the gateway answers")).await
}

async fn get(stack: &Stack, path: &str) -> Value {
    let sending = http().get(stack.gateways[0].http(path)).header("Accept", "application/json").send();
    let answer = within("the answer to a GET", SOON, sending).await.expect("the gateway answers");
    Answer::read(answer).await.expect(200, path).json()
}

/// What an SSE client is told when its stream fails.
async fn failure(sse: &mut Sse) -> String {
    within("an SSE client to be told", SOON, async {
        while let Some(event) = sse.next().await {
            if event.event == "error" {
                return event.data;
            }
        }
        panic!("the stream ended without an error");
    })
    .await
}

async fn carries(stack: &Stack, name: &str, listener: &str, security: Value) {
    let broker = Secured::shared().await;
    let (topic, path) = (topic_at(&broker.open(), name, 1).await, format!("/{name}"));
    let endpoint = kafka(&broker.at(listener), &topic).with("security", security);
    let id = stack.serve(&path, &bridge(&path, &endpoint)).await;
    post(stack, &path, name).await.expect(202, name);
    let page = get(stack, &path).await;
    assert_eq!(page["items"][0]["content"], name, "{page}");
    let mut sse = Sse::open(&stack.gateways[0].http(&path), &[]).await;
    assert_eq!(sse.message().await, name);
    let status = stack.client.deployment(&id).await;
    assert_eq!(status["problems"], json!([]), "{name}: {status}");
    no_secrets(stack, &id).await;
}

/// What is secret here stands in no log, in no answer about the API and in no status.
async fn no_secrets(stack: &Stack, api: &str) {
    let key = pem("client.key");
    let key = key.lines().nth(1).expect("a key has a second line");
    let secrets = [ALICE_PLAIN, BOB_256, BOB_512, PASSWORD, "eyJhbGciOi", "wrong-hush", key];
    let mut places = vec![
        ("the API", stack.client.get_api(api).await.to_string()),
        ("the deployment", stack.client.deployment(api).await.to_string()),
        ("the instances", stack.client.get("/instances").await.text),
        ("management's log", stack.management.process.output()),
    ];
    places.extend(stack.gateways.iter().map(|gateway| ("a gateway's log", gateway.process.output())));
    for (place, text) in places {
        for secret in secrets {
            assert!(!text.contains(secret), "{place} holds {secret}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mechanism_carries_messages() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let with_trust = |mut security: Value| {
        security["ssl"] = json!({ "trustStore": trust() });
        security
    };
    let rows = [
        ("plain", "SASLPLAIN", plain("SASL_PLAINTEXT", ALICE_PLAIN)),
        ("scram-256", "SASLPLAIN", scram("SASL_PLAINTEXT", "SCRAM-SHA-256", BOB_256)),
        ("scram-512", "SASLPLAIN", scram("SASL_PLAINTEXT", "SCRAM-SHA-512", BOB_512)),
        ("oauth", "OAUTH", oauth(&token("none", 600))),
        ("plain-tls", "SASLSSL", with_trust(plain("SASL_SSL", ALICE_PLAIN))),
        ("scram-tls", "SASLSSL", with_trust(scram("SASL_SSL", "SCRAM_SHA_512", BOB_512))),
        ("open", "PLAINTEXT", json!({ "protocol": "PLAINTEXT" })),
    ];
    for (name, listener, security) in rows {
        carries(&stack, name, listener, security).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_trust_store_carries_messages() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let binary = |format: &str, name: &str| {
        let at = json!({ "type": format, "location": file(name), "password": PASSWORD });
        (at, json!({ "type": format, "content": base64(name), "password": PASSWORD }))
    };
    let ((jks, jks_inline), (p12, p12_inline)) = (binary("JKS", "trust.jks"), binary("PKCS12", "trust.p12"));
    let rows = [
        ("trust-pem", json!({ "type": "PEM", "location": file("ca.crt") })),
        ("trust-pem-inline", trust()),
        ("trust-jks", jks),
        ("trust-jks-inline", jks_inline),
        ("trust-p12", p12),
        ("trust-p12-inline", p12_inline),
        ("trust-unmarked", binary("PKCS12", "trust-unmarked.p12").0),
    ];
    for (name, store) in rows {
        carries(&stack, name, "TLS", tls(json!({ "trustStore": store }))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_key_store_carries_messages() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let binary = |format: &str, name: &str| {
        let at = json!({ "type": format, "location": file(name), "password": PASSWORD });
        (at, json!({ "type": format, "content": base64(name), "password": PASSWORD }))
    };
    let ((jks, jks_inline), (p12, p12_inline)) =
        (binary("JKS", "client.jks"), binary("PKCS12", "client.p12"));
    let chain = pem("client.crt");
    let rows = [
        ("key-pem", json!({ "type": "PEM", "location": file("client.pem") })),
        ("key-pem-inline", json!({ "type": "PEM", "key": pem("client.key"), "certificateChain": chain })),
        (
            "key-encrypted",
            json!({ "type": "PEM", "key": pem("client-enc.key"), "certificateChain": chain,
            "keyPassword": PASSWORD }),
        ),
        ("key-jks", jks),
        ("key-jks-inline", jks_inline),
        ("key-p12", p12),
        ("key-p12-inline", p12_inline),
    ];
    for (name, store) in rows {
        carries(&stack, name, "MTLS", key(store)).await;
    }
}

/// A fault, where it shows, and what is said of it.
type Fault = (&'static str, &'static str, Value, &'static str);

fn credential_faults() -> Vec<Fault> {
    vec![
        ("wrong-password", "SASLPLAIN", plain("SASL_PLAINTEXT", "wrong-hush"), "refused the credentials"),
        (
            "wrong-scram",
            "SASLPLAIN",
            scram("SASL_PLAINTEXT", "SCRAM-SHA-512", "wrong-hush"),
            "refused the credentials",
        ),
        (
            "mechanism",
            "SASLPLAIN",
            oauth(&token("none", 600)),
            "does not offer the SASL mechanism of security.sasl.saslMechanism, it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512",
        ),
        ("token-expired", "OAUTH", oauth(&token("none", -60)), "token has expired"),
        ("token-refused", "OAUTH", oauth(&token("RS256", 600)), "refused the OAUTHBEARER token"),
        ("sasl-on-plain", "PLAINTEXT", plain("SASL_PLAINTEXT", ALICE_PLAIN), "takes no SASL"),
        ("plain-on-sasl", "SASLPLAIN", json!({}), "wants SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512)"),
    ]
}

fn tls_faults() -> Vec<Fault> {
    let stranger =
        json!({ "type": "PEM", "key": pem("stranger.key"), "certificateChain": pem("stranger.crt") });
    let other = json!({ "type": "PEM", "certificates": pem("other-ca.crt") });
    let trusting = || tls(json!({ "trustStore": trust() }));
    vec![
        ("untrusted", "TLS", tls(json!({ "trustStore": other })), "authority that is not trusted"),
        ("expired", "EXPIRED", trusting(), "certificate has expired"),
        ("wronghost", "WRONGHOST", trusting(), "is for another host"),
        ("no-client", "MTLS", trusting(), "wants a client certificate"),
        ("stranger", "MTLS", key(stranger), "refused the client certificate"),
        ("tls-on-plain", "PLAINTEXT", trusting(), "speaks no TLS"),
        ("plain-on-tls", "TLS", json!({}), "speaks TLS"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_protocols_that_do_not_fit_are_told_apart() {
    are_told(credential_faults()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_protocols_that_do_not_fit_are_told_apart() {
    are_told(tls_faults()).await;
}

async fn are_told(faults: Vec<Fault>) {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let broker = Secured::shared().await;
    let topic = topic_at(&broker.open(), "faults", 1).await;
    for (name, listener, security, expected) in faults {
        let path = format!("/{name}");
        let endpoint = kafka(&broker.at(listener), &topic).with("security", security);
        let id = stack.serve(&path, &bridge(&path, &endpoint)).await;
        let begun = Instant::now();
        let status = async {
            let what = format!("the status to tell of {name}");
            let problem = until(&what, SOON, async || {
                let status = stack.client.deployment(&id).await;
                let problem = &status["problems"][0];
                problem.is_object().then(|| problem.clone())
            });
            (problem.await, begun.elapsed())
        };
        let posting = async { (post(&stack, &path, "lost").await, begun.elapsed()) };
        let getting = async { (get(&stack, &path).await, begun.elapsed()) };
        let streaming = async {
            let mut sse = Sse::open(&stack.gateways[0].http(&path), &[]).await;
            (failure(&mut sse).await, begun.elapsed())
        };
        let (status, posted, got, streamed) = tokio::join!(status, posting, getting, streaming);
        assert_eq!(posted.0.status, 500, "{name}: {}", posted.0.text);
        let error = got.0["error"].to_string();
        let told = [
            ("the status", status.0["message"].as_str().unwrap_or_default(), status.1),
            ("POST", posted.0.text.as_str(), posted.1),
            ("GET", error.as_str(), got.1),
            ("SSE", streamed.0.as_str(), streamed.1),
        ];
        for (who, text, after) in told {
            assert!(text.contains(expected), "{name}: {who} says {text:?}, not {expected:?}");
            assert!(after < TOLD, "{name}: {who} says so after {after:?}");
        }
        assert_eq!(status.0["level"], "degraded", "{name}");
        assert_eq!(status.0["code"], "ENDPOINT_UNAVAILABLE", "{name}");
        no_secrets(&stack, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_degrades_a_deployment_until_it_is_back() {
    let mut broker = Broker::start().await;
    let topic = topic_at(&broker.bootstrap(), "away", 1).await;
    broker.stop().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let id = stack.serve("/away", &bridge("/away", &kafka(&broker.bootstrap(), &topic))).await;
    let state = async |wanted: &str| {
        until(&format!("the deployment to be {wanted}"), SOON * 2, async || {
            let status = stack.client.deployment(&id).await;
            (status["state"] == wanted).then_some(status)
        })
        .await
    };
    until("the absence to show", SOON, async || {
        let status = stack.client.deployment(&id).await;
        (status["nodes"]["degraded"] == 1).then_some(())
    })
    .await;
    let degraded = state("PARTIAL").await;
    let problem = degraded["problems"][0]["message"].as_str().expect("a text");
    assert!(problem.contains("Endpoint connection failed"), "{problem}");
    broker.restart().await;
    assert_eq!(state("CONVERGED").await["problems"], json!([]));
    post(&stack, "/away", "back").await.expect(202, "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_cannot_use_is_rejected_and_the_old_version_serves_on() {
    let broker = Secured::shared().await;
    let topic = topic_at(&broker.open(), "rejected", 1).await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let id = stack.serve("/rejected", &bridge("/rejected", &kafka(&broker.open(), &topic))).await;
    let wrong = json!({ "type": "PKCS12", "content": base64("trust.p12"), "password": "wrong-hush" });
    let kerberos = "com.sun.security.auth.module.Krb5LoginModule required principal=\"a@B\";";
    let rows = [
        (
            tls(json!({ "trustStore": { "type": "PEM", "location": "/nowhere/ca.pem" } })),
            "trustStore",
            "cannot be read",
        ),
        (tls(json!({ "trustStore": wrong })), "trustStore", "check its password"),
        (
            json!({ "protocol": "SASL_PLAINTEXT", "sasl": { "saslMechanism": "GSSAPI", "saslJaasConfig": kerberos } }),
            "saslMechanism",
            "built without Kerberos",
        ),
    ];
    for (security, path, expected) in rows {
        stack
            .client
            .change_api(&id, |definition| {
                definition["endpointGroups"][0]["endpoints"][0]["configuration"]["security"] = security;
            })
            .await;
        let deployed = stack.client.deploy(&id).await;
        let named = deployed.header("x-tidegate-deployment").to_owned();
        let status = until("the gateway to refuse it", SOON, async || {
            let path = format!("/v4/apis/{id}/deployments/{named}");
            let status = stack.client.get(&path).await.expect(200, "the deployment").json();
            (status["state"] == "FAILED").then_some(status)
        })
        .await;
        let problem = &status["problems"][0];
        assert!(problem["path"].as_str().is_some_and(|at| at.ends_with(path)), "{problem}");
        assert!(problem["message"].as_str().is_some_and(|text| text.contains(expected)), "{problem}");
        no_secrets(&stack, &id).await;
    }
    post(&stack, "/rejected", "still").await.expect(202, "the old version serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_of_a_broker_that_refuses_them_are_told_in_time() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let broker = Secured::shared().await;
    let security = plain("SASL_PLAINTEXT", "wrong-hush");
    let endpoint = kafka(&broker.at("SASLPLAIN"), "any").with("security", security);
    stack.serve("/many", &bridge("/many", &endpoint)).await;
    let begun = Instant::now();
    let answers = join_all((0..20).map(|_| post(&stack, "/many", "x"))).await;
    assert!(begun.elapsed() < TOLD, "{:?}", begun.elapsed());
    for answer in answers {
        assert!(answer.status == 500 && answer.text.contains("refused the credentials"), "{}", answer.text);
    }
}
