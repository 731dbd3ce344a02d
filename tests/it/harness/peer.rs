//! The other end of a gateway's sync stream, driven by a test: it sends what management itself would refuse to store, as
//! a newer or a damaged management might.

use super::wait::{SOON, within};
use bytes::Bytes;
use definition::deployment::{API_SCHEMA_VERSION, KIND_API};
use definition::digest::{resource_digest, set_digest};
use proto::sync::v1::gateway_sync_server::{GatewaySync, GatewaySyncServer};
use proto::sync::v1::{
    Batch, BatchKind, Change, Down, EnvironmentPlan, EnvironmentState, Operation, Result as Applied, Up,
    Welcome, down, up,
};
use std::collections::BTreeMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};

const ENVIRONMENT: &str = "DEFAULT/DEFAULT";
const EPOCH: [u8; 16] = [7; 16];
/// Messages that wait in either direction.
const QUEUE_MESSAGES: usize = 16;

/// One session as it came in.
struct Session {
    up: Streaming<Up>,
    down: mpsc::Sender<Result<Down, Status>>,
}

struct Service {
    sessions: mpsc::Sender<Session>,
}

#[tonic::async_trait]
impl GatewaySync for Service {
    type SessionStream = ReceiverStream<Result<Down, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<Up>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (down, messages) = mpsc::channel(QUEUE_MESSAGES);
        let session = Session { up: request.into_inner(), down };
        self.sessions.send(session).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

/// A listening end without a gateway yet.
pub(crate) struct Waiting {
    pub(crate) port: u16,
    sessions: mpsc::Receiver<Session>,
}

/// Listens for one gateway.
pub(crate) async fn listen() -> Waiting {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let (sessions, incoming) = mpsc::channel(1);
    let server =
        tonic::transport::Server::builder().add_service(GatewaySyncServer::new(Service { sessions }));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    Waiting { port, sessions: incoming }
}

/// The end of an open session with an empty gateway.
pub(crate) struct Peer {
    session: Session,
    held: BTreeMap<String, Bytes>,
    nonce: u64,
}

impl Waiting {
    /// Greets the gateway, takes its inventory and tells it that nothing is to be served.
    pub(crate) async fn greet(mut self) -> Peer {
        let session =
            within("the gateway to connect", SOON, self.sessions.recv()).await.expect("the server runs");
        let mut peer = Peer { session, held: BTreeMap::new(), nonce: 0 };
        while !matches!(peer.next().await, up::Message::Hello(_)) {}
        let environment = EnvironmentPlan {
            environment: ENVIRONMENT.to_owned(),
            organization: "DEFAULT".to_owned(),
            state: EnvironmentState::NeedInventory.into(),
            epoch: Bytes::from_static(&EPOCH),
            head: 1,
            expected_count: 0,
            expected_digest: peer.digest(),
        };
        let welcome = Welcome {
            session_id: "session".to_owned(),
            replica_id: "test".to_owned(),
            environments: vec![environment],
            heartbeat_ms: 10_000,
            server_unix_ms: 0,
        };
        peer.send(down::Message::Welcome(welcome)).await;
        while !matches!(peer.next().await, up::Message::Inventory(inventory) if inventory.last) {}
        peer.batch(BatchKind::Reconcile, Vec::new()).await;
        peer
    }
}

impl Peer {
    /// Sends these API bodies by id in one batch. What the gateway says about each of them.
    pub(crate) async fn deploy(&mut self, apis: &[(&str, &[u8])]) -> BTreeMap<String, Applied> {
        let revision = self.nonce + 1;
        let changes = apis.iter().map(|(id, body)| {
            let digest = Bytes::copy_from_slice(&resource_digest(KIND_API, API_SCHEMA_VERSION, body));
            self.held.insert((*id).to_owned(), digest.clone());
            Change {
                kind: KIND_API.to_owned(),
                id: (*id).to_owned(),
                operation: Operation::Upsert.into(),
                resource_revision: revision,
                digest,
                body: Bytes::copy_from_slice(body),
                depends_on: Vec::new(),
                schema_version: API_SCHEMA_VERSION,
                deployment_id: format!("{id}-{revision}"),
            }
        });
        let changes = changes.collect();
        self.batch(BatchKind::Delta, changes).await
    }

    /// Sends a batch and waits for its final answer.
    async fn batch(&mut self, kind: BatchKind, changes: Vec<Change>) -> BTreeMap<String, Applied> {
        self.nonce += 1;
        let batch = Batch {
            environment: ENVIRONMENT.to_owned(),
            epoch: Bytes::from_static(&EPOCH),
            previous_revision: if kind == BatchKind::Delta { self.nonce - 1 } else { 0 },
            revision: self.nonce,
            changes,
            more: false,
            kind: kind.into(),
            digest_after: self.digest(),
            count_after: u32::try_from(self.held.len()).expect("few"),
            committed_unix_ms: 1,
            allow_mass_delete: false,
            removals: 0,
        };
        self.send(down::Message::Batch(batch)).await;
        loop {
            if let up::Message::Report(report) = self.next().await
                && report.nonce == self.nonce
                && report.done
            {
                return report.results.into_iter().map(|result| (result.id.clone(), result)).collect();
            }
        }
    }

    fn digest(&self) -> Bytes {
        let held = self.held.iter().map(|(id, digest)| (KIND_API, id.as_str(), &digest[..]));
        Bytes::copy_from_slice(&set_digest(held))
    }

    async fn send(&self, message: down::Message) {
        let down = Down { nonce: self.nonce, message: Some(message) };
        self.session.down.send(Ok(down)).await.expect("the gateway keeps its session");
    }

    async fn next(&mut self) -> up::Message {
        let message = within("a message of the gateway", SOON, self.session.up.message()).await;
        let up = message.expect("the session is sound").expect("the gateway keeps its session");
        up.message.expect("every message says what it is")
    }
}
