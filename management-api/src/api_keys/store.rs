//! API keys in the store. A key is reached through its subscription, and a subscription through its scope.

use super::KeyRecord;
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use uuid::Uuid;

type Row = (
    Uuid,
    Uuid,
    String,
    Vec<u8>,
    bool,
    bool,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
    DateTime<Utc>,
);

const OF_SUBSCRIPTION: &str =
    "select id, subscription_id, hash, sealed, revoked, paused, expire_at, revoked_at,
        created_at, updated_at
 from api_keys where subscription_id = $1 order by created_at desc, id";

/// The keys of a subscription, latest first.
pub(crate) async fn of_subscription(db: &Db, subscription: Uuid) -> sqlx::Result<Vec<KeyRecord>> {
    let rows: Vec<Row> = on!(db db, pool => {
        sqlx::query_as(OF_SUBSCRIPTION).bind(subscription).fetch_all(pool).await?
    });
    Ok(rows.into_iter().map(record).collect())
}

/// The same inside a transaction.
pub(crate) async fn of_subscription_in(tx: &mut Tx, subscription: Uuid) -> sqlx::Result<Vec<KeyRecord>> {
    let rows: Vec<Row> = on!(tx tx, connection => {
        sqlx::query_as(OF_SUBSCRIPTION).bind(subscription).fetch_all(connection).await?
    });
    Ok(rows.into_iter().map(record).collect())
}

/// How many keys with a hash exist that an application cannot have too for an API: those of other applications, and
/// its own for the same API.
const TAKEN: &str = "select count(*) from api_keys k join subscriptions s on s.id = k.subscription_id
 where k.hash = $1 and s.organization_id = $2 and s.environment_id = $3
   and (s.application_id <> $4 or s.api_id = $5)";

/// True when an application cannot have this key for an API. The caller holds the environment.
pub(crate) async fn is_taken(
    tx: &mut Tx,
    scope: &Scope,
    hash: &str,
    application: Uuid,
    api: Uuid,
) -> sqlx::Result<bool> {
    let count: i64 = on!(tx tx, connection => {
        sqlx::query_scalar(TAKEN)
            .bind(hash)
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(application)
            .bind(api)
            .fetch_one(connection)
            .await?
    });
    Ok(count > 0)
}

/// The same, as it is at this moment.
pub(crate) async fn is_taken_now(
    db: &Db,
    scope: &Scope,
    hash: &str,
    application: Uuid,
    api: Uuid,
) -> sqlx::Result<bool> {
    let count: i64 = on!(db db, pool => {
        sqlx::query_scalar(TAKEN)
            .bind(hash)
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(application)
            .bind(api)
            .fetch_one(pool)
            .await?
    });
    Ok(count > 0)
}

/// Adds a key, or saves a changed one. The caller holds its subscription.
pub(crate) async fn save(tx: &mut Tx, key: &KeyRecord) -> sqlx::Result<()> {
    let KeyRecord {
        id,
        subscription_id,
        hash,
        sealed,
        revoked,
        paused,
        expire_at,
        revoked_at,
        created_at,
        updated_at,
    } = key;
    on!(tx tx, connection => {
        sqlx::query(
            "insert into api_keys (id, subscription_id, hash, sealed, revoked, paused, expire_at, revoked_at,
                                   created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (id) do update set revoked = excluded.revoked, paused = excluded.paused,
               expire_at = excluded.expire_at, revoked_at = excluded.revoked_at, updated_at = excluded.updated_at",
        )
        .bind(id)
        .bind(subscription_id)
        .bind(hash)
        .bind(sealed)
        .bind(revoked)
        .bind(paused)
        .bind(expire_at)
        .bind(revoked_at)
        .bind(created_at)
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

fn record(row: Row) -> KeyRecord {
    let (id, subscription_id, hash, sealed, revoked, paused, expire_at, revoked_at, created_at, updated_at) =
        row;
    KeyRecord {
        id,
        subscription_id,
        hash,
        sealed,
        revoked,
        paused,
        expire_at,
        revoked_at,
        created_at,
        updated_at,
    }
}
