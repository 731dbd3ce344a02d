use super::*;

const EVENTS: &str = "accept: text/event-stream\r\n";

/// Every event of a stream that has ended, one string each.
fn events(response: &str) -> Vec<String> {
    dechunk(response).split_terminator("\n\n").map(str::to_owned).collect()
}

fn assert_retry(event: &str, range: std::ops::Range<u32>) {
    let pause: u32 = event.strip_prefix("retry: ").unwrap().parse().unwrap();
    assert!(range.contains(&pause), "{pause}");
}

#[tokio::test]
async fn a_stream_opens_with_retry_and_ends_with_its_source() {
    let gateway = Gateway::start(&[api("a", messages(Some(3)))]).await;
    let answer = gateway.answer("/a", EVENTS).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-type"), Some("text/event-stream;charset=UTF-8"));
    assert_eq!(header(&answer, "cache-control"), Some("no-cache"));
    assert_eq!(header(&answer, "transfer-encoding"), Some("chunked"));
    let events = events(&answer);
    assert_retry(&events[0], 1000..30_000);
    let expected: Vec<_> = (0..3).map(|id| format!("id: {id}\nevent: message\ndata: {{\"a\":1}}")).collect();
    assert_eq!(events[1..], expected);
}

#[tokio::test]
async fn the_accept_header_must_name_the_type() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    for accept in ["text/html, text/event-stream;q=0.5", "text/event-stream"] {
        let answer = gateway.answer("/a", &format!("accept: {accept}\r\n")).await;
        assert_eq!(header(&answer, "content-type"), Some("text/event-stream;charset=UTF-8"), "{accept}");
    }
    for accept in ["*/*", "text/plain", "text/event-stream;q=0, */*"] {
        let answer = gateway.answer("/a", &format!("accept: {accept}\r\n")).await;
        assert_ne!(header(&answer, "content-type"), Some("text/event-stream;charset=UTF-8"), "{accept}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_continues_after_its_last_event() {
    let entrypoints = json!([{"type": "sse", "qos": "at-least-once"}]);
    let gateway = Gateway::start(&[with_entrypoints("a", entrypoints, messages(Some(3)))]).await;
    let answer = gateway.answer("/a", &format!("{EVENTS}last-event-id: 1\r\n")).await;
    assert_eq!(events(&answer)[1..], ["id: 2\nevent: message\ndata: {\"a\":1}"]);
}

#[tokio::test]
async fn an_idle_stream_has_heartbeats() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let mut client = gateway.get("/a", EVENTS).await;
    client.until("retry: ").await;
    let begun = std::time::Instant::now();
    client.until("\r\n3\r\n:\n\n\r\n").await;
    client.until("3\r\n:\n\n\r\n").await;
    let elapsed = begun.elapsed();
    assert!(elapsed > Duration::from_millis(3500) && elapsed < Duration::from_secs(8), "{elapsed:?}");
}

#[tokio::test]
async fn a_stop_and_a_redeploy_say_goodbye_and_nobody_else_notices() {
    let gateway = Gateway::start(&[api("a", silence()), api("b", silence()), api("c", silence())]).await;
    let close = format!("{EVENTS}connection: close\r\n");
    let mut stopped = gateway.get("/a", &close).await;
    let mut redeployed = gateway.get("/b", &close).await;
    let mut untouched = gateway.get("/c", &close).await;
    for client in [&mut stopped, &mut redeployed, &mut untouched] {
        client.until("retry: ").await;
        client.until("\n\n\r\n").await;
    }
    gateway.undeploy("a").await;
    gateway.deploy(&[api("b", messages(None)), api("c", silence())]).await;
    for client in [stopped, redeployed] {
        let farewell = client.rest().await;
        let body = dechunk(&format!("\r\n\r\n{farewell}"));
        let (retry, goaway) = body.split_once("\n\n").unwrap();
        assert_retry(retry, 1000..5001);
        assert_eq!(goaway, "event: goaway\ndata: Stopping, please reconnect\n\n");
    }
    // The same content was deployed again: the stream goes on until the node says goodbye.
    assert_eq!(untouched.until("\r\n").await, "3\r\n");
    gateway.shutdown.cancel();
    let farewell = untouched.rest().await;
    assert!(farewell.contains("event: goaway\n"), "{farewell}");
    timeout(DEADLINE, gateway.running.stopped()).await.unwrap();
}
