use super::*;

#[tokio::test]
async fn what_nobody_serves_is_not_found_with_identifiers() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let answer = gateway.answer("/b", "accept: application/json\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("text/plain"));
    assert!(answer.ends_with("\r\n\r\nNo context-path matches the request URI."), "{answer}");
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), None);
    let id = header(&answer, "x-gravitee-request-id").unwrap();
    assert_eq!(header(&answer, "x-gravitee-transaction-id"), Some(id));
    let answer = gateway.send("PUT /a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nNo entrypoint matches the incoming request"), "{answer}");
}

#[tokio::test]
async fn identifiers_are_taken_and_given_back() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    let me = "12ca17b49af2289436f303e0166030a21e525d266e209267433801a8fd4071a0";
    let answer = gateway.answer("/a", "x-gravitee-request-id: r\r\nx-gravitee-transaction-id: t\r\n").await;
    assert_eq!(header(&answer, "x-gravitee-request-id"), Some("r"));
    assert_eq!(header(&answer, "x-gravitee-transaction-id"), Some("t"));
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), Some(me));
    let answer = gateway.answer("/a?X-Gravitee-Client-Identifier=tab-1", "").await;
    let effective = format!("{me}-tab-1");
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), Some(effective.as_str()));
    let again = format!("x-gravitee-client-identifier: {effective}\r\n");
    let answer = gateway.answer("/a", &again).await;
    assert_eq!(header(&answer, "x-gravitee-client-identifier"), Some(effective.as_str()));
}

#[tokio::test]
async fn a_request_for_two_hosts_or_none_is_refused() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    for request in [
        "GET /a HTTP/1.1\r\n\r\n",
        "GET /a HTTP/1.1\r\nhost: h\r\nhost: i\r\n\r\n",
        "GET http://other/a HTTP/1.1\r\nhost: h\r\n\r\n",
        "GET /a\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let answer = gateway.send(request).await.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {answer}");
    }
    let absolute = "GET http://H/a HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    assert!(gateway.send(absolute).await.rest().await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let gateway = Gateway::with_connections(&[api("a", silence())], Some(1)).await;
    let mut first = gateway.get("/a", "accept: text/event-stream\r\n").await;
    first.until("retry: ").await;
    let second = gateway.get("/b", "connection: close\r\n").await;
    let mut second = tokio::spawn(second.rest());
    assert!(timeout(Duration::from_millis(300), &mut second).await.is_err(), "the limit does not hold");
    drop(first);
    assert!(timeout(DEADLINE, second).await.unwrap().unwrap().starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_shutdown_closes_idle_connections_and_refuses_new_ones() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let mut idle = gateway.connect().await;
    idle.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx").await;
    idle.until("\r\n\r\n").await;
    let addr = gateway.running.addr;
    gateway.shutdown.cancel();
    assert_eq!(idle.rest().await, "");
    timeout(DEADLINE, gateway.running.stopped()).await.unwrap();
    TcpStream::connect(addr).await.unwrap_err();
}

#[tokio::test]
async fn the_node_api_tells_health_readiness_and_counts() {
    let gateway = Gateway::start(&[api("counted", silence())]).await;
    let ask = async |path: &str| {
        let tcp = TcpStream::connect(gateway.running.node_addr).await.unwrap();
        let mut client = Client { tcp, seen: String::new() };
        client.send(&format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")).await;
        client.rest().await
    };
    assert!(ask("/health").await.starts_with("HTTP/1.1 200 "));
    assert!(ask("/ready").await.starts_with("HTTP/1.1 503 "));
    let mut events = gateway.get("/counted", "accept: text/event-stream\r\n").await;
    events.until("retry: ").await;
    let body = "POST /counted HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 1\r\n\r\nx";
    gateway.send(body).await.rest().await;
    let metrics = ask("/metrics").await;
    for line in [
        r#"tidegate_gateway_requests_total{api="counted",entrypoint="sse",status="200"} 1"#,
        r#"tidegate_gateway_requests_total{api="counted",entrypoint="http-post",status="202"} 1"#,
        r#"tidegate_gateway_messages_total{api="counted",entrypoint="http-post",direction="publish"} 1"#,
        r#"tidegate_gateway_open_streams{api="counted",entrypoint="sse"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in {metrics}");
    }
}
