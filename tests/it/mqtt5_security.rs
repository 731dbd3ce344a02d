//! MQTT over TLS and with credentials: every form of store works, and every mistake is told apart in time.

use crate::harness::certificates::{PASSWORD, base64, path, pem};
use crate::harness::client::{Answer, http};
use crate::harness::definitions::{api, mqtt5};
use crate::harness::mosquitto::{Mosquitto, USER};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::Ws;
use crate::harness::wait::{SOON, within};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A mistake in the settings is said within this time.
const SAID: Duration = Duration::from_secs(5);

fn settings(host: &str, port: u16, security: &Value) -> Value {
    json!({ "serverHost": host, "serverPort": port, "topic": "secured",
        "consumer": { "enabled": true }, "producer": { "enabled": true }, "security": security })
}

fn credentials() -> Value {
    json!({ "username": USER.0, "password": USER.1 })
}

fn trust() -> Value {
    json!({ "type": "PEM", "content": pem("ca.crt") })
}

async fn post(stack: &Stack, path: &str) -> Answer {
    let sending = http().post(stack.gateways[0].http(path)).body("hello").send();
    Answer::read(within("the answer to a POST", SOON, sending).await.expect("the gateway answers")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_credentials_and_stores_is_accepted() {
    let broker = Mosquitto::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let entrypoints = json!([{ "type": "http-post" }, { "type": "websocket", "qos": "none" }]);
    let pem_key = json!({ "type": "PEM", "certContent": pem("client.crt"), "keyContent": pem("client.key") });
    let encrypted = json!({ "type": "PEM", "certPath": path("client.crt"), "keyPath": path("client-enc.key"),
        "keyPassword": PASSWORD });
    let store = |kind: &str, member: &str, value: String| json!({ "type": kind, member: value, "password": PASSWORD });
    let ssl = |trust: Value, key: Value| json!({ "ssl": { "trustStore": trust, "keyStore": key } });
    let cases = [
        ("password", broker.password, json!({ "auth": credentials() })),
        ("tls-pem-password", broker.tls, json!({ "auth": credentials(), "ssl": { "trustStore": trust() } })),
        ("tls-any", broker.tls, json!({ "auth": credentials(), "ssl": { "trustAll": true } })),
        ("mutual-pem", broker.mutual, ssl(trust(), pem_key)),
        ("mutual-encrypted", broker.mutual, ssl(json!({ "type": "PEM", "path": path("ca.crt") }), encrypted)),
        (
            "mutual-jks",
            broker.mutual,
            ssl(store("JKS", "path", path("trust.jks")), store("JKS", "content", base64("client.jks"))),
        ),
        (
            "mutual-pkcs12",
            broker.mutual,
            ssl(store("PKCS12", "content", base64("trust.p12")), store("PKCS12", "path", path("client.p12"))),
        ),
        (
            "any-name",
            broker.wrong_host,
            json!({ "ssl": { "hostnameVerifier": false, "trustStore": trust() } }),
        ),
    ];
    for (name, port, security) in cases {
        let path = format!("/{name}");
        let endpoint = mqtt5(settings("localhost", port, &security));
        stack.serve(&path, &api(&path, &entrypoints, &endpoint)).await;
        let mut ws = Ws::open(&stack.gateways[0].ws(&path)).await;
        post(&stack, &path).await.expect(202, name);
        assert_eq!(ws.message().await, "hello", "{name}");
    }
}

/// Name, host, port, settings of security, the status due and words that are due.
type Mistake = (&'static str, &'static str, u16, Value, u16, &'static str);

fn mistakes(broker: &Mosquitto) -> Vec<Mistake> {
    let wrong = json!({ "username": USER.0, "password": "not-the-secret" });
    let stranger =
        json!({ "type": "PEM", "certContent": pem("stranger.crt"), "keyContent": pem("stranger.key") });
    vec![
        (
            "wrong-password",
            "localhost",
            broker.password,
            json!({ "auth": wrong }),
            500,
            "refused the credentials",
        ),
        ("no-password", "localhost", broker.password, json!({}), 500, "refused the credentials"),
        ("untrusted", "localhost", broker.tls, json!({ "ssl": {} }), 500, "not signed by anybody"),
        (
            "expired",
            "localhost",
            broker.expired,
            json!({ "ssl": { "trustStore": trust() } }),
            500,
            "is expired",
        ),
        (
            "wrong-host",
            "localhost",
            broker.wrong_host,
            json!({ "ssl": { "trustStore": trust() } }),
            500,
            "another host",
        ),
        (
            "tls-to-plain",
            "localhost",
            broker.plain,
            json!({ "ssl": { "trustStore": trust() } }),
            500,
            "does not speak TLS",
        ),
        (
            "no-certificate",
            "localhost",
            broker.mutual,
            json!({ "ssl": { "trustStore": trust() } }),
            500,
            "or misses one",
        ),
        (
            "stranger",
            "localhost",
            broker.mutual,
            json!({ "ssl": { "trustStore": trust(), "keyStore": stranger } }),
            500,
            "refused the gateway's certificate",
        ),
        ("no-host", "no-such-host.invalid", broker.plain, json!({}), 500, "has no address"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_has_words_of_its_own_in_time() {
    let broker = Mosquitto::start().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    for (name, host, port, security, status, words) in mistakes(&broker) {
        let path = format!("/{name}");
        let entrypoints = json!([{ "type": "http-post" }, { "type": "sse" }]);
        stack.serve(&path, &api(&path, &entrypoints, &mqtt5(settings(host, port, &security)))).await;
        let begun = Instant::now();
        let refused = post(&stack, &path).await.expect(status, name);
        assert!(refused.text.contains(words), "{name}: {}", refused.text);
        assert!(!refused.text.contains("secret"), "{name}: {}", refused.text);
        let reading = http().get(stack.gateways[0].http(&path)).header("Accept", "text/event-stream").send();
        let refused = within("the answer to a reader", SOON, reading).await.expect("the gateway answers");
        let refused = Answer::read(refused).await.expect(status, name);
        assert!(refused.text.contains(words), "{name}: {}", refused.text);
        assert!(begun.elapsed() < 2 * SAID, "{name} took {:?}", begun.elapsed());
    }
    // Without TLS towards a listener with it there is no word from the broker, only an end.
    stack
        .serve(
            "/plain",
            &api(
                "/plain",
                &json!([{ "type": "http-post" }]),
                &mqtt5(settings("localhost", broker.tls, &json!({}))),
            ),
        )
        .await;
    let refused = post(&stack, "/plain").await;
    assert!(refused.text.contains("TLS"), "{} {}", refused.status, refused.text);
}
