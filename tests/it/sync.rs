//! Both ends of the control plane against each other over loopback, on either store: what is deployed is applied,
//! reported and shown, and outages of one end cost the other nothing. The data plane is a notebook here.

use crate::harness::services::{database, folder};
use crate::harness::wait::{SOON, throughout, until};
use gateway::sync::{ApplyChange, ApplyOp, ApplyOutcome, Level, Problem, SyncHandle, start};
use management_api::db::Db;
use management_api::deploy_log::{Change, Operation, append, proof, put_content};
use management_api::scope::Scope;
use management_api::sync::status::{DeploymentState, deployment_status, instances};
use management_api::sync::{SyncConfig, SyncServer};
use pretty_assertions::assert_eq;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const TOKEN: &str = "token-of-the-sync-tests";

fn scope() -> Scope {
    Scope { organization: "DEFAULT".to_owned(), environment: "DEFAULT".to_owned() }
}

async fn sqlite() -> Db {
    let url = format!("sqlite://{}", folder("sync").join("tidegate.db").display());
    Db::connect(&url).await.expect("a SQLite file opens")
}

async fn postgres() -> Db {
    Db::connect(&database().await).await.expect("PostgreSQL answers")
}

/// A management node's sync server.
struct Management {
    address: SocketAddr,
    handle: management_api::sync::SyncHandle,
    shutdown: CancellationToken,
}

impl Management {
    async fn start(db: &Db, listen: SocketAddr) -> Management {
        let shutdown = CancellationToken::new();
        let config = SyncConfig { listen, token: TOKEN.into(), replica_id: "replica".to_owned() };
        let handle =
            SyncServer::start(db.clone(), config, shutdown.clone()).await.expect("the sync server starts");
        Management { address: handle.address, handle, shutdown }
    }

    async fn stop(self) -> SocketAddr {
        self.shutdown.cancel();
        self.handle.stopped().await;
        self.address
    }
}

/// Writes down what it is told to run. Content with `refuse` in it is refused, content with `panic` is a defect.
#[derive(Default)]
struct Notebook {
    running: Mutex<BTreeMap<String, String>>,
    changes: Mutex<usize>,
}

impl Notebook {
    fn running(&self) -> Vec<String> {
        let running = self.running.lock().expect("no test panics while it holds this");
        running.iter().map(|(id, body)| format!("{id}={body}")).collect()
    }

    fn changes(&self) -> usize {
        *self.changes.lock().expect("no test panics while it holds this")
    }

    fn note(&self, change: ApplyChange) -> ApplyOutcome {
        let ApplyChange { kind, id, op } = change;
        *self.changes.lock().expect("no test panics while it holds this") += 1;
        let mut running = self.running.lock().expect("no test panics while it holds this");
        let (digest, level, problem) = match op {
            ApplyOp::Delete => {
                running.remove(&id);
                (None, Level::Removed, None)
            }
            ApplyOp::Upsert { digest, body, .. } if body.windows(6).any(|word| word == b"refuse") => {
                let problem = Problem {
                    code: "REFUSED".to_owned(),
                    path: "/name".to_owned(),
                    message: "asked for".to_owned(),
                };
                (Some(digest), Level::Rejected, Some(problem))
            }
            ApplyOp::Upsert { digest, body, .. } => {
                running.insert(id.clone(), String::from_utf8_lossy(&body).into_owned());
                (Some(digest), Level::Active, None)
            }
        };
        ApplyOutcome { kind, id, digest, level, problem }
    }
}

impl gateway::sync::Applier for Notebook {
    async fn apply(&self, changes: Vec<ApplyChange>) -> Vec<ApplyOutcome> {
        let defect = |change: &ApplyChange| match &change.op {
            ApplyOp::Upsert { body, .. } => body.windows(5).any(|word| word == b"panic"),
            ApplyOp::Delete => false,
        };
        assert!(!changes.iter().any(defect), "the defect that the test asked for");
        changes.into_iter().map(|change| self.note(change)).collect()
    }
}

/// A gateway's sync client.
struct Gateway {
    notebook: Arc<Notebook>,
    handle: SyncHandle,
    shutdown: CancellationToken,
}

impl Gateway {
    fn start(addresses: &[SocketAddr], token: &str, tags: &[&str]) -> Gateway {
        let shutdown = CancellationToken::new();
        let notebook = Arc::new(Notebook::default());
        let config = gateway::sync::SyncConfig {
            management: addresses.iter().map(|address| format!("http://{address}")).collect(),
            token: token.into(),
            node_id: None,
            organization: String::new(),
            environments: Vec::new(),
            tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
            hostname: "host".to_owned(),
            port: 8082,
        };
        let handle = start(config, Arc::clone(&notebook), shutdown.clone()).expect("the settings are right");
        Gateway { notebook, handle, shutdown }
    }

    fn is_ready(&self) -> bool {
        *self.handle.ready.borrow()
    }

    async fn runs(&self, wanted: &[&str]) {
        let what = format!("the gateway to run {wanted:?}");
        until(&what, SOON, async || (self.notebook.running() == wanted).then_some(())).await;
    }

    async fn disconnected(&self) -> String {
        until("the gateway to notice", SOON, async || self.handle.status.borrow().last_error.clone()).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.handle.stopped().await;
    }
}

async fn change(db: &Db, id: &str, operation: Operation, body: Option<&str>, tags: &[&str]) -> Uuid {
    let mut tx = db.begin().await.expect("the store answers");
    let digest = match body {
        Some(body) => Some(put_content(&mut tx, "api", 1, body.as_bytes()).await.expect("content is stored")),
        None => None,
    };
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    let change = Change { kind: "api", id, operation, digest, tags: &tags, actor: "admin", label: None };
    let appended = append(&mut tx, &scope(), change).await.expect("the change is appended");
    tx.commit().await.expect("the change is committed");
    appended.deployment
}

async fn deploy(db: &Db, id: &str, body: &str) -> Uuid {
    change(db, id, Operation::Publish, Some(body), &[]).await
}

async fn reaches(db: &Db, deployment: Uuid, wanted: DeploymentState) -> Vec<String> {
    until(wanted.as_str(), SOON, async || {
        let status = deployment_status(db, &scope(), deployment).await.expect("the store answers")?;
        let problems =
            status.problems.into_iter().map(|problem| format!("{} {}", problem.code, problem.path));
        (status.state == wanted).then(|| problems.collect())
    })
    .await
}

fn anywhere() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn follows_deployments(db: Db) {
    let management = Management::start(&db, anywhere()).await;
    let gateway = Gateway::start(&[management.address], TOKEN, &[]);
    until("the session", SOON, async || gateway.handle.status.borrow().connected.clone()).await;
    assert!(!gateway.is_ready(), "a gateway that was offered no environment has nothing to serve");

    let first = deploy(&db, "a", "1").await;
    gateway.runs(&["a=1"]).await;
    assert_eq!(reaches(&db, first, DeploymentState::Converged).await, Vec::<String>::new());
    assert!(gateway.is_ready());

    let second = deploy(&db, "a", "2").await;
    change(&db, "b", Operation::Publish, Some("1"), &["elsewhere"]).await;
    gateway.runs(&["a=2", "b=1"]).await;
    reaches(&db, second, DeploymentState::Converged).await;
    let stopped = change(&db, "a", Operation::Stop, None, &[]).await;
    gateway.runs(&["b=1"]).await;
    reaches(&db, stopped, DeploymentState::Converged).await;

    let nodes = instances(&db, &scope()).await.expect("the store answers");
    let nodes: Vec<_> = nodes.iter().map(|node| (node.id.as_str(), node.state.as_str(), node.port)).collect();
    assert_eq!(nodes, [(gateway.handle.node_id.as_str(), "ONLINE", 8082)]);
    gateway.stop().await;
    until("the good-bye to be shown", SOON, async || {
        let nodes = instances(&db, &scope()).await.expect("the store answers");
        (nodes[0].state.as_str() == "STOPPED").then_some(())
    })
    .await;
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_follows_deployments_on_sqlite() {
    follows_deployments(sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_follows_deployments_on_postgres() {
    follows_deployments(postgres().await).await;
}

async fn survives_a_restart(db: Db) {
    let management = Management::start(&db, anywhere()).await;
    for id in ["a", "b", "c"] {
        deploy(&db, id, "1").await;
    }
    let gateway = Gateway::start(&[management.address], TOKEN, &[]);
    gateway.runs(&["a=1", "b=1", "c=1"]).await;
    let address = management.stop().await;
    gateway.disconnected().await;
    throughout("serving without management", Duration::from_millis(300), async || {
        gateway.is_ready() && gateway.notebook.running() == ["a=1", "b=1", "c=1"]
    })
    .await;
    let missed = deploy(&db, "b", "2").await;

    let management = Management::start(&db, address).await;
    gateway.runs(&["a=1", "b=2", "c=1"]).await;
    reaches(&db, missed, DeploymentState::Converged).await;
    // Three at first and the one that changed: nothing was applied twice.
    assert_eq!(gateway.notebook.changes(), 4);
    let next = deploy(&db, "c", "2").await;
    gateway.runs(&["a=1", "b=2", "c=2"]).await;
    reaches(&db, next, DeploymentState::Converged).await;
    gateway.stop().await;
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_management_costs_nothing_but_what_changed_on_sqlite() {
    survives_a_restart(sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_management_costs_nothing_but_what_changed_on_postgres() {
    survives_a_restart(postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_and_poisonous_content_hurts_nothing_else() {
    let db = sqlite().await;
    let management = Management::start(&db, anywhere()).await;
    deploy(&db, "a", "1").await;
    deploy(&db, "b", "1").await;
    let gateway = Gateway::start(&[management.address], TOKEN, &[]);
    gateway.runs(&["a=1", "b=1"]).await;

    let refused = deploy(&db, "a", "refuse this").await;
    assert_eq!(reaches(&db, refused, DeploymentState::Failed).await, ["REFUSED /name"]);
    let poison = deploy(&db, "b", "panic on this").await;
    assert_eq!(reaches(&db, poison, DeploymentState::Failed).await, ["PANIC "]);
    let good = deploy(&db, "c", "1").await;
    reaches(&db, good, DeploymentState::Converged).await;
    assert_eq!(gateway.notebook.running(), ["a=1", "b=1", "c=1"]);

    // Neither a new session nor a restart of management brings the refused content again.
    let before = gateway.notebook.changes();
    let address = management.stop().await;
    gateway.disconnected().await;
    let management = Management::start(&db, address).await;
    let cured = deploy(&db, "a", "2").await;
    reaches(&db, cured, DeploymentState::Converged).await;
    assert_eq!(gateway.notebook.changes(), before + 1);
    assert_eq!(reaches(&db, poison, DeploymentState::Failed).await, ["PANIC "]);
    gateway.stop().await;
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tags_split_the_apis_between_gateways() {
    let db = sqlite().await;
    let management = Management::start(&db, anywhere()).await;
    let eu = Gateway::start(&[management.address], TOKEN, &["eu"]);
    let us = Gateway::start(&[management.address], TOKEN, &["us"]);
    change(&db, "all", Operation::Publish, Some("1"), &[]).await;
    change(&db, "eu", Operation::Publish, Some("1"), &["eu"]).await;
    eu.runs(&["all=1", "eu=1"]).await;
    let moved = change(&db, "eu", Operation::Publish, Some("1"), &["us"]).await;
    us.runs(&["all=1", "eu=1"]).await;
    eu.runs(&["all=1"]).await;
    reaches(&db, moved, DeploymentState::Converged).await;
    eu.stop().await;
    us.stop().await;
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_told_and_a_dead_address_is_passed_over() {
    let db = sqlite().await;
    let management = Management::start(&db, anywhere()).await;
    deploy(&db, "a", "1").await;
    let stranger = Gateway::start(&[management.address], "another token", &[]);
    let reason = stranger.disconnected().await;
    assert!(reason.contains("token"), "{reason}");
    assert!(!reason.contains("another token") && !reason.contains(TOKEN), "{reason}");
    assert!(!stranger.is_ready());
    stranger.stop().await;

    let dead = Management::start(&db, anywhere()).await.stop().await;
    let gateway = Gateway::start(&[dead, management.address], TOKEN, &[]);
    gateway.runs(&["a=1"]).await;
    gateway.stop().await;
    management.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_deployments_are_all_seen_on_postgres() {
    proof::revisions_are_contiguous(&postgres().await, 8, 40).await.expect("no revision is missed");
}

/// Ends the sessions of everybody else in the database, the listener's too.
async fn end_other_sessions(url: &str) {
    let mut connection = PgConnection::connect(url).await.expect("PostgreSQL answers");
    let others = "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()";
    sqlx::query(others).execute(&mut connection).await.expect("the superuser may end sessions");
}

/// Sessions that listen for deployments.
async fn listeners(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("PostgreSQL answers");
    let listening = "select count(*) from pg_stat_activity
                     where datname = current_database() and query ilike 'listen%'";
    sqlx::query_scalar(listening).fetch_one(&mut connection).await.expect("PostgreSQL answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_database_sessions_cost_time_and_no_deployment() {
    let url = database().await;
    let db = Db::connect(&url).await.expect("PostgreSQL answers");
    let management = Management::start(&db, anywhere()).await;
    let gateway = Gateway::start(&[management.address], TOKEN, &[]);
    deploy(&db, "a", "1").await;
    gateway.runs(&["a=1"]).await;
    until("the listener", SOON, async || (listeners(&url).await == 1).then_some(())).await;
    end_other_sessions(&url).await;
    let after = deploy(&db, "a", "2").await;
    gateway.runs(&["a=2"]).await;
    reaches(&db, after, DeploymentState::Converged).await;
    until("the listener again", SOON, async || (listeners(&url).await == 1).then_some(())).await;
    gateway.stop().await;
    management.stop().await;
}
