//! AMQP 1.0 with fe2o3-amqp: durable messages on one link, "confirmed" is the outcome `accepted`.

use super::{Address, Confirmation, Messages, Publish};
use anyhow::Context;
use bytes::Bytes;
use fe2o3_amqp::{
    Connection, Receiver, Sender, Session,
    connection::ConnectionHandle,
    sasl_profile::SaslProfile,
    session::SessionHandle,
    types::{
        messaging::{Body, Data, Header, Message, Source, Target},
        primitives::{Binary, Symbol, Value},
    },
};
use futures::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use tokio::{net::TcpStream, sync::Mutex};

/// A connection with one session.
struct Line {
    _connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
}

impl Line {
    async fn open(address: &Address) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address.socket()).await.context("the broker does not listen")?;
        stream.set_nodelay(true)?;
        let profile = match address.user.clone() {
            Some((username, password)) => SaslProfile::Plain { username, password },
            None => SaslProfile::Anonymous,
        };
        let opening = Connection::builder()
            .container_id(format!("bench-{:016x}", rand::random::<u64>()))
            .sasl_profile(profile)
            .open_with_stream(stream);
        let mut connection = opening.await.context("no AMQP connection")?;
        let session = Session::begin(&mut connection).await.context("no session")?;
        Ok(Self { _connection: connection, session })
    }
}

fn topic() -> Vec<Symbol> {
    vec![Symbol::from("topic")]
}

pub(super) struct Publisher {
    _line: Line,
    sender: Mutex<Sender>,
}

impl Publisher {
    pub(super) async fn connect(address: &Address, destination: &str) -> anyhow::Result<Self> {
        let mut line = Line::open(address).await?;
        let target =
            Target::builder().address(format!("topic://{destination}")).capabilities(topic()).build();
        let attaching = Sender::builder().name("bench").target(target).attach(&mut line.session);
        let sender = Mutex::new(attaching.await.context("no link")?);
        Ok(Self { _line: line, sender })
    }
}

impl Publish for Publisher {
    fn send(&self, body: Bytes) -> BoxFuture<'_, anyhow::Result<Confirmation>> {
        async move {
            let header = Header { durable: true, ..Header::default() };
            let body = Data(Binary::from(body.to_vec()));
            let message: Message<Data> = Message::builder().header(header).data(body.0).build();
            let sent = self.sender.lock().await.send_batchable(message).await;
            let answer = sent.context("the link is closed")?;
            let confirmed = async move {
                let outcome = answer.await.context("the link is closed")?;
                anyhow::ensure!(outcome.is_accepted(), "not accepted");
                Ok(())
            };
            Ok(confirmed.boxed())
        }
        .boxed()
    }
}

pub(super) async fn messages(address: &Address, destination: &str) -> anyhow::Result<Messages> {
    let mut line = Line::open(address).await?;
    let source = Source::builder().address(format!("topic://{destination}")).capabilities(topic()).build();
    let attaching = Receiver::builder().name("bench").source(source).attach(&mut line.session);
    let mut receiver = attaching.await.context("no link")?;
    Ok(Messages::of(|sender| async move {
        let _line = line;
        while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
            if receiver.accept(&delivery).await.is_err() {
                return;
            }
            let body: Vec<u8> = match delivery.into_body() {
                Body::Data(sections) => sections.into_iter().flat_map(|data| data.0.into_vec()).collect(),
                Body::Value(_) | Body::Sequence(_) | Body::Empty => Vec::new(),
            };
            if sender.send(body.into()).await.is_err() {
                return;
            }
        }
    }))
}

pub(super) fn endpoint(address: &Address, destination: &str) -> (&'static str, serde_json::Value) {
    let (username, password) = address.credentials();
    let configuration = json!({ "url": format!("amqp://{}", address.socket()),
        "security": { "auth": { "username": username, "password": password } },
        "consumer": { "enabled": true, "topics": [destination] },
        "producer": { "enabled": true, "topics": [destination] } });
    ("solace", configuration)
}
