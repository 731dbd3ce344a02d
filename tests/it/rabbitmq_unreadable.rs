//! A message with a name that is not UTF-8 in a queue of RabbitMQ: the client library cannot read it and loses the connection.

use crate::harness::amqp::Amqp;
use crate::harness::definitions::api;
use crate::harness::rabbitmq::Broker;
use crate::harness::services::unique;
use crate::harness::stack::{Stack, Store};
use crate::harness::streams::{CLIENT, Sse};
use crate::harness::wait::{SOON, until, within};
use crate::rabbitmq::{rabbitmq, settings};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is written, and what the broker gets of it.
const NAME: &[u8] = b"x-unreadable";
const BYTES: &[u8] = b"x-\xffnreadable";

/// A port before the broker where `NAME` becomes `BYTES`, for one connection: no client can be made to send those.
async fn spoiler(broker: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on loopback");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.expect("a client");
        let (from_client, to_client) = client.into_split();
        let (from_broker, to_broker) =
            TcpStream::connect(broker).await.expect("the broker listens").into_split();
        tokio::join!(pass_on(from_client, to_broker), pass_on(from_broker, to_client));
    });
    port
}

/// The test's client sends a frame with one write, which is read at once on loopback.
async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if let Some(at) = bytes[..count].windows(NAME.len()).position(|window| window == NAME) {
            bytes[at..at + NAME.len()].copy_from_slice(BYTES);
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_to_the_reader_of_its_queue_and_the_others_go_on() {
    let broker = Broker::shared().await;
    let stack = Stack::start(Store::Sqlite, 1).await;
    let mut paths = Vec::new();
    for name in ["bad", "good"] {
        let (path, exchange) = (format!("/{name}"), unique(name));
        let sse = json!([{ "type": "sse", "qos": "auto" }]);
        stack.serve(&path, &api(&path, &sse, &rabbitmq(settings(broker.port, &exchange)))).await;
        paths.push((stack.gateways[0].http(&path), exchange));
    }
    let [(bad, bad_exchange), (good, good_exchange)] = &paths[..] else { unreachable!("two paths") };
    let client = [(CLIENT, "me")];
    let mut suffering = Sse::open(bad, &client).await;
    let mut other = Sse::open(good, &client).await;
    let honest = Amqp::connect(broker.port, "/").await;
    honest.produce(bad_exchange, "orders.new", &["before"]).await;
    assert_eq!(suffering.message().await, "before");

    let mut headers = FieldTable::default();
    headers.insert(String::from_utf8_lossy(NAME).as_ref().into(), AMQPValue::Boolean(true));
    let properties = BasicProperties::default().with_headers(headers);
    let spoiled = Amqp::connect(spoiler(broker.address()).await, "/").await;
    spoiled.produce_with(bad_exchange, "orders.new", &["spoiled"], properties).await;
    let event = within("the word about the message", SOON, suffering.whenever()).await;
    let event = event.expect("the reader is told before the end");
    assert_eq!(event.event, "error");
    assert!(event.data.contains("cannot be read") && event.data.contains("UTF-8"), "{}", event.data);

    honest.produce(good_exchange, "orders.new", &["for the other"]).await;
    assert_eq!(other.message().await, "for the other", "it was on the same connection");
    // Coming back costs nobody else the connection.
    let again = within("a second answer", SOON, Sse::try_open(bad, &client)).await;
    if let Ok(mut again) = again {
        let event = within("the word about the message", SOON, again.whenever()).await;
        assert!(event.is_some_and(|event| event.data.contains("cannot be read")));
    }
    honest.produce(good_exchange, "orders.new", &["and another"]).await;
    assert_eq!(other.message().await, "and another");

    // With the message out of the way the queue is read again.
    let queue = broker.queues_of(bad_exchange).await.remove(0).name;
    until("the queue to be without readers", SOON, async || {
        (broker.queues_of(bad_exchange).await[0].consumers == 0).then_some(())
    })
    .await;
    broker.control(&["purge_queue", &queue]).await;
    let mut healed = Sse::open(bad, &client).await;
    honest.produce(bad_exchange, "orders.new", &["after"]).await;
    assert_eq!(healed.message().await, "after");
}
