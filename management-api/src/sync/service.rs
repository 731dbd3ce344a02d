//! The gRPC face of the sync server: authentication before anything else, then one task per session.

use super::session::{Context, Session};
use proto::sync::v1::gateway_sync_server::GatewaySync;
use proto::sync::v1::{Down, Up};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;
use tonic::service::Interceptor;
use tonic::{Request, Response, Status, Streaming};

/// Messages to a gateway that wait for its connection to take them; each is a batch at most.
const OUTBOUND_MESSAGES: usize = 2;

/// The service.
pub(super) struct Service {
    context: Arc<Context>,
    sessions: TaskTracker,
}

impl Service {
    pub(super) fn new(context: Arc<Context>, sessions: TaskTracker) -> Self {
        Service { context, sessions }
    }
}

#[tonic::async_trait]
impl GatewaySync for Service {
    type SessionStream = ReceiverStream<Result<Down, Status>>;

    async fn session(
        &self,
        request: Request<Streaming<Up>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        if !*self.context.tail.ready.borrow() {
            return Err(Status::unavailable("management has not read its store yet"));
        }
        let (outbound, messages) = mpsc::channel(OUTBOUND_MESSAGES);
        let context = Arc::clone(&self.context);
        self.sessions.spawn(Session::run(context, request.into_inner(), outbound));
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

/// Lets requests with the right bearer token pass.
#[derive(Clone)]
pub(super) struct BearerToken {
    /// Digest of the expected header: comparing digests tells nothing about the token's length either.
    expected: [u8; 32],
}

impl BearerToken {
    pub(super) fn new(token: &SecretString) -> Self {
        let header = SecretString::from(format!("Bearer {}", token.expose_secret()));
        BearerToken { expected: Sha256::digest(header.expose_secret().as_bytes()).into() }
    }
}

impl Interceptor for BearerToken {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let given = request.metadata().get("authorization").map_or(&[][..], |value| value.as_bytes());
        let given: [u8; 32] = Sha256::digest(given).into();
        if bool::from(given.ct_eq(&self.expected)) {
            return Ok(request);
        }
        metrics::counter!("tidegate_sync_unauthenticated_total").increment(1);
        Err(Status::unauthenticated(
            "the sync token is missing or wrong: give the gateway management's token",
        ))
    }
}
