//! Statements of the deploy log: writing inside a deploy transaction, reading for the sync server.

use super::Change;
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::digest::Digest;
use sqlx::types::Json;
use uuid::Uuid;

/// Channel of the empty notifications.
pub(crate) const CHANNEL: &str = "tidegate_deploy";

/// What gateways are to run of one resource, as stored.
pub(super) struct Wanted {
    pub(super) revision: i64,
    pub(super) digest: Option<Digest>,
    pub(super) tags: Vec<String>,
    pub(super) deployment: Option<Uuid>,
}

/// One deployment on its way into the three tables that remember it.
pub(super) struct Row<'a> {
    pub(super) scope: &'a Scope,
    pub(super) deployment: Uuid,
    pub(super) revision: i64,
    pub(super) change: &'a Change<'a>,
    pub(super) tags: &'a [String],
    pub(super) at: DateTime<Utc>,
}

impl Row<'_> {
    fn digest(&self) -> Option<&[u8]> {
        self.change.digest.as_ref().map(<[u8; 32]>::as_slice)
    }
}

/// Reads a stored digest back.
fn digest(bytes: Vec<u8>) -> sqlx::Result<Digest> {
    let length = bytes.len();
    Digest::try_from(bytes)
        .map_err(|_| sqlx::Error::Decode(format!("a digest has 32 bytes, found {length}").into()))
}

/// A deploy transaction must not queue for long, nor keep its environment locked when its client is stuck.
pub(super) async fn bound_waits(tx: &mut Tx) -> sqlx::Result<()> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query(
            "select set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true),
                    set_config('idle_in_transaction_session_timeout', '5s', true)",
        )
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

/// Keeps content under its address.
pub(super) async fn insert_content(
    tx: &mut Tx,
    digest: &Digest,
    kind: &str,
    schema_version: u32,
    body: &[u8],
) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "insert into resource_version (digest, kind, schema_version, body, created_at)
             values ($1, $2, $3, $4, $5) on conflict (digest) do nothing",
        )
        .bind(&digest[..]).bind(kind).bind(schema_version as i32).bind(body).bind(Utc::now())
        .execute(connection).await.map(|_| ())
    })
}

/// What gateways want of a resource now; `None` if it was never deployed.
pub(super) async fn wanted(tx: &mut Tx, scope: &Scope, kind: &str, id: &str) -> sqlx::Result<Option<Wanted>> {
    type Columns = (i64, Option<Vec<u8>>, Json<Vec<String>>, Option<Uuid>);
    let row: Option<Columns> = on!(tx tx, connection => {
        sqlx::query_as(
            "select rev, digest, tags, deployment_id from deployed
             where organization_id = $1 and environment_id = $2 and kind = $3 and id = $4",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(kind).bind(id)
        .fetch_optional(connection).await?
    });
    row.map(|(revision, stored, Json(tags), deployment)| {
        Ok(Wanted { revision, digest: stored.map(digest).transpose()?, tags, deployment })
    })
    .transpose()
}

/// The environment's revision as this transaction sees it, without locking it.
pub(super) async fn head(tx: &mut Tx, scope: &Scope) -> sqlx::Result<i64> {
    let head: Option<i64> = on!(tx tx, connection => {
        sqlx::query_scalar("select head_rev from env_head where organization_id = $1 and environment_id = $2")
            .bind(&scope.organization).bind(&scope.environment)
            .fetch_optional(connection).await?
    });
    Ok(head.unwrap_or(0))
}

/// Takes the environment's next revision and locks its counter row until the transaction ends.
pub(super) async fn next_revision(tx: &mut Tx, scope: &Scope) -> sqlx::Result<i64> {
    on!(tx tx, connection => {
        sqlx::query_scalar(
            "insert into env_head (organization_id, environment_id, head_rev) values ($1, $2, 1)
             on conflict (organization_id, environment_id) do update set head_rev = env_head.head_rev + 1
             returning head_rev",
        )
        .bind(&scope.organization).bind(&scope.environment)
        .fetch_one(connection).await
    })
}

/// The deployment as users look it up.
pub(super) async fn insert_deployment(tx: &mut Tx, row: &Row<'_>) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "insert into deployment
               (id, organization_id, environment_id, rev, kind, resource_id, op, digest, label, actor, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(row.deployment).bind(&row.scope.organization).bind(&row.scope.environment).bind(row.revision)
        .bind(row.change.kind).bind(row.change.id).bind(row.change.operation.as_str()).bind(row.digest())
        .bind(row.change.label).bind(row.change.actor).bind(row.at)
        .execute(connection).await.map(|_| ())
    })
}

/// The log row: which resource a revision touched.
pub(super) async fn insert_log(tx: &mut Tx, row: &Row<'_>) -> sqlx::Result<()> {
    let operation = if row.change.digest.is_some() { "upsert" } else { "delete" };
    on!(tx tx, connection => {
        sqlx::query(
            "insert into deploy_log
               (organization_id, environment_id, rev, ord, kind, id, op, digest, deployment_id, at)
             values ($1, $2, $3, 0, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&row.scope.organization).bind(&row.scope.environment).bind(row.revision)
        .bind(row.change.kind).bind(row.change.id).bind(operation).bind(row.digest())
        .bind(row.deployment).bind(row.at)
        .execute(connection).await.map(|_| ())
    })
}

/// The wanted state; a resource that is no longer wanted keeps a row without digest.
pub(super) async fn upsert_wanted(tx: &mut Tx, row: &Row<'_>) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query(
            "insert into deployed
               (organization_id, environment_id, kind, id, rev, digest, tags, deployment_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (organization_id, environment_id, kind, id) do update set
               rev = excluded.rev, digest = excluded.digest, tags = excluded.tags,
               deployment_id = excluded.deployment_id",
        )
        .bind(&row.scope.organization).bind(&row.scope.environment)
        .bind(row.change.kind).bind(row.change.id).bind(row.revision).bind(row.digest())
        .bind(Json(row.tags)).bind(row.deployment)
        .execute(connection).await.map(|_| ())
    })
}

/// The hint for the other processes: empty, so that the duplicates of one transaction collapse and no limit of the
/// payload matters. Delivered by Postgres when the transaction commits.
pub(super) async fn notify(tx: &mut Tx) -> sqlx::Result<()> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select pg_notify($1, '')").bind(CHANNEL).execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Revisions of an environment above `after`, ascending, one entry per log row.
pub(crate) async fn revisions_after(db: &Db, scope: &Scope, after: i64) -> sqlx::Result<Vec<i64>> {
    on!(db db, pool => {
        sqlx::query_scalar(
            "select rev from deploy_log
             where organization_id = $1 and environment_id = $2 and rev > $3 order by rev, ord",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(after)
        .fetch_all(pool).await
    })
}
