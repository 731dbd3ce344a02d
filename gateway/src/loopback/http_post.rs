use super::*;
use definition::limits::MESSAGE_BODY_MAX_BYTES;

#[tokio::test]
async fn a_body_is_accepted_and_an_empty_one_too() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let mut client = gateway.connect().await;
    for body in ["{\"a\":1}", ""] {
        let length = body.len();
        client.send(&format!("POST /a HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        let answer = client.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
        assert_eq!(header(&answer, "content-length"), Some("0"));
    }
    let chunked =
        "POST /a HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n0\r\n\r\n";
    client.send(chunked).await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
    let expecting = "POST /a HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n";
    client.send(expecting).await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 100 Continue\r\n"));
    client.send("x").await;
    assert!(client.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let head = "POST /a HTTP/1.1\r\nhost: h\r\n";
    let announced = format!("{head}content-length: {}\r\n\r\n", MESSAGE_BODY_MAX_BYTES + 1);
    let answer = gateway.send(&announced).await.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    let mut client = gateway.send(&format!("{head}transfer-encoding: chunked\r\n\r\n")).await;
    let chunk = format!("{:x}\r\n{}\r\n", MESSAGE_BODY_MAX_BYTES, "x".repeat(MESSAGE_BODY_MAX_BYTES));
    client.send(&chunk).await;
    client.send("1\r\nx\r\n").await;
    let answer = client.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    let body = "x".repeat(MESSAGE_BODY_MAX_BYTES);
    let whole = format!("{head}content-length: {MESSAGE_BODY_MAX_BYTES}\r\n\r\n{body}");
    assert!(gateway.send(&whole).await.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
}

#[tokio::test]
async fn a_stop_ends_the_wait_for_a_body_and_a_redeploy_does_not() {
    let gateway = Gateway::start(&[api("a", silence()), api("b", silence())]).await;
    let waiting = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\n")
    };
    let mut stopped = gateway.send(&waiting("/a")).await;
    let mut redeployed = gateway.send(&waiting("/b")).await;
    // The body is asked for when the entrypoint begins to read it.
    stopped.until("\r\n\r\n").await;
    redeployed.until("\r\n\r\n").await;
    gateway.undeploy("a").await;
    let answer = stopped.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{answer}");
    assert_eq!(header(&answer, "connection"), Some("close"));
    assert!(answer.ends_with("\r\n\r\nStopping, please reconnect"), "{answer}");
    gateway.deploy(&[api("b", messages(None))]).await;
    redeployed.send("x").await;
    assert!(redeployed.until("\r\n\r\n").await.starts_with("HTTP/1.1 202 Accepted\r\n"));
}
