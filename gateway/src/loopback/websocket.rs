use super::*;
use futures::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

type Socket = WebSocketStream<TcpStream>;

async fn open(gateway: &Gateway, path: &str) -> Result<Socket, Error> {
    let tcp = TcpStream::connect(gateway.running.addr).await.unwrap();
    let opened = tokio_tungstenite::client_async(format!("ws://h{path}"), tcp).await?;
    let names: Vec<_> = opened.1.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["upgrade", "connection", "sec-websocket-accept", "date"]);
    Ok(opened.0)
}

async fn next(socket: &mut Socket) -> Message {
    timeout(DEADLINE, socket.next()).await.expect("nothing came").expect("closed").unwrap()
}

/// Skips messages until the close frame.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        if let Message::Close(Some(CloseFrame { code, reason })) = next(socket).await {
            return (code.into(), reason.to_string());
        }
    }
}

fn socket_api(id: &str, configuration: Value, mock: Value) -> Value {
    with_entrypoints(id, json!([{"type": "websocket", "qos": "auto", "configuration": configuration}]), mock)
}

#[tokio::test]
async fn messages_are_binary_frames_and_frames_are_messages() {
    let gateway = Gateway::start(&[api("a", messages(Some(3)))]).await;
    let mut socket = open(&gateway, "/a").await.unwrap();
    for _ in 0..3 {
        assert_eq!(next(&mut socket).await, Message::binary(&b"{\"a\":1}"[..]));
    }
    // The source has ended; the connection stays for what the client publishes.
    for frame in [Message::text("text"), Message::binary(vec![0; 65_000])] {
        socket.send(frame).await.unwrap();
    }
    socket.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Pong("p".into()));
    let farewell = CloseFrame { code: CloseCode::Library(4000), reason: "done".into() };
    socket.close(Some(farewell.clone())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Close(Some(farewell)));
}

#[tokio::test]
async fn each_direction_can_be_off() {
    let off = json!({"enabled": false});
    let gateway = Gateway::start(&[
        socket_api("receive", json!({"publisher": off}), messages(Some(2))),
        socket_api("send", json!({"subscriber": off}), messages(None)),
        socket_api("none", json!({"subscriber": off, "publisher": off}), messages(None)),
    ])
    .await;
    let mut receive = open(&gateway, "/receive").await.unwrap();
    receive.send(Message::text("nobody reads this")).await.unwrap();
    assert!(next(&mut receive).await.is_binary());
    assert!(next(&mut receive).await.is_binary());
    assert_eq!(closed(&mut receive).await, (1000, "Bye".to_owned()));
    let mut send = open(&gateway, "/send").await.unwrap();
    send.send(Message::text("x")).await.unwrap();
    send.send(Message::Ping("p".into())).await.unwrap();
    assert_eq!(next(&mut send).await, Message::Pong("p".into()));
    let mut none = open(&gateway, "/none").await.unwrap();
    assert_eq!(closed(&mut none).await, (1000, "Bye".to_owned()));
}

#[tokio::test]
async fn each_end_has_its_code() {
    let gateway = Gateway::start(&[api("a", silence()), api("b", silence()), api("c", messages(None))]).await;
    let mut sockets = Vec::new();
    for path in ["/a", "/b", "/c"] {
        sockets.push(open(&gateway, path).await.unwrap());
    }
    gateway.undeploy("a").await;
    assert_eq!(closed(&mut sockets[0]).await, (1013, "Try Again Later".to_owned()));
    gateway.deploy(&[api("b", messages(None))]).await;
    assert_eq!(closed(&mut sockets[1]).await, (1012, "Service Restart".to_owned()));
    gateway.shutdown.cancel();
    assert_eq!(closed(&mut sockets[2]).await, (1001, "Endpoint unavailable".to_owned()));
    drop(sockets);
    timeout(DEADLINE, gateway.running.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection() {
    let gateway = Gateway::start(&[api("a", silence())]).await;
    let mut socket = open(&gateway, "/a").await.unwrap();
    socket.send(Message::binary(vec![0; 65_537])).await.unwrap();
    assert_eq!(closed(&mut socket).await, (1009, "Message too big".to_owned()));
}

#[tokio::test]
async fn a_handshake_can_be_refused() {
    let gateway = Gateway::start(&[
        api("a", silence()),
        with_entrypoints("none", json!([{"type": "websocket", "qos": "at-least-once"}]), silence()),
    ])
    .await;
    let upgrade = "connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n";
    let answer = gateway.get("/a", upgrade).await.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert_eq!(header(&answer, "content-length"), Some("0"));
    let old = format!("{upgrade}sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 8\r\n");
    let answer = gateway.get("/a", &old).await.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    for (path, status) in [("/none", 400), ("/nowhere", 404)] {
        match open(&gateway, path).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), status),
            other => panic!("{other:?}"),
        }
    }
}
