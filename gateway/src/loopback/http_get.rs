use super::*;

const JSON: &str = "accept: application/json\r\n";

#[tokio::test]
async fn messages_are_collected_in_the_accepted_format() {
    let gateway = Gateway::start(&[api("a", messages(Some(12)))]).await;
    let answer = gateway.answer("/a", JSON).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&dechunk(&answer)).unwrap();
    let items = body["items"].as_array().unwrap();
    let ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap().parse::<u32>().unwrap()).collect();
    assert_eq!(ids, (0..12).collect::<Vec<_>>());
    assert_eq!(items[0], json!({"id": "0", "content": "{\"a\":1}"}));
    assert_eq!(body["pagination"], json!({"nextCursor": "11"}));
    let answer = gateway.answer("/a?limit=2", "").await;
    assert_eq!(header(&answer, "content-type"), Some("text/plain"));
    let items = "items\nitem\nid: 0\ncontent: {\"a\":1}\n\nitem\nid: 1\ncontent: {\"a\":1}\n";
    assert_eq!(dechunk(&answer), format!("{items}\npagination\nnextCursor: 1\nlimit: 2"));
    let answer = gateway.answer("/a?limit=1", "accept: application/xml\r\n").await;
    let item = "<item><id>0</id><content><![CDATA[{\"a\":1}]]></content></item>";
    let pagination = "<pagination><nextCursor>0</nextCursor><limit>1</limit></pagination>";
    assert_eq!(dechunk(&answer), format!("<response><items>{item}</items>{pagination}</response>"));
}

#[tokio::test]
async fn a_cursor_continues_and_a_limit_is_a_number() {
    let gateway = Gateway::start(&[api("a", messages(Some(12)))]).await;
    let answer = gateway.answer("/a/?cursor=5&limit=3", JSON).await;
    let body: Value = serde_json::from_str(&dechunk(&answer)).unwrap();
    assert_eq!(body["items"][0]["id"], "6");
    assert_eq!(body["pagination"], json!({"nextCursor": "8", "limit": "3"}));
    assert_eq!(dechunk(&gateway.answer("/a/?cursor=11", JSON).await), r#"{"items":[]}"#);
    assert_eq!(dechunk(&gateway.answer("/a/?limit=0", JSON).await), r#"{"items":[]}"#);
    for wrong in ["abc", "-1"] {
        let answer = gateway.answer(&format!("/a/?limit={wrong}"), JSON).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("\"http_status_code\":400"), "{answer}");
    }
    let answer = gateway.answer("/a", "accept: text/html\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\nUnsupported accept header: [text/html]"), "{answer}");
}

#[tokio::test]
async fn at_acknowledged_levels_a_poll_without_items_repeats_its_cursor() {
    let entrypoints = json!([{"type": "http-get", "qos": "at-least-once"}]);
    let gateway = Gateway::start(&[with_entrypoints("a", entrypoints, messages(Some(12)))]).await;
    let body = dechunk(&gateway.answer("/a/?cursor=11", JSON).await);
    assert_eq!(body, r#"{"items":[],"pagination":{"nextCursor":"11"}}"#);
}

#[tokio::test]
async fn a_silent_source_is_answered_at_the_deadline() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let begun = std::time::Instant::now();
    let answer = gateway.answer("/a", JSON).await;
    assert_eq!(dechunk(&answer), r#"{"items":[]}"#);
    assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_serves_requests_one_after_the_other_even_pipelined() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    let mut client = gateway.connect().await;
    let request = format!("GET /a HTTP/1.1\r\nhost: h\r\n{JSON}\r\n");
    client.send(&request).await;
    client.until("0\r\n\r\n").await;
    client.send(&request.repeat(3)).await;
    for _ in 0..3 {
        let answer = client.until("0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(header(&answer, "connection"), Some("keep-alive"));
        assert!(dechunk(&answer).ends_with(r#""pagination":{"nextCursor":"0"}}"#), "{answer}");
    }
    client.send("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\n\r\nx").await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
}

#[tokio::test]
async fn a_stop_is_an_error_element_and_a_redeploy_is_the_end_of_the_poll() {
    let slow = |id: &str, interval: u32| {
        let entrypoints =
            json!([{"type": "http-get", "qos": "auto", "configuration": {"messagesLimitDurationMs": -1}}]);
        with_entrypoints(id, entrypoints, json!({"messageInterval": interval, "messageContent": "x"}))
    };
    let gateway = Gateway::start(&[slow("a", 86_400_000), slow("b", 86_400_000)]).await;
    let mut stopped = gateway.get("/a", JSON).await;
    let mut redeployed = gateway.get("/b", JSON).await;
    stopped.until("{\"items\":[\r\n").await;
    redeployed.until("{\"items\":[\r\n").await;
    gateway.undeploy("a").await;
    let tail = stopped.until("0\r\n\r\n").await;
    let error = r#"],"error":{"id":"goaway","content":"Stopping, please reconnect"}}"#;
    assert_eq!(tail, format!("{:x}\r\n{error}\r\n0\r\n\r\n", error.len()));
    for outcome in gateway.deploy(&[slow("b", 1)]).await {
        assert_eq!(outcome.level, Level::Active, "{:?}", outcome.problem);
    }
    assert_eq!(redeployed.until("0\r\n\r\n").await, "2\r\n]}\r\n0\r\n\r\n");
}
