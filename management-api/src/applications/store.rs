//! Applications in the store.

use super::ApplicationRecord;
use crate::apis::Owner;
use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::application::{Application, ApplicationStatus};
use sqlx::types::Json;
use uuid::Uuid;

type Row = (Uuid, Json<Application>, String, Uuid, String, DateTime<Utc>, DateTime<Utc>);

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select a.id, a.definition, a.status, u.id, u.name, a.created_at, a.updated_at ",
            "from applications a join users u on u.id = a.primary_owner ",
            "where a.organization_id = $1 and a.environment_id = $2 ",
            $rest
        )
    };
}

/// Finds an application for reading.
pub(crate) async fn find(db: &Db, scope: &Scope, id: Uuid) -> sqlx::Result<Option<ApplicationRecord>> {
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

/// Finds an application inside a transaction, as it is at this moment.
pub(crate) async fn find_in(tx: &mut Tx, scope: &Scope, id: Uuid) -> sqlx::Result<Option<ApplicationRecord>> {
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

/// Finds an application and holds it until the transaction ends. Applications are held before APIs, so that nobody
/// waits in a circle.
pub(crate) async fn find_for_update(
    tx: &mut Tx,
    scope: &Scope,
    id: Uuid,
) -> sqlx::Result<Option<ApplicationRecord>> {
    if let Tx::Postgres(transaction) = tx {
        sqlx::query("select 1 from applications where id = $1 for no key update")
            .bind(id)
            .execute(&mut **transaction)
            .await?;
    }
    find_in(tx, scope, id).await
}

/// The applications of an environment by name.
pub(crate) async fn list(
    db: &Db,
    scope: &Scope,
    status: ApplicationStatus,
) -> sqlx::Result<Vec<ApplicationRecord>> {
    let rows: Vec<Row> = on!(db db, pool => {
        sqlx::query_as(select!("and a.status = $3 order by a.name, a.id"))
            .bind(&scope.organization)
            .bind(&scope.environment)
            .bind(status.label())
            .fetch_all(pool)
            .await?
    });
    rows.into_iter().map(record).collect()
}

/// Ids and names of the applications that ever subscribed to an API.
pub(crate) async fn list_of_api(db: &Db, scope: &Scope, api: Uuid) -> sqlx::Result<Vec<(Uuid, String)>> {
    on!(db db, pool => {
        sqlx::query_as(
            "select id, name from applications where organization_id = $1 and environment_id = $2
             and id in (select application_id from subscriptions where api_id = $3)",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(api)
        .fetch_all(pool)
        .await
    })
}

/// Adds an application.
pub(crate) async fn insert(tx: &mut Tx, scope: &Scope, application: &ApplicationRecord) -> sqlx::Result<()> {
    let ApplicationRecord { id, definition, status, owner, created_at, updated_at } = application;
    on!(tx tx, connection => {
        sqlx::query(
            "insert into applications (id, organization_id, environment_id, name, definition, client_id, status,
                                       primary_owner, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(id)
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(&definition.name)
        .bind(Json(definition))
        .bind(definition.client_id())
        .bind(status.label())
        .bind(owner.id)
        .bind(created_at)
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// Saves a changed application. The caller holds it.
pub(crate) async fn update(tx: &mut Tx, application: &ApplicationRecord) -> sqlx::Result<()> {
    let ApplicationRecord { id, definition, status, owner: _, created_at: _, updated_at } = application;
    on!(tx tx, connection => {
        sqlx::query(
            "update applications set name = $2, definition = $3, client_id = $4, status = $5, updated_at = $6
             where id = $1",
        )
        .bind(id)
        .bind(&definition.name)
        .bind(Json(definition))
        .bind(definition.client_id())
        .bind(status.label())
        .bind(updated_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// True when another active application of the environment has this client identifier.
pub(crate) async fn client_id_is_taken(
    tx: &mut Tx,
    scope: &Scope,
    application: Uuid,
    client_id: &str,
) -> sqlx::Result<bool> {
    let count: i64 = on!(tx tx, connection => {
        sqlx::query_scalar(
            "select count(*) from applications
             where organization_id = $1 and environment_id = $2 and client_id = $3 and id <> $4
               and status = 'ACTIVE'",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(client_id)
        .bind(application)
        .fetch_one(connection)
        .await?
    });
    Ok(count > 0)
}

fn record(row: Row) -> sqlx::Result<ApplicationRecord> {
    let (id, Json(definition), status, owner, owner_name, created_at, updated_at) = row;
    let status = ApplicationStatus::parse(&status)
        .ok_or_else(|| sqlx::Error::Decode(format!("application {id} has an unreadable status").into()))?;
    let owner = Owner { id: owner, name: owner_name };
    Ok(ApplicationRecord { id, definition, status, owner, created_at, updated_at })
}
