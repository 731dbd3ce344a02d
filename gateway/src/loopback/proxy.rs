use super::backend::{Backend, Peer};
use super::*;
use std::sync::Arc;
use tokio::sync::Notify;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-backend: 1\r\n\r\nok";

/// A proxy API at `/<id>/`.
pub(super) fn proxy(id: &str, configuration: Value) -> Value {
    let mut api = with_entrypoints(id, json!([{"type": "http-proxy"}]), json!({}));
    api["type"] = json!("proxy");
    api["endpointGroups"][0]["type"] = json!("http-proxy");
    api["endpointGroups"][0]["endpoints"][0]["type"] = json!("http-proxy");
    api["endpointGroups"][0]["endpoints"][0]["configuration"] = configuration;
    api
}

async fn gateway(backend: &Backend) -> Gateway {
    Gateway::start(&[proxy("p", json!({"target": backend.url("/base")}))]).await
}

/// Gateway and backend with settings of the section `http`.
async fn with_http(backend: &Backend, http: Value) -> Gateway {
    Gateway::start(&[proxy("p", json!({"target": backend.url(""), "http": http}))]).await
}

#[tokio::test]
async fn a_request_arrives_as_it_was_sent_and_its_answer_comes_back() {
    let backend = Backend::always(OK).await;
    let gateway = gateway(&backend).await;
    let request = "POST /p/a%20b//c?x=1&x=2 HTTP/1.1\r\nhost: client\r\nx-own: 1\r\nconnection: x-hop, close\r\n\
        x-hop: 1\r\ncontent-length: 4\r\n\r\nbody";
    let answer = gateway.send(request).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert_eq!((header(&answer, "x-backend"), header(&answer, "content-length")), (Some("1"), Some("2")));
    assert!(header(&answer, "x-gravitee-request-id").is_some());
    let head = backend.heads().remove(0);
    assert!(head.starts_with("POST /base/a%20b//c?x=1&x=2 HTTP/1.1\r\n"), "{head}");
    let mut names: Vec<&str> = head.lines().skip(1).filter_map(|line| line.split(": ").next()).collect();
    names.sort_unstable();
    let expected = [
        "",
        "accept-encoding",
        "content-length",
        "host",
        "x-gravitee-request-id",
        "x-gravitee-transaction-id",
        "x-own",
    ];
    assert_eq!(names, expected);
    assert_eq!(header(&head, "host"), Some(backend.address.to_string().as_str()));
}

#[tokio::test]
async fn connections_are_kept_and_their_number_is_limited() {
    let backend = Backend::always(OK).await;
    let gateway = gateway(&backend).await;
    for _ in 0..5 {
        assert!(gateway.answer("/p/x", "").await.ends_with("ok"));
    }
    assert_eq!(backend.connections(), 1);
    let silent = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.closed().await;
    })
    .await;
    let limits = json!({"maxConcurrentConnections": 1, "connectTimeout": 100, "readTimeout": 0});
    let gateway = with_http(&silent, limits).await;
    let first = gateway.get("/p/first", "").await;
    while silent.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(gateway.answer("/p/second", "").await.starts_with("HTTP/1.1 503 "));
    assert_eq!(silent.connections(), 1);
    drop(first);
}

#[tokio::test]
async fn without_keep_alive_every_request_has_its_connection() {
    let backend = Backend::always(OK).await;
    let gateway = with_http(&backend, json!({"keepAlive": false})).await;
    for _ in 0..3 {
        assert!(gateway.answer("/p/x", "").await.ends_with("ok"));
    }
    assert_eq!(backend.connections(), 3);
    assert!(backend.heads().iter().all(|head| header(head, "connection") == Some("close")));
}

#[tokio::test]
async fn a_kept_connection_that_the_backend_closed_is_replaced() {
    let closing = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send(OK).await;
    })
    .await;
    let gateway = gateway(&closing).await;
    for _ in 0..5 {
        let answer = gateway
            .send("POST /p HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
        assert!(answer.rest().await.ends_with("ok"));
    }
    assert_eq!(closing.connections(), 5);
}

#[tokio::test]
async fn every_fault_of_a_backend_has_its_status_and_no_body() {
    async fn check(configuration: Value, status: &str) {
        let gateway = Gateway::start(&[proxy("p", configuration)]).await;
        let answer = gateway.answer("/p/x", "accept: application/json\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        assert!(answer.ends_with("\r\n\r\n") && header(&answer, "content-length") == Some("0"), "{answer}");
    }
    let silent = Backend::scripted(Peer::closed).await;
    check(json!({"target": silent.url(""), "http": {"readTimeout": 100}}), "504").await;
    let closing = Backend::scripted(|mut peer| async move {
        peer.head().await;
    })
    .await;
    check(json!({"target": closing.url("")}), "502").await;
    let nonsense = Backend::always("nonsense\r\n\r\n").await;
    check(json!({"target": nonsense.url("")}), "502").await;
    check(json!({"target": "http://127.0.0.1:1"}), "502").await;
    check(json!({"target": "http://does-not-exist.invalid"}), "502").await;
    let plain = Backend::scripted(|mut peer| async move { peer.send("no TLS here\r\n\r\n").await }).await;
    check(json!({"target": format!("https://{}", plain.address)}), "502").await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_ends_well() {
    for head in ["content-length: 100", "transfer-encoding: chunked"] {
        let backend = Backend::scripted(move |mut peer| async move {
            peer.head().await;
            peer.send(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\nabc\n\r\n")).await;
            peer.until("go").await;
        })
        .await;
        let gateway = gateway(&backend).await;
        let mut client = gateway.send("POST /p/x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n").await;
        assert!(client.until("abc").await.starts_with("HTTP/1.1 200 OK\r\n"));
        client.send("go").await;
        let answer = client.rest().await;
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_falls_silent_is_given_up() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbeg").await;
        peer.closed().await;
    })
    .await;
    let gateway = with_http(&backend, json!({"idleTimeout": 200})).await;
    assert!(gateway.get("/p/x", "").await.rest().await.ends_with("\r\n\r\nbeg"));
}

#[tokio::test]
async fn bodies_stream_both_ways_while_they_are_made() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while let Some(chunk) = peer.until("\r\n").await {
            if chunk == "0\r\n" {
                peer.send("0\r\n\r\n").await;
                break;
            }
            let piece = peer.until("\r\n").await.unwrap();
            peer.send(&format!("{chunk}{piece}")).await;
        }
    })
    .await;
    let gateway = gateway(&backend).await;
    let mut client = gateway.send("POST /p HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n").await;
    client.send("3\r\none\r\n").await;
    client.until("3\r\none\r\n").await;
    client.send("3\r\ntwo\r\n").await;
    assert_eq!(client.until("two\r\n").await, "3\r\ntwo\r\n");
    client.send("0\r\n\r\n").await;
    assert_eq!(client.until("0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_client_that_goes_takes_the_backends_request_along() {
    let gone = Arc::new(Notify::new());
    let told = Arc::clone(&gone);
    let backend = Backend::scripted(move |mut peer| {
        let told = Arc::clone(&told);
        async move {
            let head = peer.head().await.unwrap();
            if head.contains("/body") {
                peer.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nbeg").await;
            }
            peer.closed().await;
            told.notify_one();
        }
    })
    .await;
    let gateway = gateway(&backend).await;
    let client = gateway.get("/p/head", "").await;
    while backend.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(client);
    timeout(DEADLINE, gone.notified()).await.expect("the backend is not told before its answer");
    let mut client = gateway.get("/p/body", "").await;
    client.until("beg").await;
    drop(client);
    timeout(DEADLINE, gone.notified()).await.expect("the backend is not told during its answer");
}

#[tokio::test]
async fn answers_without_a_body_keep_what_they_say_about_it() {
    let head = Backend::always("HTTP/1.1 200 OK\r\ncontent-length: 123\r\netag: \"x\"\r\n\r\n").await;
    let gateway = gateway(&head).await;
    let answer = gateway.send("HEAD /p HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.rest().await;
    assert_eq!((header(&answer, "content-length"), header(&answer, "etag")), (Some("123"), Some("\"x\"")));
    for (answer, status) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 204 "),
        ("HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\n\r\n", "HTTP/1.1 304 "),
        (
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 ",
        ),
    ] {
        let backend = Backend::always(answer).await;
        let gateway = super::proxy::gateway(&backend).await;
        for _ in 0..2 {
            let answer = gateway.answer("/p", "").await;
            assert!(answer.starts_with(status), "{answer}");
        }
        assert_eq!(backend.connections(), 1);
    }
}

#[tokio::test]
async fn trailers_cross_in_both_directions() {
    let backend = Backend::scripted(|mut peer| async move {
        let head = peer.head().await.unwrap();
        assert_eq!((header(&head, "trailer"), header(&head, "te")), (Some("X-Sum"), Some("trailers")), "{head}");
        let body = peer.until("\r\n\r\n").await.unwrap();
        assert!(body.ends_with("0\r\nx-sum: 7\r\n\r\n"), "{body}");
        peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-total\r\n\r\n2\r\nok\r\n0\r\nx-total: 9\r\n\r\n")
            .await;
    })
    .await;
    let gateway = gateway(&backend).await;
    let request = "POST /p HTTP/1.1\r\nhost: h\r\nte: trailers\r\nconnection: te\r\ntrailer: X-Sum\r\n\
        transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 7\r\n\r\n";
    let answer = gateway.send(request).await.until("x-total: 9\r\n\r\n").await;
    assert_eq!(header(&answer, "trailer"), Some("x-total"));
}

#[tokio::test]
async fn a_client_that_expects_to_continue_is_told_to() {
    let backend = Backend::always(OK).await;
    let gateway = gateway(&backend).await;
    let head = "POST /p HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 4\r\nconnection: close\r\n\r\n";
    let mut client = gateway.send(head).await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 100 "));
    client.send("body").await;
    assert!(client.rest().await.ends_with("ok"));
    assert_eq!(header(&backend.heads()[0], "expect"), None);
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_is_complete() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 3\r\n\r\nbig").await;
        peer.closed().await;
    })
    .await;
    let gateway = gateway(&backend).await;
    let mut client =
        gateway.send("POST /p HTTP/1.1\r\nhost: h\r\ncontent-length: 1000000\r\n\r\nbegin").await;
    assert!(client.until("big").await.starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn what_two_servers_could_read_differently_is_not_passed_on() {
    let backend = Backend::always(OK).await;
    let gateway = gateway(&backend).await;
    for lines in [
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, identity",
        "content-length: 1\r\ncontent-length: 2",
        "content-length: +1",
        "content-length: 1, 2",
        "content-length: -1",
        "x-a: b\r\n c: d\r\nbad name: x",
        "transfer-encoding : chunked",
        "content-length: 0x1",
    ] {
        let request = format!("POST /p/x HTTP/1.1\r\nhost: h\r\n{lines}\r\n\r\n0\r\n\r\n");
        let answer = gateway.send(&request).await.rest().await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{lines:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lines:?}: {answer}");
    }
    assert_eq!(backend.heads(), [""; 0]);
}

#[tokio::test]
async fn a_length_beside_chunks_smuggles_nothing() {
    for lines in
        ["content-length: 6\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 6"]
    {
        let backend = Backend::scripted(|mut peer| async move {
            peer.head().await;
            peer.until("0\r\n\r\n").await;
            peer.send(OK).await;
            peer.head().await;
        })
        .await;
        let gateway = gateway(&backend).await;
        let request = format!(
            "POST /p/x HTTP/1.1\r\nhost: h\r\n{lines}\r\n\r\n0\r\n\r\nGET /p/smuggled HTTP/1.1\r\nhost: h\r\n\r\n"
        );
        let answer = gateway.send(&request).await.rest().await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{lines:?}: {answer}");
        let heads = backend.heads();
        assert_eq!(heads.len(), 1, "{lines:?}");
        assert!(
            header(&heads[0], "content-length").is_none() || header(&heads[0], "transfer-encoding").is_none()
        );
    }
}

#[tokio::test]
async fn paths_stay_below_the_target_and_headers_stay_one_line() {
    let backend = Backend::always(OK).await;
    let gateway = gateway(&backend).await;
    for path in
        ["/p/../secret", "/p/%2e%2e/secret", "/p/a/..%2f..%2fsecret", "/p/..;/secret", "/p/..%5csecret"]
    {
        let answer = gateway.answer(path, "").await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
    }
    for line in ["x-a: b\0c", "x-a: b\rc: d", "x\x07a: b"] {
        let answer = gateway.answer("/p/x", &format!("{line}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{line:?}: {answer}");
    }
    assert_eq!(backend.heads(), [""; 0]);
}

#[tokio::test]
async fn events_are_passed_on_one_by_one_and_end_with_the_backend() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let backend = Backend::scripted(move |mut peer| {
        let wait = Arc::clone(&wait);
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await;
            for number in 0..3 {
                peer.send(&format!("data: {number}\n\n")).await;
                wait.notified().await;
            }
        }
    })
    .await;
    let gateway = gateway(&backend).await;
    let mut events = gateway.get("/p/events", "accept: text/event-stream\r\n").await;
    for number in 0..3 {
        events.until(&format!("data: {number}\n\n")).await;
        go.notify_one();
    }
    events.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn event_streams_outlive_a_redeploy_and_not_their_api() {
    let go = Arc::new(Notify::new());
    let wait = Arc::clone(&go);
    let backend = Backend::scripted(move |mut peer| {
        let wait = Arc::clone(&wait);
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n").await;
            wait.notified().await;
            peer.send("data: 2\n\n").await;
            peer.closed().await;
        }
    })
    .await;
    let gateway = gateway(&backend).await;
    let mut events = gateway.get("/p/events", "").await;
    events.until("data: 1\n\n").await;
    gateway.deploy(&[proxy("p", json!({"target": backend.url("/other")}))]).await;
    go.notify_one();
    events.until("data: 2\n\n").await;
    let mut younger = gateway.get("/p/events", "").await;
    younger.until("data: 1\n\n").await;
    gateway.undeploy("p").await;
    for events in [events, younger] {
        assert!(
            !events.rest().await.ends_with("0\r\n\r\n"),
            "a stream that is cut off is no complete answer"
        );
    }
}

#[tokio::test]
async fn codings_are_undone_for_clients_that_did_not_ask_for_them() {
    // `hello` in gzip.
    const GZIP: [u8; 25] =
        [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 72, 205, 201, 201, 7, 0, 134, 166, 16, 54, 5, 0, 0, 0];
    let backend = Backend::scripted(|mut peer| async move {
        while let Some(head) = peer.head().await {
            assert_eq!(header(&head, "accept-encoding"), Some("gzip, deflate"));
            peer.send(
                "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\netag: \"x\"\r\ncontent-length: 25\r\n\r\n",
            )
            .await;
            peer.tcp.write_all(&GZIP).await.unwrap();
        }
    })
    .await;
    let gateway = gateway(&backend).await;
    let answer = gateway.answer("/p", "").await;
    assert_eq!(dechunk(&answer), "hello");
    assert_eq!((header(&answer, "content-encoding"), header(&answer, "etag")), (None, Some("W/\"x\"")));
    let answer = gateway.answer("/p", "accept-encoding: gzip\r\n").await;
    assert_eq!(
        (header(&answer, "content-encoding"), header(&answer, "content-length")),
        (Some("gzip"), Some("25"))
    );
}

#[tokio::test]
async fn redirections_are_followed_when_the_settings_say_so() {
    let backend = Backend::scripted(|mut peer| async move {
        while let Some(head) = peer.head().await {
            match head.split(' ').nth(1).unwrap() {
                "/done" => peer.send(OK).await,
                "/endless" => {
                    peer.send("HTTP/1.1 302 Found\r\nlocation: /endless\r\ncontent-length: 0\r\n\r\n").await
                }
                _ => peer.send("HTTP/1.1 302 Found\r\nlocation: /done\r\ncontent-length: 0\r\n\r\n").await,
            }
        }
    })
    .await;
    let gateway = with_http(&backend, json!({"followRedirects": true})).await;
    assert!(gateway.answer("/p/x", "").await.ends_with("ok"));
    assert!(gateway.answer("/p/endless", "").await.starts_with("HTTP/1.1 302 "));
    assert_eq!(backend.heads().len(), 2 + 17);
    let gateway = with_http(&backend, json!({})).await;
    let answer = gateway.answer("/p/x", "").await;
    assert_eq!((&answer[9..12], header(&answer, "location")), ("302", Some("/done")));
}

#[tokio::test]
async fn a_redeploy_with_equal_settings_keeps_the_connections() {
    let backend = Backend::always(OK).await;
    let api = |name: &str| {
        let mut api =
            proxy("p", json!({"target": backend.url(""), "headers": [{"name": "X-Set", "value": name}]}));
        api["name"] = json!(name);
        api
    };
    let gateway = Gateway::start(&[api("one")]).await;
    gateway.answer("/p", "x-set: client\r\n").await;
    gateway.deploy(&[api("two")]).await;
    gateway.answer("/p", "").await;
    assert_eq!(backend.connections(), 1);
    let set: Vec<_> = backend.heads().iter().map(|head| header(head, "x-set").unwrap().to_owned()).collect();
    assert_eq!(set, ["one", "two"]);
}

#[tokio::test]
async fn unused_connections_are_closed_in_time() {
    let closed = Arc::new(Notify::new());
    let told = Arc::clone(&closed);
    let backend = Backend::scripted(move |mut peer| {
        let told = Arc::clone(&told);
        async move {
            peer.head().await;
            peer.send(OK).await;
            peer.closed().await;
            told.notify_one();
        }
    })
    .await;
    let gateway = with_http(&backend, json!({"keepAliveTimeout": 200})).await;
    gateway.answer("/p", "").await;
    timeout(DEADLINE, closed.notified()).await.expect("the connection is kept for ever");
}
