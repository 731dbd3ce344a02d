//! The four entrypoints on the wire, with the mock endpoint as their source.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, within};
use futures::StreamExt;
use serde_json::{Value, json};

/// Greatest body that becomes one message, and one byte more.
const BODY_TOO_LARGE_BYTES: usize = 1024 * 1024 + 1;

async fn gateway_with(definition: &Value) -> (Stack, String) {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let api = stack.serve("/m", definition).await;
    (stack, api)
}

fn quick(entrypoints: &Value) -> Value {
    api("/m", entrypoints, &mock("{\"a\":1}", 10, None))
}

async fn get(stack: &Stack, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = http().get(stack.gateways[0].http(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(within("an answer", SOON, request.send()).await.expect("the gateway answers")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sse_streams_events_with_ids_and_says_goodbye() {
    let (stack, api) = gateway_with(&quick(&json!([{ "type": "sse" }]))).await;
    let mut sse = Sse::open(&stack.gateways[0].http("/m"), &[]).await;
    assert_eq!(sse.headers["content-type"], "text/event-stream;charset=UTF-8");
    assert_eq!(sse.headers["cache-control"], "no-cache");
    for id in 0..5 {
        let event = sse.next().await.expect("an event");
        assert_eq!(
            (event.id.as_str(), event.event.as_str(), event.data.as_str()),
            (id.to_string().as_str(), "message", "{\"a\":1}")
        );
    }
    stack.client.stop(&api).await;
    let farewell = loop {
        let event = sse.next().await.expect("a farewell comes before the end");
        if event.event != "message" {
            break event;
        }
    };
    assert_eq!((farewell.event.as_str(), farewell.data.as_str()), ("goaway", "Stopping, please reconnect"));
    assert!(sse.next().await.is_none(), "the stream ends after the farewell");
}

#[tokio::test(flavor = "multi_thread")]
async fn sse_opens_with_retry_beats_and_ends_with_its_source() {
    let entrypoints = json!([{ "type": "sse", "configuration": { "heartbeatIntervalInMs": 2000 } }]);
    let (stack, _) = gateway_with(&api("/m", &entrypoints, &mock("one\ntwo", 2500, Some(1)))).await;
    let answer = get(&stack, "/m", &[("Accept", "text/event-stream")]).await.expect(200, "SSE");
    let blocks: Vec<&str> = answer.text.split_terminator("\n\n").collect();
    assert!(blocks[0].strip_prefix("retry: ").is_some_and(|ms| ms.parse::<u32>().is_ok()), "{blocks:?}");
    assert_eq!(
        blocks[1..],
        [":", "id: 0\nevent: message\ndata: one\ndata: two"],
        "a heartbeat, then the only message"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn http_get_pages_in_every_format() {
    let (stack, _) =
        gateway_with(&quick(&json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 3 } }])))
            .await;
    let json = get(&stack, "/m?limit=2", &[("Accept", "application/json")]).await.expect(200, "JSON");
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(
        json.text,
        r#"{"items":[{"id":"0","content":"{\"a\":1}"},{"id":"1","content":"{\"a\":1}"}],"pagination":{"nextCursor":"1","limit":"2"}}"#
    );
    let next = get(&stack, "/m?limit=1&cursor=1", &[("Accept", "application/json")]).await.json();
    assert_eq!(next["items"][0]["id"], "2");
    let xml = get(&stack, "/m?limit=1", &[("Accept", "application/xml")]).await.expect(200, "XML");
    assert_eq!(
        xml.text,
        r#"<response><items><item><id>0</id><content><![CDATA[{"a":1}]]></content></item></items><pagination><nextCursor>0</nextCursor><limit>1</limit></pagination></response>"#
    );
    let text = get(&stack, "/m?limit=1", &[("Accept", "text/plain")]).await.expect(200, "text");
    assert_eq!(text.text, "items\nitem\nid: 0\ncontent: {\"a\":1}\n\npagination\nnextCursor: 0\nlimit: 1");
    let all = get(&stack, "/m", &[("Accept", "application/json")]).await.json();
    assert_eq!(all["items"].as_array().map(Vec::len), Some(3), "the configured limit holds");

    get(&stack, "/m", &[("Accept", "text/html")]).await.expect(400, "a type that is not offered");
    get(&stack, "/m?limit=abc", &[]).await.expect(400, "a limit that is no number");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_get_ends_on_time_without_messages() {
    let entrypoints = json!([{ "type": "http-get", "configuration": { "messagesLimitDurationMs": 300 } }]);
    let (stack, _) = gateway_with(&api("/m", &entrypoints, &mock("never", 600_000, None))).await;
    let answer = get(&stack, "/m", &[("Accept", "application/json")]).await.expect(200, "nothing yet");
    assert_eq!(answer.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_post_answers_202_and_refuses_what_is_too_large() {
    let (stack, _) = gateway_with(&quick(&json!([{ "type": "http-post" }]))).await;
    let post = async |body: Vec<u8>| {
        let request = http().post(stack.gateways[0].http("/m/below/it")).body(body);
        Answer::read(request.send().await.expect("the gateway answers")).await
    };
    let accepted = post(b"{\"x\":1}".to_vec()).await.expect(202, "a message");
    assert_eq!(accepted.text, "");
    post(Vec::new()).await.expect(202, "an empty body");
    post(vec![b'x'; BODY_TOO_LARGE_BYTES]).await.expect(413, "a body above the limit");
}

#[tokio::test(flavor = "multi_thread")]
async fn websocket_gives_binary_frames_and_closes_with_a_reason() {
    let (stack, api) = gateway_with(&quick(&json!([{ "type": "websocket" }]))).await;
    let mut ws = Ws::open(&stack.gateways[0].ws("/m")).await;
    ws.send("to nobody").await;
    for _ in 0..3 {
        assert_eq!(ws.message().await, "{\"a\":1}");
    }
    stack.client.stop(&api).await;
    let close = ws.closed().await;
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1013, "Try Again Later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_match_nothing_are_told_what_is_missing() {
    let (stack, _) = gateway_with(&quick(&json!([{ "type": "http-post" }]))).await;
    let nowhere = get(&stack, "/elsewhere", &[("Accept", "application/json")]).await.expect(404, "no API");
    assert_eq!(nowhere.header("content-type").split(';').next(), Some("text/plain"));
    assert_eq!(nowhere.text, "No context-path matches the request URI.");
    get(&stack, "/mm", &[]).await.expect(404, "a path that only begins alike");
    let json = get(&stack, "/m", &[("Accept", "application/json")]).await.expect(404, "no entrypoint");
    assert_eq!(
        json.json(),
        json!({ "message": "No entrypoint matches the incoming request", "http_status_code": 404 })
    );
    let text = get(&stack, "/m", &[("Accept", "text/html")]).await.expect(404, "no entrypoint");
    assert_eq!(text.text, "No entrypoint matches the incoming request");
}

#[tokio::test(flavor = "multi_thread")]
async fn identifiers_are_taken_over_and_given_back() {
    let (stack, _) =
        gateway_with(&quick(&json!([{ "type": "http-get", "configuration": { "messagesLimitCount": 1 } }])))
            .await;
    let sent = [
        ("X-Gravitee-Request-Id", "r-1"),
        ("X-Gravitee-Transaction-Id", "t-1"),
        ("X-Gravitee-Client-Identifier", "shop"),
    ];
    let first = get(&stack, "/m", &sent).await.expect(200, "with identifiers");
    assert_eq!(
        (first.header("x-gravitee-request-id"), first.header("x-gravitee-transaction-id")),
        ("r-1", "t-1")
    );
    let client = first.header("x-gravitee-client-identifier").to_owned();
    assert!(client.ends_with("-shop") && client.len() > 64, "the inferred identifier comes first: {client}");
    let again = get(&stack, "/m", &[("X-Gravitee-Client-Identifier", &client)]).await;
    assert_eq!(again.header("x-gravitee-client-identifier"), client, "sending it back keeps it");
    let query = get(&stack, "/m?X-Gravitee-Client-Identifier=shop", &[]).await;
    assert_eq!(query.header("x-gravitee-client-identifier"), client, "a browser can only use the query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_small_streams_are_served_at_once() {
    let (stack, _) = gateway_with(&api("/m", &all_entrypoints(), &mock("tick", 1000, Some(2)))).await;
    let url = stack.gateways[0].http("/m");
    let clients = futures::stream::iter(0..1000).map(|_| async {
        let mut sse = Sse::open(&url, &[]).await;
        let seen = (sse.message().await, sse.message().await);
        assert_eq!(seen, ("tick".to_owned(), "tick".to_owned()));
        assert!(sse.next().await.is_none(), "the source ends after two");
    });
    clients.buffer_unordered(1000).collect::<Vec<()>>().await;
}
