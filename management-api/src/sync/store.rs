//! What the sync server reads of the deploy log and of its content.

use super::state::{Content, Entry, Key};
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use definition::digest::Digest;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The columns of one wanted resource.
type ResourceColumns =
    (String, String, i64, Option<Vec<u8>>, Json<Vec<String>>, Option<Uuid>, Option<i32>, Option<i64>);

/// Where every environment stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heads {
    pub(super) epoch: Uuid,
    pub(super) revisions: BTreeMap<Scope, u64>,
}

/// A revision as the wire counts it. The store never holds a negative one.
fn revision(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn stored(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

/// A transaction that sees one moment of the store and takes no lock.
pub(super) async fn snapshot(db: &Db) -> sqlx::Result<Tx> {
    Ok(match db {
        Db::Postgres(pool) => {
            Tx::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
        }
        Db::Sqlite(pool) => Tx::Sqlite(pool.begin_with("begin deferred").await?),
    })
}

/// Creates the epoch of a new store.
pub(super) async fn ensure_epoch(db: &Db) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query("insert into control_meta (one, epoch) values (1, $1) on conflict (one) do nothing")
            .bind(Uuid::now_v7()).execute(pool).await.map(|_| ())
    })
}

/// Begins a new epoch, unless another replica already ended `old`.
pub(super) async fn end_epoch(db: &Db, old: Uuid) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query("update control_meta set epoch = $1 where epoch = $2")
            .bind(Uuid::now_v7()).bind(old).execute(pool).await.map(|_| ())
    })
}

/// One cheap statement: what a poll costs when nothing happened.
pub(super) async fn heads(db: &Db) -> sqlx::Result<Heads> {
    type Columns = (Uuid, Option<String>, Option<String>, Option<i64>);
    let rows: Vec<Columns> = on!(db db, pool => {
        sqlx::query_as(
            "select m.epoch, h.organization_id, h.environment_id, h.head_rev
             from control_meta m left join env_head h on 1 = 1",
        )
        .fetch_all(pool).await?
    });
    let mut heads = Heads::default();
    for (epoch, organization, environment, head) in rows {
        heads.epoch = epoch;
        if let (Some(organization), Some(environment), Some(head)) = (organization, environment, head) {
            heads.revisions.insert(Scope { organization, environment }, revision(head));
        }
    }
    Ok(heads)
}

/// Revisions above `after` with their commit times in milliseconds, ascending, as a snapshot sees them.
pub(super) async fn revisions_after(tx: &mut Tx, scope: &Scope, after: u64) -> sqlx::Result<Vec<(u64, u64)>> {
    let rows: Vec<(i64, DateTime<Utc>)> = on!(tx tx, connection => {
        sqlx::query_as(
            "select rev, at from deploy_log
             where organization_id = $1 and environment_id = $2 and rev > $3 and ord = 0 order by rev",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(stored(after))
        .fetch_all(connection).await?
    });
    Ok(rows.into_iter().map(|(rev, at)| (revision(rev), milliseconds(at))).collect())
}

/// Head and commit time of an environment, as a snapshot sees them.
pub(super) async fn head(tx: &mut Tx, scope: &Scope) -> sqlx::Result<(u64, u64)> {
    let row: Option<(i64, Option<DateTime<Utc>>)> = on!(tx tx, connection => {
        sqlx::query_as(
            "select h.head_rev, l.at from env_head h
             left join deploy_log l on l.organization_id = h.organization_id
               and l.environment_id = h.environment_id and l.rev = h.head_rev and l.ord = 0
             where h.organization_id = $1 and h.environment_id = $2",
        )
        .bind(&scope.organization).bind(&scope.environment)
        .fetch_optional(connection).await?
    });
    Ok(row.map_or((0, 0), |(head, at)| (revision(head), at.map_or(0, milliseconds))))
}

/// Resources whose last revision is above `after`, as they are wanted now.
pub(super) async fn resources_after(
    tx: &mut Tx,
    scope: &Scope,
    after: u64,
) -> sqlx::Result<Vec<(Key, Entry)>> {
    let rows: Vec<ResourceColumns> = on!(tx tx, connection => {
        sqlx::query_as(
            "select d.kind, d.id, d.rev, d.digest, d.tags, d.deployment_id,
                    v.schema_version, cast(length(v.body) as bigint)
             from deployed d left join resource_version v on v.digest = d.digest
             where d.organization_id = $1 and d.environment_id = $2 and d.rev > $3",
        )
        .bind(&scope.organization).bind(&scope.environment).bind(stored(after))
        .fetch_all(connection).await?
    });
    rows.into_iter().map(entry).collect()
}

fn entry(columns: ResourceColumns) -> sqlx::Result<(Key, Entry)> {
    let (kind, id, rev, digest, Json(tags), deployment, schema_version, size) = columns;
    let content = digest
        .map(|bytes| {
            let digest = Digest::try_from(bytes)
                .map_err(|_| sqlx::Error::Decode(format!("{kind} {id}: a digest has 32 bytes").into()))?;
            let (Some(schema_version), Some(size)) = (schema_version, size) else {
                return Err(sqlx::Error::Decode(format!("{kind} {id}: its content is missing").into()));
            };
            let schema_version = u32::try_from(schema_version).unwrap_or(0);
            Ok(Content { digest, schema_version, size: usize::try_from(size).unwrap_or(0) })
        })
        .transpose()?;
    Ok((Key::new(&kind, &id), Entry { revision: revision(rev), content, tags, deployment }))
}

/// Immutable content by its address.
pub(super) async fn body(db: &Db, digest: &Digest) -> sqlx::Result<Bytes> {
    let body: Vec<u8> = on!(db db, pool => {
        sqlx::query_scalar("select body from resource_version where digest = $1")
            .bind(&digest[..]).fetch_one(pool).await?
    });
    Ok(Bytes::from(body))
}

fn milliseconds(at: DateTime<Utc>) -> u64 {
    u64::try_from(at.timestamp_millis()).unwrap_or(0)
}
