//! Sessions against the real server over loopback, with SQLite behind it.

mod kinds;
mod probe;
mod sessions;
mod statuses;

use super::{SyncConfig, SyncHandle, SyncServer};
use crate::db::Db;
use crate::deploy_log::{Appended, Change, Operation, append, put_content};
use crate::scope::Scope;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "a-token-for-tests";
/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store with a sync server on it.
struct Plane {
    _folder: tempfile::TempDir,
    db: Db,
    server: SyncHandle,
    shutdown: CancellationToken,
}

fn scope() -> Scope {
    Scope { organization: "DEFAULT".to_owned(), environment: "DEFAULT".to_owned() }
}

async fn serve(db: &Db) -> (SyncHandle, CancellationToken) {
    let shutdown = CancellationToken::new();
    let config = SyncConfig {
        listen: ([127, 0, 0, 1], 0).into(),
        token: TOKEN.into(),
        replica_id: "replica".to_owned(),
    };
    let mut server = SyncServer::start(db.clone(), config, shutdown.clone()).await.unwrap();
    tokio::time::timeout(PATIENCE, server.ready.wait_for(|ready| *ready)).await.unwrap().unwrap();
    (server, shutdown)
}

impl Plane {
    async fn start() -> Plane {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let db = Db::connect(&url).await.unwrap();
        let (server, shutdown) = serve(&db).await;
        Plane { _folder: folder, db, server, shutdown }
    }

    /// Ends the server and starts another one on the same store.
    async fn restart(&mut self) {
        self.shutdown.cancel();
        let (server, shutdown) = serve(&self.db).await;
        std::mem::replace(&mut self.server, server).stopped().await;
        self.shutdown = shutdown;
    }

    async fn deploy(&self, id: &str, body: &str) -> Appended {
        self.change(id, Operation::Publish, Some(body), &[]).await
    }

    async fn stop(&self, id: &str) -> Appended {
        self.change(id, Operation::Stop, None, &[]).await
    }

    async fn change(&self, id: &str, operation: Operation, body: Option<&str>, tags: &[&str]) -> Appended {
        self.change_of("api", id, operation, body, tags).await
    }

    async fn change_of(
        &self,
        kind: &'static str,
        id: &str,
        operation: Operation,
        body: Option<&str>,
        tags: &[&str],
    ) -> Appended {
        let mut tx = self.db.begin().await.unwrap();
        let digest = match body {
            Some(body) => Some(put_content(&mut tx, kind, 1, body.as_bytes()).await.unwrap()),
            None => None,
        };
        let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
        let change = Change { kind, id, operation, digest, tags: &tags, actor: "admin", label: None };
        let appended = append(&mut tx, &scope(), change).await.unwrap();
        tx.commit().await.unwrap();
        // Sessions that begin after this know about it.
        let mut state = self.server.tail.state.clone();
        let revision = u64::try_from(appended.revision).unwrap();
        let read = state.wait_for(|state| state.environment(&scope()).head >= revision);
        tokio::time::timeout(PATIENCE, read).await.expect("the server does not read").unwrap();
        appended
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// Polls until `condition` gives a value, or fails naming what was awaited.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(tokio::time::Instant::now() < deadline, "gave up waiting for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
