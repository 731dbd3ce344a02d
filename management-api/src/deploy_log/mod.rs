//! The deploy log: what gateways have to run, as immutable content and a gapless revision per environment.
//!
//! A deployment is one transaction: content first, then the counter row of the environment (the last contended
//! statement), the log row, the wanted state and an empty notification. The counter row is locked until the commit
//! is visible, so a snapshot that shows revision N shows every revision below N, and a rollback gives its number back.

pub mod proof;
pub(crate) mod store;
pub mod wake;

use crate::db::Tx;
use crate::scope::Scope;
use definition::digest::{Digest, resource_digest};
use uuid::Uuid;

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// New content, wanted on gateways.
    Publish,
    /// Content published earlier, wanted again.
    Start,
    /// No longer wanted; the content is kept.
    Stop,
    /// Gone for good.
    Delete,
}

impl Operation {
    /// The spelling in the store and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Publish => "publish",
            Operation::Start => "start",
            Operation::Stop => "stop",
            Operation::Delete => "delete",
        }
    }
}

/// One resource change, to be appended inside the transaction that causes it.
#[derive(Debug)]
pub struct Change<'a> {
    pub kind: &'static str,
    pub id: &'a str,
    pub operation: Operation,
    /// What gateways must run: `None` for stop and delete.
    pub digest: Option<Digest>,
    pub tags: &'a [String],
    pub actor: &'a str,
    /// `deploymentLabel`, at most 32 characters.
    pub label: Option<&'a str>,
}

/// What `append` did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The deployment that put the wanted state there; nil for a resource that was never deployed.
    pub deployment: Uuid,
    /// Revision of the environment that holds the change.
    pub revision: i64,
    /// False: gateways already want exactly this, no revision was spent.
    pub changed: bool,
}

/// Stores immutable content and returns its address. Storing the same content again is free.
pub async fn put_content(
    tx: &mut Tx,
    kind: &'static str,
    schema_version: u32,
    body: &[u8],
) -> sqlx::Result<Digest> {
    let digest = resource_digest(kind, schema_version, body);
    store::insert_content(tx, &digest, kind, schema_version, body).await?;
    Ok(digest)
}

/// Appends a change and wakes the sync servers when the transaction commits.
///
/// Call it last: everything after it runs while the environment's other deployments wait. The caller holds the lock of
/// the resource itself (its own row), so that two equal deployments cannot race past the comparison below.
pub async fn append(tx: &mut Tx, scope: &Scope, change: Change<'_>) -> sqlx::Result<Appended> {
    store::bound_waits(tx).await?;
    let tags = normal_tags(change.tags);
    match store::wanted(tx, scope, change.kind, change.id).await? {
        Some(wanted)
            if wanted.digest == change.digest && (wanted.tags == tags || change.digest.is_none()) =>
        {
            let deployment = wanted.deployment.unwrap_or_default();
            return Ok(Appended { deployment, revision: wanted.revision, changed: false });
        }
        None if change.digest.is_none() => {
            let revision = store::head(tx, scope).await?;
            return Ok(Appended { deployment: Uuid::nil(), revision, changed: false });
        }
        Some(_) | None => {}
    }
    let revision = store::next_revision(tx, scope).await?;
    let deployment = Uuid::now_v7();
    let row =
        store::Row { scope, deployment, revision, change: &change, tags: &tags, at: chrono::Utc::now() };
    store::insert_deployment(tx, &row).await?;
    store::insert_log(tx, &row).await?;
    store::upsert_wanted(tx, &row).await?;
    store::notify(tx).await?;
    Ok(Appended { deployment, revision, changed: true })
}

/// Tags are a set: their order and repetition in a definition are not a change.
fn normal_tags(tags: &[String]) -> Vec<String> {
    let mut tags = tags.to_vec();
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[cfg(test)]
mod tests;
