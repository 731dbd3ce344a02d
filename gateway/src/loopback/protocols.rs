use super::*;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};

async fn http2(gateway: &Gateway) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
    let tcp = TcpStream::connect(gateway.running.addr).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp));
    let (sender, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    sender
}

/// The next piece that is not empty: the end of a stream may come in an empty one.
async fn frame(response: &mut Response<Incoming>) -> Option<String> {
    loop {
        let frame = timeout(DEADLINE, response.body_mut().frame()).await.expect("nothing came")?;
        let data = frame.unwrap().into_data().unwrap();
        if !data.is_empty() {
            return Some(String::from_utf8(data.to_vec()).unwrap());
        }
    }
}

#[tokio::test]
async fn http_2_serves_streams_and_posts_on_one_connection() {
    let gateway = Gateway::start(&[api("a", messages(Some(2))), api("idle", silence())]).await;
    let mut sender = http2(&gateway).await;
    let get = |path: &str, accept: &str| {
        let uri = format!("http://h{path}");
        Request::get(uri).header("accept", accept).body(Full::default()).unwrap()
    };
    let mut idle = sender.send_request(get("/idle", "text/event-stream")).await.unwrap();
    assert_eq!(idle.headers()["content-type"], "text/event-stream;charset=UTF-8");
    assert!(frame(&mut idle).await.unwrap().starts_with("retry: "));
    let mut events = sender.send_request(get("/a", "text/event-stream")).await.unwrap();
    assert!(frame(&mut events).await.unwrap().starts_with("retry: "));
    assert_eq!(frame(&mut events).await.unwrap(), "id: 0\nevent: message\ndata: {\"a\":1}\n\n");
    assert_eq!(frame(&mut events).await.unwrap(), "id: 1\nevent: message\ndata: {\"a\":1}\n\n");
    assert_eq!(frame(&mut events).await, None);
    let items = sender.send_request(get("/a?limit=1", "application/json")).await.unwrap();
    let body = items.into_body().collect().await.unwrap().to_bytes();
    assert!(body.starts_with(br#"{"items":[{"id":"0""#), "{body:?}");
    let post = Request::post("http://h/a").body(Full::from("x")).unwrap();
    assert_eq!(sender.send_request(post).await.unwrap().status(), StatusCode::ACCEPTED);
    let post = Request::post("http://h/nowhere").body(Full::from("x")).unwrap();
    assert_eq!(sender.send_request(post).await.unwrap().status(), StatusCode::NOT_FOUND);
    gateway.undeploy("idle").await;
    assert!(frame(&mut idle).await.unwrap().contains("event: goaway\n"));
    assert_eq!(frame(&mut idle).await, None);
}

#[tokio::test]
async fn a_shutdown_ends_http_2_connections() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let mut sender = http2(&gateway).await;
    let request =
        Request::get("http://h/a").header("accept", "text/event-stream").body(Full::default()).unwrap();
    let mut events = sender.send_request(request).await.unwrap();
    frame(&mut events).await;
    gateway.shutdown.cancel();
    assert!(frame(&mut events).await.unwrap().contains("event: goaway\n"));
    assert_eq!(frame(&mut events).await, None);
    timeout(DEADLINE, gateway.running.stopped()).await.unwrap();
}

#[tokio::test]
async fn http_1_0_clients_get_the_body_as_it_is_and_the_end_of_the_connection() {
    let gateway = Gateway::start(&[api("a", messages(Some(1)))]).await;
    let answer = gateway.send("GET /a HTTP/1.0\r\naccept: application/json\r\n\r\n").await.rest().await;
    assert_eq!(header(&answer, "transfer-encoding"), None);
    assert_eq!(header(&answer, "connection"), Some("close"));
    let body = r#"{"items":[{"id":"0","content":"{\"a\":1}"}],"pagination":{"nextCursor":"0"}}"#;
    assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
    let events = gateway.send("GET /a HTTP/1.0\r\naccept: text/event-stream\r\n\r\n").await.rest().await;
    assert!(events.ends_with("\n\nid: 0\nevent: message\ndata: {\"a\":1}\n\n"), "{events}");
}
