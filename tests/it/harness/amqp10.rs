//! The world's own AMQP 1.0 client beside the product: plain sending and reading.

use super::artemis::APP;
use super::wait::{SOON, within};
use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::link::delivery::Delivery;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{
    Body, Data, Header, Message, Source, Target, TerminusDurability, TerminusExpiryPolicy,
};
use fe2o3_amqp::types::primitives::{Binary, Symbol, Value};
use fe2o3_amqp::{Connection, Receiver, Sender, Session};
use std::net::SocketAddr;
use tokio::net::TcpStream;

async fn connect(broker: SocketAddr, container: &str) -> (ConnectionHandle<()>, SessionHandle<()>) {
    let stream = TcpStream::connect(broker).await.expect("the broker listens");
    let (username, password) = (APP.0.to_owned(), APP.1.to_owned());
    let opening = Connection::builder()
        .container_id(container)
        .sasl_profile(SaslProfile::Plain { username, password })
        .open_with_stream(stream);
    let mut connection =
        within("AMQP to open", SOON, opening).await.expect("the broker accepts the connection");
    let session = Session::begin(&mut connection).await.expect("the broker begins a session");
    (connection, session)
}

/// A durable message.
fn message(content: &str) -> Message<Data> {
    let header = Header { durable: true, ..Header::default() };
    Message::builder().header(header).data(Binary::from(content.as_bytes().to_vec())).build()
}

/// Sends durable messages to a topic, each accepted before the next.
pub(crate) async fn send<P: AsRef<str>>(
    broker: SocketAddr,
    topic: &str,
    payloads: impl IntoIterator<Item = P>,
) {
    let messages: Vec<_> = payloads.into_iter().map(|payload| message(payload.as_ref())).collect();
    send_all(broker, topic, messages).await;
}

/// The same with messages as they are.
pub(crate) async fn send_all(
    broker: SocketAddr,
    topic: &str,
    messages: impl IntoIterator<Item = Message<Data>>,
) {
    let (mut connection, mut session) = connect(broker, "world").await;
    let capabilities = vec![Symbol::from("topic")];
    let target = Target::builder().address(format!("topic://{topic}")).capabilities(capabilities).build();
    let mut sender = Sender::builder()
        .name("world-sends")
        .target(target)
        .attach(&mut session)
        .await
        .expect("the broker takes a sender");
    for message in messages {
        let sent = within("the broker's outcome", SOON, sender.send(message)).await;
        assert!(sent.expect("the link lives").is_accepted(), "the broker accepts the message");
    }
    drop(sender.close().await);
    drop(connection.close().await);
}

/// Reads a topic.
pub(crate) struct Reader {
    receiver: Receiver,
    connection: ConnectionHandle<()>,
    _session: SessionHandle<()>,
}

impl Reader {
    /// From now on, as long as it lives.
    pub(crate) async fn open(broker: SocketAddr, topic: &str) -> Reader {
        Reader::attach(broker, "world", "world-reads", Source::builder(), topic).await
    }

    /// With a subscription that the broker keeps.
    pub(crate) async fn durable(broker: SocketAddr, name: &str, topic: &str) -> Reader {
        let source = Source::builder()
            .durable(TerminusDurability::UnsettledState)
            .expiry_policy(TerminusExpiryPolicy::Never);
        Reader::attach(broker, name, "kept", source, topic).await
    }

    async fn attach(
        broker: SocketAddr,
        container: &str,
        name: &str,
        source: fe2o3_amqp::types::messaging::SourceBuilder,
        topic: &str,
    ) -> Reader {
        let (connection, mut session) = connect(broker, container).await;
        let source = source.address(format!("topic://{topic}")).capabilities(vec![Symbol::from("topic")]);
        let attaching = Receiver::builder().name(name).source(source.build()).attach(&mut session);
        let receiver = within("a link", SOON, attaching).await.expect("the broker takes a reader");
        Reader { receiver, connection, _session: session }
    }

    /// The next message, accepted.
    pub(crate) async fn next(&mut self) -> Message<Body<Value>> {
        let received = within("a message over AMQP", SOON, self.receiver.recv::<Body<Value>>()).await;
        let delivery: Delivery<Body<Value>> = received.expect("the link lives");
        self.receiver.accept(&delivery).await.expect("the link lives");
        delivery.into_message()
    }

    /// The content of the next message.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await.body {
            Body::Data(sections) => {
                let bytes: Vec<u8> = sections.into_iter().flat_map(|data| data.0.into_vec()).collect();
                String::from_utf8(bytes).expect("content is text")
            }
            other @ (Body::Value(_) | Body::Sequence(_) | Body::Empty) => panic!("data was due: {other:?}"),
        }
    }

    /// Ends the link so that the broker keeps the subscription.
    pub(crate) async fn leave(self) {
        let Reader { receiver, mut connection, _session } = self;
        receiver.detach().await.map_err(|(_, error)| error).expect("the broker detaches the link");
        drop(connection.close().await);
    }
}
