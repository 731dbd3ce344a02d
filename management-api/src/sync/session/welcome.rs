//! The beginning of a session: greeting, admission and the comparison of digests that makes most reconnects free.

use super::environment::Environment;
use super::hello::{self, Hello, Resume, refuse};
use super::outbound::Outbound;
use super::push::Push;
use super::{Context, End, HEARTBEAT, HELLO_TIMEOUT, Served, Session};
use crate::scope::Scope;
use crate::sync::registry::{Admission, Refusal};
use crate::sync::state::State;
use crate::sync::status::book::{EnvironmentUpdate, NodeFacts, Watermark};
use crate::sync::view;
use bytes::Bytes;
use chrono::Utc;
use proto::sync::v1::{EnvironmentPlan, EnvironmentState, Refuse, RefuseCode, Up, Welcome, down, up};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;
use tonic::Streaming;
use tracing::warn;

/// A gateway that was admitted, and the picture that it is compared with.
pub(super) struct Greeting {
    pub(super) hello: Hello,
    admission: Admission,
    state: Arc<State>,
}

/// Reads the greeting; a gateway that cannot be served is told why.
pub(super) async fn greet(
    context: &Context,
    inbound: &mut Streaming<Up>,
    out: &mut Outbound,
) -> Result<Greeting, End> {
    let first = tokio::time::timeout(HELLO_TIMEOUT, inbound.message()).await;
    let Ok(Ok(Some(first))) = first else { return Err(End::Closed) };
    let Some(up::Message::Hello(hello)) = first.message else {
        return Err(End::Protocol("the first message must be a hello"));
    };
    let node = hello.node_id.clone();
    match admit(context, hello).await {
        Ok(greeting) => Ok(greeting),
        Err(refusal) => {
            warn!(node, reason = refusal.message, "a gateway is refused");
            out.send(down::Message::Refuse(refusal)).await?;
            Err(End::Refused)
        }
    }
}

async fn admit(context: &Context, hello: proto::sync::v1::Hello) -> Result<Greeting, Refuse> {
    let hello = hello::parse(hello)?;
    let state = trustworthy_state(context, &hello).await?;
    let admission =
        context.registry.admit(&hello.node, &hello.process, hello.incarnation).map_err(|refusal| {
            match refusal {
                Refusal::Duplicate => refuse(
                    RefuseCode::DuplicateNode,
                    format!("another process runs as node {}: give each gateway its own node id", hello.node),
                    5_000,
                ),
                Refusal::Full => overloaded("this management node has all the gateways it can take"),
            }
        })?;
    Ok(Greeting { hello, admission, state })
}

/// The current picture, never older than what the gateway already has. A gateway that is ahead even of a fresh read
/// has seen revisions that the store no longer has: the store was restored, a new epoch begins.
async fn trustworthy_state(context: &Context, hello: &Hello) -> Result<Arc<State>, Refuse> {
    let state = context.tail.current();
    if !ahead(hello, &state) {
        return Ok(state);
    }
    let slow = || overloaded("management cannot read its store in time");
    let state = context.tail.fresh().await.ok_or_else(slow)?;
    if !ahead(hello, &state) {
        return Ok(state);
    }
    context.tail.end_epoch(state.epoch).await.ok_or_else(slow)
}

fn overloaded(message: &str) -> Refuse {
    refuse(RefuseCode::Overloaded, message.to_owned(), 1_000)
}

fn ahead(hello: &Hello, state: &State) -> bool {
    hello.resume.iter().any(|(name, resume)| {
        let head = view::scope(name).map_or(0, |scope| state.environment(&scope).head);
        resume.epoch == state.epoch && resume.revision > head
    })
}

impl Session {
    pub(super) fn new(context: Arc<Context>, greeting: Greeting, out: Outbound) -> Self {
        let Greeting { hello, admission, state } = greeting;
        let facts = NodeFacts {
            incarnation: hello.incarnation,
            build: hello.build.clone(),
            hostname: hello.hostname.clone(),
            port: hello.port,
            tags: hello.view.tags.iter().cloned().collect(),
            replica: context.replica.clone(),
            connected_at: Utc::now(),
        };
        let entry = context.book.open(admission.session, &hello.node, facts);
        // Environments that only the gateway knows are served too: it has to let go of them.
        let claimed = hello.resume.keys().filter_map(|name| view::scope(name));
        let scopes: BTreeSet<Scope> = state
            .environments
            .keys()
            .cloned()
            .chain(claimed)
            .filter(|scope| hello.territory.contains(scope))
            .collect();
        let served: BTreeMap<Scope, Served> =
            scopes.into_iter().map(|scope| (scope.clone(), begin(&hello, &state, &scope))).collect();
        for (scope, served) in &served {
            let mark = Some(served.mark.clone());
            entry.environment(scope, EnvironmentUpdate { watermark: mark, ..Default::default() }, true);
        }
        let push = Push::begin(&context.roll, admission.session, &hello, served.keys());
        Session { context, hello, admission, out, entry, served, push, heard: Instant::now() }
    }

    /// Tells the gateway where it stands in each environment.
    pub(super) async fn welcome(&mut self) -> Result<(), End> {
        let state = self.context.tail.current();
        let environments = self.served.iter().map(|(scope, served)| {
            let current = served.environment.steady().cloned();
            let plan = match current {
                Some(_) => EnvironmentState::UpToDate,
                None => EnvironmentState::NeedInventory,
            };
            let shown = current.unwrap_or_else(|| state.environment(scope));
            let summary = shown.summary(&self.hello.view);
            EnvironmentPlan {
                environment: view::name(scope),
                organization: scope.organization.clone(),
                state: plan.into(),
                epoch: Bytes::copy_from_slice(served.environment.epoch().as_bytes()),
                head: shown.head,
                expected_count: summary.count,
                expected_digest: Bytes::copy_from_slice(&summary.digest),
            }
        });
        let welcome = Welcome {
            session_id: self.admission.session.to_string(),
            replica_id: self.context.replica.clone(),
            environments: environments.collect(),
            heartbeat_ms: u32::try_from(HEARTBEAT.as_millis()).unwrap_or(u32::MAX),
            server_unix_ms: u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0),
        };
        self.out.send(down::Message::Welcome(welcome)).await
    }

    /// Takes up environments that were created after the session began.
    pub(super) async fn meet_new_environments(&mut self, state: &State) -> Result<(), End> {
        if state.environments.keys().all(|scope| self.served.contains_key(scope)) {
            return Ok(());
        }
        for scope in state.environments.keys() {
            if self.served.contains_key(scope) || !self.hello.territory.contains(scope) {
                continue;
            }
            let environment = Environment::unknown(state.epoch);
            self.served.insert(scope.clone(), Served { environment, mark: Watermark::default() });
            let watermark = Some(Watermark::default());
            self.entry.environment(scope, EnvironmentUpdate { watermark, ..Default::default() }, true);
            self.out.ask_inventory(view::name(scope)).await?;
        }
        Ok(())
    }
}

/// Nothing has to be sent if the gateway holds exactly what it should.
fn begin(hello: &Hello, state: &State, scope: &Scope) -> Served {
    let current = state.environment(scope);
    let summary = current.summary(&hello.view);
    let resume = hello.resume.get(&view::name(scope)).filter(|resume| resume.epoch == state.epoch);
    let (revision, same) = match resume {
        Some(Resume { revision, digest, count, .. }) => {
            (*revision, *digest == summary.digest && *count == summary.count)
        }
        None => (0, false),
    };
    let mark = Watermark {
        received_revision: revision,
        active_revision: revision,
        active_digest: None,
        expected_digest: Some(summary.digest),
    };
    let cause = match (same, resume) {
        (true, _) => "none",
        (false, Some(_)) => "changed",
        (false, None) => "cold",
    };
    metrics::counter!("tidegate_sync_reconciles_total", "cause" => cause).increment(1);
    let environment =
        if same { Environment::up_to_date(state.epoch, current) } else { Environment::unknown(state.epoch) };
    Served { environment, mark }
}
