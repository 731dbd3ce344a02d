//! Backends and clients that break off, stall or say what nobody asked for.

use super::backend::Backend;
use super::proxy::proxy;
use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn gateway(backend: &Backend, http: Value) -> Gateway {
    Gateway::start(&[proxy("p", json!({"target": backend.url(""), "http": http}))]).await
}

#[tokio::test]
async fn a_client_that_stalls_in_its_body_is_told_so() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.closed().await;
    })
    .await;
    let gateway = gateway(&backend, json!({"readTimeout": 100})).await;
    for line in ["content-length: 9\r\n\r\nbeg", "transfer-encoding: chunked\r\n\r\n3\r\nbeg\r\n"] {
        let client = gateway.send(&format!("POST /p/x HTTP/1.1\r\nhost: h\r\n{line}")).await;
        let answer = client.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(header(&answer, "connection"), Some("close"));
    }
    let complete = "POST /p/x HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbeg";
    let answer = gateway.send(complete).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "it is the backend that does not answer: {answer}");
}

#[tokio::test]
async fn nobody_is_switched_to_a_protocol_that_nobody_asked_for() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: own\r\n\r\nown").await;
        peer.closed().await;
    })
    .await;
    let gateway = gateway(&backend, json!({})).await;
    for _ in 0..2 {
        let answer = gateway.answer("/p/x", "").await;
        assert!(answer.starts_with("HTTP/1.1 502 ") && !answer.contains("own"), "{answer}");
    }
    assert_eq!(backend.connections(), 2, "a connection that left HTTP is not used again");
}

/// Answers once, and treats the second request of its first connection as `script` says.
async fn second_request(reads_it: bool) -> Backend {
    let first = Arc::new(AtomicBool::new(true));
    Backend::scripted(move |mut peer| {
        let first = Arc::clone(&first);
        async move {
            let is_first = first.swap(false, Ordering::SeqCst);
            while let Some(head) = peer.head().await {
                let length = if head.contains("content-length: 4") { 4 } else { 0 };
                peer.bytes(length).await;
                peer.send(OK).await;
                if is_first {
                    peer.tcp.readable().await.unwrap();
                    if reads_it {
                        peer.head().await;
                        peer.bytes(4).await;
                    }
                    return;
                }
            }
        }
    })
    .await
}

const POST: &str = "POST /p/x HTTP/1.1\r\nhost: h\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody";

#[tokio::test]
async fn what_no_backend_read_is_sent_again() {
    let backend = second_request(false).await;
    let api = buffered(proxy("p", json!({"target": backend.url("")})));
    let gateway = Gateway::start(&[api]).await;
    assert!(gateway.answer("/p/x", "").await.ends_with("ok"));
    let answer = gateway.send(POST).await.rest().await;
    assert!(answer.ends_with("ok"), "{answer}");
    assert_eq!((backend.connections(), backend.heads().len()), (2, 2));
}

#[tokio::test]
async fn what_a_backend_may_have_acted_on_is_sent_again_only_when_that_does_no_harm() {
    for (request, status, seen) in [(POST.to_owned(), "502", 2), (POST.replace("POST", "PUT"), "200", 3)] {
        let backend = second_request(true).await;
        let api = buffered(proxy("p", json!({"target": backend.url("")})));
        let gateway = Gateway::start(&[api]).await;
        assert!(gateway.answer("/p/x", "").await.ends_with("ok"));
        let answer = gateway.send(&request).await.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert_eq!(backend.heads().len(), seen, "{request}");
    }
}

/// With a policy that reads the body of requests, so that they can be sent again.
fn buffered(mut api: Value) -> Value {
    api["flows"] = json!([{"enabled": true, "request": [{"name": "b", "enabled": true,
        "policy": "policy-assign-attributes", "configuration":
        {"attributes": [{"name": "b", "value": "{#request.content}"}]}}]}]);
    api
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_cut_off_for_the_client() {
    // `hello` in gzip, as far as its last bytes.
    const GZIP: [u8; 15] = [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201];
    for head in [
        "content-length: 100",
        "transfer-encoding: chunked",
        "content-type: text/event-stream",
        "content-length: 25\r\ncontent-encoding: gzip",
        "content-encoding: gzip\r\nx-until-close: 1",
    ] {
        let backend = Backend::scripted(move |mut peer| async move {
            peer.head().await;
            peer.send(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n")).await;
            match head {
                head if head.contains("gzip") => peer.tcp.write_all(&GZIP).await.unwrap(),
                head if head.contains("chunked") => peer.send("4\r\nbeg\n\r\n").await,
                _ => peer.send("beg\n").await,
            }
            peer.until("go").await;
            // Gone without a word, as a process that is killed with its machine's help.
            peer.tcp.set_zero_linger().unwrap();
        })
        .await;
        let gateway = gateway(&backend, json!({})).await;
        let mut client = gateway.send("POST /p/x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n").await;
        client.until("\r\n\r\n").await;
        client.send("go").await;
        let rest = client.rest().await;
        assert!(!rest.ends_with("0\r\n\r\n"), "{head}: {rest}");
    }
}

#[tokio::test]
async fn silence_ends_answers_and_no_event_stream() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let backend = Backend::scripted(move |mut peer| {
        let wait = Arc::clone(&wait);
        async move {
            if peer.head().await.unwrap().contains("/events") {
                peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n").await;
                wait.notified().await;
                peer.send("data: 2\n\n").await;
            } else {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbeg").await;
            }
            peer.closed().await;
        }
    })
    .await;
    let gateway = gateway(&backend, json!({"idleTimeout": 100})).await;
    let mut events = gateway.get("/p/events", "").await;
    events.until("data: 1\n\n").await;
    // Begins later and is cut off: the time is over for the events as well.
    assert!(gateway.get("/p/other", "").await.rest().await.ends_with("beg"));
    go.notify_one();
    events.until("data: 2\n\n").await;
}
