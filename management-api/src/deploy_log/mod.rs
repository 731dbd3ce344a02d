//! The deploy log: what gateways have to run, as immutable content and a gapless revision per environment.
//!
//! A deployment is one transaction: content, the counter row of the environment (last contended statement), the log
//! row and the wanted state. A snapshot that shows revision N shows every revision below N.

use crate::db::Tx;
use crate::scope::Scope;
use definition::digest::Digest;
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
    pub deployment: Uuid,
    /// Revision of the environment that holds the change.
    pub revision: i64,
    /// False: gateways already want exactly this, no revision was spent.
    pub changed: bool,
}

/// Stores immutable content and returns its address. Storing the same content again is free.
pub async fn put_content(
    _tx: &mut Tx,
    _kind: &'static str,
    _schema_version: u32,
    _body: &[u8],
) -> sqlx::Result<Digest> {
    Err(sqlx::Error::RowNotFound)
}

/// Appends a change and wakes the sync server when the transaction commits.
pub async fn append(_tx: &mut Tx, _scope: &Scope, _change: Change<'_>) -> sqlx::Result<Appended> {
    Err(sqlx::Error::RowNotFound)
}
