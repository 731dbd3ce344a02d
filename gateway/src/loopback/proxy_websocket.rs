use super::backend::Backend;
use super::proxy::proxy;
use super::*;
use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Echoes until the client closes. The close code that it saw is the task's result.
async fn echo() -> (String, tokio::task::JoinHandle<Option<u16>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/base", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's type")]
        let shake = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            assert_eq!(request.uri(), "/base/chat?room=1");
            assert_eq!(request.headers()["x-own"], "1");
            response.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(tcp, shake).await.unwrap();
        let mut code = None;
        while let Some(Ok(message)) = socket.next().await {
            match message {
                // The library answers it when it is asked for the next frame.
                Message::Close(close) => code = close.map(|close| close.code.into()),
                Message::Text(_) | Message::Binary(_) => socket.send(message).await.unwrap(),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
        code
    });
    (url, task)
}

async fn open(gateway: &Gateway) -> Result<WebSocketStream<TcpStream>, Error> {
    let tcp = TcpStream::connect(gateway.running.addr).await.unwrap();
    let mut request = "ws://h/p/chat?room=1".into_client_request().unwrap();
    request.headers_mut().insert("x-own", "1".parse().unwrap());
    request.headers_mut().insert("sec-websocket-protocol", "chat".parse().unwrap());
    let (socket, response) = tokio_tungstenite::client_async(request, tcp).await?;
    assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    Ok(socket)
}

async fn next(socket: &mut WebSocketStream<TcpStream>) -> Message {
    timeout(DEADLINE, socket.next()).await.expect("nothing came").expect("closed").unwrap()
}

#[tokio::test]
async fn frames_cross_in_both_directions_until_one_side_closes() {
    let (target, backend) = echo().await;
    let gateway = Gateway::start(&[proxy("p", json!({"target": target}))]).await;
    let mut socket = open(&gateway).await.unwrap();
    for message in [Message::text("text"), Message::binary(vec![7; 300_000]), Message::text("")] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(next(&mut socket).await, message);
    }
    let farewell = CloseFrame { code: CloseCode::Library(4000), reason: "done".into() };
    socket.close(Some(farewell.clone())).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::Close(Some(farewell)));
    assert_eq!(timeout(DEADLINE, backend).await.unwrap().unwrap(), Some(4000));
}

#[tokio::test]
async fn both_sides_are_told_when_the_api_stops() {
    let (target, backend) = echo().await;
    let gateway = Gateway::start(&[proxy("p", json!({"target": target}))]).await;
    let mut socket = open(&gateway).await.unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(next(&mut socket).await, Message::text("hello"));
    gateway.undeploy("p").await;
    let Message::Close(Some(close)) = next(&mut socket).await else { panic!("no close frame") };
    assert_eq!((close.code.into(), close.reason.as_str()), (1013_u16, "Try Again Later"));
    assert_eq!(timeout(DEADLINE, backend).await.unwrap().unwrap(), Some(1001));
}

#[tokio::test]
async fn a_silent_connection_lives_as_long_as_somebody_is_there() {
    let (target, _backend) = echo().await;
    let settings = json!({"target": target, "http": {"idleTimeout": 50}});
    let gateway = Gateway::start(&[proxy("p", settings)]).await;
    let mut socket = open(&gateway).await.unwrap();
    for _ in 0..3 {
        // One per time limit: each was survived. The library answers it.
        while !matches!(next(&mut socket).await, Message::Ping(_)) {}
    }
    socket.send(Message::text("hello")).await.unwrap();
    while next(&mut socket).await != Message::text("hello") {}
}

#[tokio::test]
async fn a_connection_on_which_nobody_answers_is_given_up() {
    let backend = Backend::scripted(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            .await;
        peer.closed().await;
    })
    .await;
    let settings = json!({"target": backend.url(""), "http": {"idleTimeout": 50}});
    let gateway = Gateway::start(&[proxy("p", settings)]).await;
    let handshake = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = gateway.get("/p/x", handshake).await.rest().await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}

#[tokio::test]
async fn a_refused_handshake_has_the_backends_status() {
    let backend = Backend::always("HTTP/1.1 403 Forbidden\r\ncontent-length: 6\r\n\r\nsecret").await;
    let gateway = Gateway::start(&[proxy("p", json!({"target": backend.url("")}))]).await;
    match open(&gateway).await {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 403);
            assert_eq!(response.body().as_deref().unwrap_or_default(), b"");
        }
        other => panic!("{other:?}"),
    }
    let gateway = Gateway::start(&[proxy("p", json!({"target": "http://127.0.0.1:1"}))]).await;
    assert!(matches!(open(&gateway).await, Err(Error::Http(response)) if response.status() == 502));
}
