//! APIs in the store.

use super::{ApiRecord, ApiState, Owner, Published};
use crate::db::{Db, Tx, on};
use crate::page::Page;
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::api::{Api, Path};
use definition::digest::Digest;
use sqlx::types::Json;
use uuid::Uuid;

type Row = (
    Uuid,
    Json<Api>,
    String,
    i64,
    Uuid,
    String,
    Option<Vec<u8>>,
    Option<DateTime<Utc>>,
    DateTime<Utc>,
    DateTime<Utc>,
);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select a.id, a.definition, a.state, a.version, u.id, u.name, a.published_digest, a.published_at, ",
            "a.created_at, a.updated_at from apis a join users u on u.id = a.primary_owner ",
            "where a.organization_id = $1 and a.environment_id = $2 ",
            $rest
        )
    };
}

/// Finds an API for reading.
pub(crate) async fn find(db: &Db, scope: &Scope, id: Uuid) -> sqlx::Result<Option<ApiRecord>> {
    let row: Option<Row> = on!(db db, pool => {
        sqlx::query_as(select!("and a.id = $3"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(id)
            .fetch_optional(pool)
            .await?
    });
    row.map(record).transpose()
}

/// Finds an API and holds it until the transaction ends: every change of it or of its plans waits for its turn here.
pub(crate) async fn find_for_update(tx: &mut Tx, scope: &Scope, id: Uuid) -> sqlx::Result<Option<ApiRecord>> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from apis where id = $1 for no key update")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    find_in(tx, scope, id).await
}

/// Finds an API inside a transaction, as it is at this moment.
pub(crate) async fn find_in(tx: &mut Tx, scope: &Scope, id: Uuid) -> sqlx::Result<Option<ApiRecord>> {
    let row: Option<Row> = on!(tx tx, connection => {
        sqlx::query_as(select!("and a.id = $3"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(id)
            .fetch_optional(connection)
            .await?
    });
    row.map(record).transpose()
}

/// One page of the environment's APIs by name, and how many there are.
pub(crate) async fn list(db: &Db, scope: &Scope, page: Page) -> sqlx::Result<(Vec<ApiRecord>, i64)> {
    let (rows, total): (Vec<Row>, i64) = on!(db db, pool => {
        let rows = sqlx::query_as(select!("order by a.name, a.id limit $3 offset $4"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(page.size)
            .bind(page.offset())
            .fetch_all(pool)
            .await?;
        let total = sqlx::query_scalar("select count(*) from apis where organization_id = $1 and environment_id = $2")
            .bind(&scope.organization)
            .bind(&scope.environment)
            .fetch_one(pool)
            .await?;
        (rows, total)
    });
    Ok((rows.into_iter().map(record).collect::<sqlx::Result<_>>()?, total))
}

/// Adds an API; its paths are saved by `replace_paths`.
pub(crate) async fn insert(tx: &mut Tx, scope: &Scope, api: &ApiRecord) -> sqlx::Result<()> {
    let ApiRecord { id, definition, state, version, owner, published: _, created_at, updated_at } = api;
    on!(tx tx, connection => {
        sqlx::query(
            "insert into apis (id, organization_id, environment_id, name, definition, state, version, primary_owner,
                               created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(id)
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(&definition.name)
        .bind(Json(definition))
        .bind(state.label())
        .bind(version)
        .bind(owner.id)
        .bind(created_at)
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// Saves a changed API. The caller holds it by `find_for_update`.
pub(crate) async fn update(tx: &mut Tx, scope: &Scope, api: &ApiRecord) -> sqlx::Result<()> {
    let ApiRecord { id, definition, state, version, owner: _, published, created_at: _, updated_at } = api;
    on!(tx tx, connection => {
        sqlx::query(
            "update apis set name = $4, definition = $5, state = $6, version = $7, published_digest = $8,
                             published_at = $9, updated_at = $10
             where organization_id = $1 and environment_id = $2 and id = $3",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(id)
        .bind(&definition.name)
        .bind(Json(definition))
        .bind(state.label())
        .bind(version)
        .bind(published.as_ref().map(|published| published.digest.to_vec()))
        .bind(published.as_ref().map(|published| published.at))
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// Removes an API with its paths and plans.
pub(crate) async fn delete(tx: &mut Tx, scope: &Scope, id: Uuid) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query("delete from apis where organization_id = $1 and environment_id = $2 and id = $3")
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(id)
            .execute(connection)
            .await?;
    });
    Ok(())
}

/// A path of another API of the environment that covers `path` or is covered by it. The caller holds the
/// environment by `environments::store::lock`.
pub(crate) async fn find_overlapping_path(
    tx: &mut Tx,
    scope: &Scope,
    api: Uuid,
    path: &Path,
) -> sqlx::Result<Option<String>> {
    on!(tx tx, connection => {
        sqlx::query_scalar(
            "select path from api_paths
             where organization_id = $1 and environment_id = $2 and api_id <> $3 and host = $4
               and (substr($5, 1, length(path)) = path or substr(path, 1, length($5)) = $5)
             order by path limit 1",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(api)
        .bind(path.host.as_deref().unwrap_or_default())
        .bind(&path.path)
        .fetch_optional(connection)
        .await
    })
}

/// Makes `paths` the paths of an API.
pub(crate) async fn replace_paths(
    tx: &mut Tx,
    scope: &Scope,
    api: Uuid,
    paths: &[&Path],
) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query("delete from api_paths where api_id = $1").bind(api).execute(&mut *connection).await?;
        for path in paths {
            sqlx::query(
                "insert into api_paths (api_id, organization_id, environment_id, host, path)
                 values ($1, $2, $3, $4, $5)",
            )
            .bind(api)
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(path.host.as_deref().unwrap_or_default())
            .bind(&path.path)
            .execute(&mut *connection)
            .await?;
        }
    });
    Ok(())
}

fn record(row: Row) -> sqlx::Result<ApiRecord> {
    let (
        id,
        Json(definition),
        state,
        version,
        owner,
        owner_name,
        digest,
        published_at,
        created_at,
        updated_at,
    ) = row;
    let corrupt = |what: &str| sqlx::Error::Decode(format!("API {id} has an unreadable {what}").into());
    let state = ApiState::parse(&state).ok_or_else(|| corrupt("state"))?;
    let published = match (digest, published_at) {
        (Some(digest), Some(at)) => {
            Some(Published { digest: digest.try_into().map_err(|_| corrupt("published digest"))?, at })
        }
        (_, _) => None,
    };
    let owner = Owner { id: owner, name: owner_name };
    Ok(ApiRecord { id, definition, state, version, owner, published, created_at, updated_at })
}

/// Content that was published, by its address.
pub(super) async fn published_body(tx: &mut Tx, digest: Digest) -> sqlx::Result<Vec<u8>> {
    on!(tx tx, connection => {
        sqlx::query_scalar("select body from resource_version where digest = $1")
            .bind(digest.to_vec())
            .fetch_one(connection)
            .await
    })
}
