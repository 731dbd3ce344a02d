//! A session: one gateway process, from its greeting to its end.
//!
//! The session owns no truth. It compares what its gateway holds with the newest picture whenever either changes,
//! sends the difference and notes what the gateway reports. Every wait is bounded: by the gateway's signs of life, by
//! the progress of a batch and by the time a send may block.

mod environment;
mod hello;
mod outbound;
mod push;
mod report;
mod welcome;

use super::bodies::Bodies;
use super::jittered;
use super::registry::{Admission, Registry};
use super::state::Key;
use super::status::book::{self, Book, Watermark};
use super::tail::Tail;
use super::view;
use crate::leases::{Seen, roll::Roll};
use crate::scope::Scope;
use definition::digest::Digest;
use environment::{Environment, Step};
use hello::Hello;
use outbound::Outbound;
use proto::sync::v1::{Down, Inventory, Up, up};
use push::Push;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use tracing::{debug, info};

/// Signs of life in both directions.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Share by which they differ.
const HEARTBEAT_JITTER: f64 = 0.1;
/// Silence after which a gateway is lost.
const LOST_AFTER: Duration = Duration::from_secs(30);
/// A batch that does not move for this long ends the session.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the greeting to arrive.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// What all sessions share.
pub(crate) struct Context {
    pub(crate) tail: Tail,
    pub(crate) bodies: Bodies,
    pub(crate) registry: Arc<Registry>,
    pub(crate) book: Arc<Book>,
    pub(crate) roll: Arc<Roll>,
    pub(crate) pictures: watch::Receiver<Seen>,
    pub(crate) replica: String,
    pub(crate) shutdown: CancellationToken,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The gateway closed its side.
    Closed,
    /// It said good-bye.
    Drained,
    Shutdown,
    /// Its process, or a newer one, has another session.
    Replaced,
    Refused,
    /// Nothing was heard of it.
    Lost,
    /// A batch did not move.
    NoProgress,
    /// A send blocked.
    Blocked,
    /// It broke the protocol.
    Protocol(&'static str),
    /// A body could not be read from the store.
    Store,
}

impl End {
    fn cause(self) -> &'static str {
        match self {
            End::Closed => "closed",
            End::Drained => "drained",
            End::Shutdown => "shutdown",
            End::Replaced => "replaced",
            End::Refused => "refused",
            End::Lost => "lost",
            End::NoProgress => "no_progress",
            End::Blocked => "blocked",
            End::Protocol(_) => "protocol",
            End::Store => "store",
        }
    }

    /// What the gateway is told, if the stream still takes it.
    fn status(self) -> Option<Status> {
        match self {
            End::Closed | End::Drained | End::Refused => None,
            End::Shutdown => Some(Status::unavailable("management is stopping")),
            End::Replaced => Some(Status::aborted("the node has another session")),
            End::Lost | End::NoProgress | End::Blocked => Some(Status::deadline_exceeded("no progress")),
            End::Protocol(what) => Some(Status::invalid_argument(what)),
            End::Store => Some(Status::unavailable("management cannot read its store")),
        }
    }
}

/// One environment with what is known of the gateway's progress in it.
struct Served {
    environment: Environment,
    mark: Watermark,
}

pub(crate) struct Session {
    context: Arc<Context>,
    hello: Hello,
    admission: Admission,
    out: Outbound,
    entry: book::Entry,
    served: BTreeMap<Scope, Served>,
    /// Of gateways that can own push subscriptions.
    push: Option<Push>,
    /// Last message of the gateway.
    heard: Instant,
}

impl Session {
    /// Runs a session to its end.
    pub(crate) async fn run(
        context: Arc<Context>,
        mut inbound: Streaming<Up>,
        outbound: mpsc::Sender<Result<Down, Status>>,
    ) {
        let mut out = Outbound::new(outbound);
        let closing = out.closing();
        let end = match welcome::greet(&context, &mut inbound, &mut out).await {
            Err(end) => end,
            Ok(greeting) => {
                let node = greeting.hello.node.clone();
                let mut session = Session::new(context, greeting, out);
                info!(node, "gateway connected");
                let end = session.serve(&mut inbound).await;
                session.entry.close(end == End::Drained);
                if let Some(push) = session.push.filter(|_| end == End::Drained) {
                    push.presence.gone();
                }
                info!(node, cause = end.cause(), "gateway session ended");
                end
            }
        };
        metrics::counter!("tidegate_sync_session_ends_total", "cause" => end.cause()).increment(1);
        closing.finish(end.status());
    }

    async fn serve(&mut self, inbound: &mut Streaming<Up>) -> End {
        match self.exchange(inbound).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn exchange(&mut self, inbound: &mut Streaming<Up>) -> Result<std::convert::Infallible, End> {
        let mut changes = self.context.tail.state.clone();
        let mut owners = self.context.pictures.clone();
        let shutdown = self.context.shutdown.clone();
        let cut = self.admission.cut.clone();
        let mut advert = Instant::now() + jittered(HEARTBEAT, HEARTBEAT_JITTER);
        self.welcome().await?;
        loop {
            changes.borrow_and_update();
            owners.borrow_and_update();
            self.advance().await?;
            self.assign().await?;
            tokio::select! {
                () = shutdown.cancelled() => return Err(End::Shutdown),
                () = cut.cancelled() => return Err(End::Replaced),
                changed = changes.changed() => if changed.is_err() { return Err(End::Shutdown) },
                changed = owners.changed() => if changed.is_err() { return Err(End::Shutdown) },
                message = inbound.message() => match message {
                    Ok(Some(up)) => self.take(up)?,
                    Ok(None) => return Err(End::Closed),
                    Err(status) => {
                        debug!(node = self.hello.node, %status, "the gateway's stream broke");
                        return Err(End::Closed);
                    }
                },
                () = tokio::time::sleep_until(advert.min(self.deadline().0)) => {
                    let (deadline, end) = self.deadline();
                    if deadline <= Instant::now() {
                        return Err(end);
                    }
                    self.advertise_all().await?;
                    advert = Instant::now() + jittered(HEARTBEAT, HEARTBEAT_JITTER);
                }
            }
        }
    }

    /// When the session ends unless something moves, and why.
    fn deadline(&self) -> (Instant, End) {
        let lost = (self.heard + LOST_AFTER, End::Lost);
        let stuck = self.served.values().filter_map(|served| served.environment.waiting_since()).min();
        match stuck.map(|since| since + PROGRESS_TIMEOUT) {
            Some(deadline) if deadline < lost.0 => (deadline, End::NoProgress),
            Some(_) | None => lost,
        }
    }

    /// Takes one message of the gateway.
    fn take(&mut self, up: Up) -> Result<(), End> {
        self.heard = Instant::now();
        self.entry.seen();
        if let Some(push) = &self.push {
            push.presence.heard();
        }
        match up.message {
            Some(up::Message::Inventory(inventory)) => self.inventory(inventory),
            Some(up::Message::Report(report)) => self.report(report),
            Some(up::Message::Drain(_)) => Err(End::Drained),
            Some(up::Message::Hello(_)) => Err(End::Protocol("a second hello")),
            Some(up::Message::SubscriptionStatus(status)) => {
                self.subscription_status(status);
                Ok(())
            }
            Some(up::Message::Health(health)) => {
                if let Some(push) = self.push.as_ref().filter(|_| health.draining) {
                    push.presence.drains();
                }
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn inventory(&mut self, inventory: Inventory) -> Result<(), End> {
        let state = self.context.tail.current();
        let scope = self.scope(&inventory.environment)?;
        let current = state.environment(&scope);
        let held = inventory.held.iter().map(|held| {
            // A digest that is none never equals the wanted one: the resource is sent again.
            let digest = Digest::try_from(&held.digest[..]).unwrap_or_default();
            (Key::new(&held.kind, &held.id), digest)
        });
        let Some(served) = self.served.get_mut(&scope) else { return Ok(()) };
        let view = &self.hello.view;
        if !served.environment.inventory(held, inventory.last, state.epoch, &current, view) {
            return Err(End::Protocol("the inventory is too long"));
        }
        Ok(())
    }

    /// The environment that a message names, if this session serves it.
    fn scope(&self, name: &str) -> Result<Scope, End> {
        view::scope(name)
            .filter(|scope| self.served.contains_key(scope))
            .ok_or(End::Protocol("an environment that this session does not serve"))
    }

    /// Sends whatever can be sent now.
    async fn advance(&mut self) -> Result<(), End> {
        let state = self.context.tail.current();
        self.meet_new_environments(&state).await?;
        let scopes: Vec<Scope> = self.served.keys().cloned().collect();
        for scope in scopes {
            let current = state.environment(&scope);
            let Some(served) = self.served.get_mut(&scope) else { continue };
            let nonce = self.out.next_nonce();
            let step =
                served.environment.next(nonce, Instant::now(), state.epoch, &current, &self.hello.view);
            match step {
                Step::Nothing => {}
                Step::AskInventory => self.out.ask_inventory(view::name(&scope)).await?,
                Step::Advance => {
                    self.reached(&scope, &current, None);
                    self.advertise(&scope, current.head).await?;
                }
                Step::Send(outgoing) => {
                    let reader = &self.context.bodies;
                    self.out.batch(view::name(&scope), outgoing, reader, &self.hello.capabilities).await?;
                }
            }
        }
        Ok(())
    }

    /// The head of every environment: a sign of life, and what the gateway measures its own age by.
    async fn advertise_all(&mut self) -> Result<(), End> {
        let state = self.context.tail.current();
        let scopes: Vec<Scope> = self.served.keys().cloned().collect();
        for scope in &scopes {
            self.advertise(scope, state.environment(scope).head).await?;
        }
        if scopes.is_empty() {
            let unreachable = !*self.context.tail.reachable.borrow();
            self.out.head(String::new(), 0, 0, unreachable).await?;
        }
        Ok(())
    }

    async fn advertise(&mut self, scope: &Scope, head: u64) -> Result<(), End> {
        let sent = self.served.get(scope).and_then(|served| served.environment.steady());
        let sent_up_to = sent.map_or(0, |state| state.head);
        let unreachable = !*self.context.tail.reachable.borrow();
        self.out.head(view::name(scope), head, sent_up_to, unreachable).await
    }
}
