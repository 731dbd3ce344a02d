//! A gateway's side of the wire, message by message.

use super::{PATIENCE, Plane, TOKEN};
use definition::digest::{resource_digest, set_digest};
use pretty_assertions::assert_eq;
use proto::sync::v1::gateway_sync_client::GatewaySyncClient;
use proto::sync::v1::{
    ApplyReport, Batch, Capability, Down, Held, Hello, Inventory, Level, Operation, Problem, Refuse,
    ResumePoint, Up, Welcome, down, up,
};
use std::collections::BTreeMap;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

pub(super) const ENVIRONMENT: &str = "DEFAULT/DEFAULT";

pub(super) struct Probe {
    up: mpsc::Sender<Up>,
    down: Streaming<Down>,
    pub(super) welcome: Welcome,
    /// Id to digest of everything it was sent.
    pub(super) held: BTreeMap<String, Vec<u8>>,
    pub(super) epoch: Vec<u8>,
    pub(super) revision: u64,
}

pub(super) fn hello(node: &str) -> Hello {
    Hello {
        proto_major: 1,
        build: "test".to_owned(),
        node_id: node.to_owned(),
        process_id: format!("process of {node}"),
        incarnation: 1,
        capabilities: vec![Capability {
            kind: "api".to_owned(),
            schema_version_min: 1,
            schema_version_max: 1,
        }],
        ..Hello::default()
    }
}

async fn open(
    plane: &Plane,
    token: Option<&str>,
    hello: Hello,
) -> Result<(mpsc::Sender<Up>, Streaming<Down>), Status> {
    let mut client = GatewaySyncClient::connect(format!("http://{}", plane.server.address)).await.unwrap();
    let (sender, messages) = mpsc::channel(16);
    sender.send(Up { seq: 1, message: Some(up::Message::Hello(hello)) }).await.unwrap();
    let mut request = Request::new(ReceiverStream::new(messages));
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    Ok((sender, client.session(request).await?.into_inner()))
}

/// How the server answers a connection with another token.
pub(super) async fn status_with_token(plane: &Plane, token: Option<&str>) -> Status {
    open(plane, token, hello("n")).await.expect_err("the server must not accept this token")
}

/// The refusal of a greeting.
pub(super) async fn refusal(plane: &Plane, hello: Hello) -> Refuse {
    let (_up, mut down) = open(plane, Some(TOKEN), hello).await.unwrap();
    match next(&mut down).await {
        Some(down::Message::Refuse(refuse)) => refuse,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

async fn next(down: &mut Streaming<Down>) -> Option<down::Message> {
    let message = tokio::time::timeout(PATIENCE, down.message()).await.expect("the server is silent");
    message.unwrap().and_then(|down| down.message)
}

impl Probe {
    /// Connects with a greeting and reads the welcome.
    pub(super) async fn connect(plane: &Plane, hello: Hello) -> Probe {
        let (up, mut down) = open(plane, Some(TOKEN), hello).await.unwrap();
        let welcome = match next(&mut down).await {
            Some(down::Message::Welcome(welcome)) => welcome,
            other => panic!("expected a welcome, got {other:?}"),
        };
        let (held, epoch, revision) = (BTreeMap::new(), Vec::new(), 0);
        Probe { up, down, welcome, held, epoch, revision }
    }

    /// Connects holding nothing and takes everything.
    pub(super) async fn converged(plane: &Plane, hello: Hello) -> Probe {
        let mut probe = Probe::connect(plane, hello).await;
        probe.send_inventory().await;
        while probe.take_batch().await.more {}
        probe
    }

    /// Connects again with what this probe holds, which keeps its holdings.
    pub(super) async fn reconnected(self, plane: &Plane, mut hello: Hello) -> Probe {
        hello.resume = vec![self.resume()];
        let Probe { held, epoch, revision, .. } = self;
        Probe { held, epoch, revision, ..Probe::connect(plane, hello).await }
    }

    pub(super) fn resume(&self) -> ResumePoint {
        ResumePoint {
            environment: ENVIRONMENT.to_owned(),
            epoch: self.epoch.clone().into(),
            revision: self.revision,
            held_digest: self.digest().to_vec().into(),
            count: u32::try_from(self.held.len()).unwrap(),
        }
    }

    fn digest(&self) -> [u8; 32] {
        set_digest(self.held.iter().map(|(id, digest)| ("api", id.as_str(), &digest[..])))
    }

    async fn send(&self, message: up::Message) {
        self.up.send(Up { seq: 0, message: Some(message) }).await.unwrap();
    }

    pub(super) async fn send_inventory(&self) {
        let held = self.held.iter().map(|(id, digest)| Held {
            kind: "api".to_owned(),
            id: id.clone(),
            resource_revision: 0,
            digest: digest.clone().into(),
        });
        let inventory = Inventory { environment: ENVIRONMENT.to_owned(), held: held.collect(), last: true };
        self.send(up::Message::Inventory(inventory)).await;
    }

    pub(super) async fn drain(self) {
        self.send(up::Message::Drain(proto::sync::v1::Drain::default())).await;
        let mut down = self.down;
        while next(&mut down).await.is_some() {}
    }

    /// The next message that is not a sign of life.
    pub(super) async fn next(&mut self) -> Option<down::Message> {
        loop {
            match next(&mut self.down).await {
                Some(down::Message::Head(_)) => {}
                other => return other,
            }
        }
    }

    /// The code with which the server ends the stream.
    pub(super) async fn ended(&mut self) -> tonic::Code {
        loop {
            match self.down.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return tonic::Code::Ok,
                Err(status) => return status.code(),
            }
        }
    }

    /// The next batch, without answering it.
    pub(super) async fn receive(&mut self) -> (u64, Batch) {
        loop {
            let down = tokio::time::timeout(PATIENCE, self.down.message()).await.expect("no batch came");
            let Down { nonce, message } = down.unwrap().expect("the stream ended");
            match message {
                Some(down::Message::Batch(batch)) => return (nonce, batch),
                Some(down::Message::Head(_)) => {}
                other => panic!("expected a batch, got {other:?}"),
            }
        }
    }

    /// Takes a batch in: everything in it is checked like a gateway does.
    pub(super) async fn finish(&mut self, nonce: u64, batch: &Batch, refuse: &[&str]) {
        for change in &batch.changes {
            if change.operation() == Operation::Delete {
                self.held.remove(&change.id);
                continue;
            }
            let digest = resource_digest(&change.kind, change.schema_version, &change.body);
            assert_eq!(change.digest, digest.to_vec());
            self.held.insert(change.id.clone(), change.digest.to_vec());
        }
        if !batch.more {
            assert_eq!(batch.count_after as usize, self.held.len());
            assert_eq!(batch.digest_after, self.digest().to_vec());
            self.revision = batch.revision;
            self.epoch = batch.epoch.to_vec();
        }
        let results = batch.changes.iter().map(|change| proto::sync::v1::Result {
            kind: change.kind.clone(),
            id: change.id.clone(),
            digest: change.digest.clone(),
            level: match (change.operation(), refuse.contains(&change.id.as_str())) {
                (_, true) => Level::Rejected,
                (Operation::Delete, _) => Level::Removed,
                (Operation::Upsert | Operation::Unspecified, _) => Level::Active,
            }
            .into(),
            problem: refuse.contains(&change.id.as_str()).then(|| Problem {
                code: "NOT_TODAY".to_owned(),
                path: "/name".to_owned(),
                message: "refused by the test".to_owned(),
                retryable: false,
            }),
            ..Default::default()
        });
        let report = ApplyReport {
            environment: ENVIRONMENT.to_owned(),
            nonce,
            received_revision: batch.revision,
            active_revision: self.revision,
            active_digest: self.digest().to_vec().into(),
            results: results.collect(),
            done: true,
            snapshot: false,
        };
        self.send(up::Message::Report(report)).await;
    }

    /// Takes the next batch in and reports success.
    pub(super) async fn take_batch(&mut self) -> Batch {
        let (nonce, batch) = self.receive().await;
        self.finish(nonce, &batch, &[]).await;
        batch
    }

    /// Reports once more where it stands, as a gateway does when it is told that it is up to date.
    pub(super) async fn send_snapshot(&self) {
        let report = ApplyReport {
            environment: ENVIRONMENT.to_owned(),
            received_revision: self.revision,
            active_revision: self.revision,
            active_digest: self.digest().to_vec().into(),
            snapshot: true,
            ..ApplyReport::default()
        };
        self.send(up::Message::Report(report)).await;
    }
}

/// `upsert id` and `delete id` of a batch, in order.
pub(super) fn changes(batch: &Batch) -> Vec<String> {
    let word = |operation| match operation {
        Operation::Upsert => "upsert",
        Operation::Delete => "delete",
        Operation::Unspecified => "unspecified",
    };
    batch.changes.iter().map(|change| format!("{} {}", word(change.operation()), change.id)).collect()
}
