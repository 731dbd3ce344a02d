//! Plans with keys over real sockets: who is let in, and how streams end with the access that opened them.

use super::*;
use crate::consumers::now_ms;
use definition::consumer::{KIND_API_KEY, KIND_SUBSCRIPTION, api_key_hash};
use futures::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const KEY: &str = "x-gravitee-api-key: secret\r\n";
const EVENTS: &str = "connection: close\r\naccept: text/event-stream\r\nx-gravitee-api-key: secret\r\n";

/// An API at `/a/` for keys only.
fn keyed(mock: Value) -> Value {
    let mut api = api("a", mock);
    api["plans"] =
        json!([{"id": "p", "name": "keys", "status": "published", "security": {"type": "api-key"}}]);
    api
}

impl Gateway {
    async fn consumer(&self, kind: &str, resource: &Value) {
        let body = canonical_bytes(resource).unwrap();
        let id = resource["id"].as_str().unwrap().to_owned();
        let op = ApplyOp::Upsert { digest: [0; 32], body: body.into(), revision: 1 };
        let outcomes = self.running.table.apply(vec![ApplyChange { kind: kind.into(), id, op }]).await;
        assert_eq!(outcomes[0].level, Level::Active, "{outcomes:?}");
    }

    async fn forget(&self, kind: &str, id: &str) {
        let change = ApplyChange { kind: kind.into(), id: id.into(), op: ApplyOp::Delete };
        self.running.table.apply(vec![change]).await;
    }

    async fn subscribed(&self, ending_at_ms: Option<i64>) {
        let mut subscription = json!({"id": "s", "api": "a", "plan": "p", "application": "app", "applicationName": "App",
            "status": "ACCEPTED", "consumerStatus": "STARTED"});
        if let Some(end) = ending_at_ms {
            subscription["endingAtMs"] = json!(end);
        }
        self.consumer(KIND_SUBSCRIPTION, &subscription).await;
        let key = json!({"id": "k", "hash": api_key_hash("secret"), "subscriptions": ["s"]});
        self.consumer(KIND_API_KEY, &key).await;
    }
}

#[tokio::test]
async fn only_who_has_a_key_is_let_in() {
    let gateway = Gateway::start(&[keyed(messages(Some(1)))]).await;
    gateway.subscribed(None).await;
    let answer = gateway.answer("/a", "accept: */*\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"message":"Unauthorized","http_status_code":401}"#), "{answer}");
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), None);
    assert!(gateway.answer("/a", "").await.ends_with("\r\n\r\nUnauthorized"));
    let answer = gateway.answer("/a", KEY).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), Some("s"));
    gateway.forget(KIND_API_KEY, "k").await;
    assert!(gateway.answer("/a", KEY).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn event_streams_end_with_their_access_and_others_go_on() {
    let mut with_both = keyed(silence());
    with_both["plans"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "q", "name": "free", "status": "published", "security": {"type": "key-less"}}));
    let gateway = Gateway::start(&[with_both]).await;
    gateway.subscribed(None).await;
    let mut keyed = gateway.get("/a", EVENTS).await;
    keyed.until("retry: ").await;
    let mut free = gateway.get("/a", "accept: text/event-stream\r\n").await;
    free.until("retry: ").await;
    gateway.forget(KIND_SUBSCRIPTION, "s").await;
    let farewell = keyed.rest().await;
    assert!(
        farewell.contains("event: goaway\ndata: The subscription or the key of this client has ended\n"),
        "{farewell}"
    );
    assert!(gateway.answer("/a", EVENTS).await.starts_with("HTTP/1.1 401 "));
    free.until(":\n\n").await;
}

#[tokio::test]
async fn filters_follow_the_metadata_of_the_subscription() {
    let mut api = keyed(messages(None));
    api["flows"] = json!([{"enabled": true, "subscribe": [{"name": "f", "enabled": true, "policy": "message-filtering",
        "configuration": {"filter": "{#subscription.metadata['show'] == 'yes'}"}}]}]);
    let gateway = Gateway::start(&[api]).await;
    gateway.subscribed(None).await;
    let mut client = gateway.get("/a", EVENTS).await;
    client.until("retry: ").await;
    let beginning = client.until(":\n\n").await;
    assert!(!beginning.contains("data:"), "{beginning}");
    let subscription = json!({"id": "s", "api": "a", "plan": "p", "application": "app", "applicationName": "App",
        "status": "ACCEPTED", "consumerStatus": "STARTED", "metadata": {"show": "yes"}});
    gateway.consumer(KIND_SUBSCRIPTION, &subscription).await;
    client.until("data: {\"a\":1}").await;
}

#[tokio::test]
async fn sockets_and_polls_end_with_their_access() {
    let mut slow = keyed(silence());
    slow["listeners"][0]["entrypoints"][0]["configuration"] = json!({"messagesLimitDurationMs": 600_000});
    let gateway = Gateway::start(&[slow]).await;
    gateway.subscribed(None).await;
    let mut poll =
        gateway.get("/a", &format!("accept: application/json\r\nconnection: close\r\n{KEY}")).await;
    poll.until("\"items\":[").await;
    let mut request = "ws://h/a".into_client_request().unwrap();
    request.headers_mut().insert("x-gravitee-api-key", "secret".parse().unwrap());
    let tcp = TcpStream::connect(gateway.running.addr).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, tcp).await.unwrap();
    gateway.forget(KIND_API_KEY, "k").await;
    let Message::Close(Some(frame)) = timeout(DEADLINE, socket.next()).await.unwrap().unwrap().unwrap()
    else {
        panic!("no close frame");
    };
    assert_eq!((u16::from(frame.code), frame.reason.as_str()), (1008, "Subscription ended"));
    let rest = poll.rest().await;
    assert!(rest.contains("The subscription or the key of this client has ended"), "{rest}");
}

#[tokio::test]
async fn a_subscription_that_ends_by_its_date_ends_its_streams() {
    let gateway = Gateway::start(&[keyed(silence())]).await;
    gateway.subscribed(Some(now_ms() + 1_000)).await;
    let mut client = gateway.get("/a", EVENTS).await;
    client.until("retry: ").await;
    let farewell = client.rest().await;
    assert!(farewell.contains("event: goaway\n"), "{farewell}");
    assert!(gateway.answer("/a", KEY).await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test]
async fn a_browser_that_asks_sends_no_key() {
    let mut api = keyed(messages(Some(1)));
    api["listeners"][0]["cors"] =
        json!({"enabled": true, "allowOrigin": ["*"], "allowMethods": ["GET"], "maxAge": -1});
    let gateway = Gateway::start(&[api]).await;
    let ask = "OPTIONS /a HTTP/1.1\r\nhost: h\r\nconnection: close\r\norigin: http://o\r\n\
               access-control-request-method: GET\r\n\r\n";
    let answer = gateway.send(ask).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let refused = gateway.answer("/a", "origin: http://o\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(header(&refused, "access-control-allow-origin").is_some(), "the page may see why");
}
