//! Plans in the store. A plan is reached through its API, and an API through its scope.

use super::PlanRecord;
use crate::apis::ApiRecord;
use crate::db::{Db, Tx, on};
use crate::page::Page;
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use definition::plan::{Plan, PlanStatus};
use sqlx::types::Json;
use uuid::Uuid;

type Row = (
    Uuid,
    Uuid,
    Json<Plan>,
    String,
    i32,
    DateTime<Utc>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<DateTime<Utc>>,
);

/// Whether a row was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Inserted {
    Yes,
    AlreadyThere,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select id, api_id, definition, status, position, created_at, updated_at, published_at, closed_at ",
            "from plans where ",
            $rest,
            " order by position, created_at, id"
        )
    };
}

/// The plans of an API in their order, for reading.
pub(crate) async fn list(db: &Db, api: &ApiRecord) -> sqlx::Result<Vec<PlanRecord>> {
    let rows: Vec<Row> = on!(db db, pool => {
        sqlx::query_as(select!("api_id = $1")).bind(api.id).fetch_all(pool).await?
    });
    rows.into_iter().map(record).collect()
}

/// The same inside a transaction that holds the API.
pub(crate) async fn list_for_update(tx: &mut Tx, api: &ApiRecord) -> sqlx::Result<Vec<PlanRecord>> {
    let rows: Vec<Row> = on!(tx tx, connection => {
        sqlx::query_as(select!("api_id = $1")).bind(api.id).fetch_all(connection).await?
    });
    rows.into_iter().map(record).collect()
}

/// The plans of every API on a page of `apis::store::list`.
pub(crate) async fn list_for_page(db: &Db, scope: &Scope, page: Page) -> sqlx::Result<Vec<PlanRecord>> {
    let rows: Vec<Row> = on!(db db, pool => {
        sqlx::query_as(select!(
            "api_id in (select id from apis where organization_id = $1 and environment_id = $2 \
             order by name, id limit $3 offset $4)"
        ))
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(page.size)
        .bind(page.offset())
        .fetch_all(pool)
        .await?
    });
    rows.into_iter().map(record).collect()
}

/// The API of a plan, for those who only name the plan.
pub(crate) async fn api_of(tx: &mut Tx, scope: &Scope, plan: Uuid) -> sqlx::Result<Option<Uuid>> {
    on!(tx tx, connection => {
        sqlx::query_scalar(
            "select a.id from plans p join apis a on a.id = p.api_id
             where p.id = $1 and a.organization_id = $2 and a.environment_id = $3",
        )
        .bind(plan)
        .bind(&scope.organization)
        .bind(&scope.environment)
        .fetch_optional(connection)
        .await
    })
}

/// Adds a plan. Authors may choose ids, and each names one plan: `AlreadyThere` when any API has a plan of this id.
pub(crate) async fn insert(tx: &mut Tx, plan: &PlanRecord) -> sqlx::Result<Inserted> {
    let PlanRecord {
        id,
        api_id,
        definition,
        status,
        position,
        created_at,
        updated_at,
        published_at,
        closed_at,
    } = plan;
    let rows = on!(tx tx, connection => {
        sqlx::query(
            "insert into plans (id, api_id, definition, status, position, created_at, updated_at, published_at,
                                closed_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing",
        )
        .bind(id)
        .bind(api_id)
        .bind(Json(definition))
        .bind(status.label())
        .bind(position)
        .bind(created_at)
        .bind(updated_at)
        .bind(published_at)
        .bind(closed_at)
        .execute(connection)
        .await?
        .rows_affected()
    });
    Ok(if rows == 0 { Inserted::AlreadyThere } else { Inserted::Yes })
}

/// Saves a changed plan. The caller holds its API.
pub(crate) async fn update(tx: &mut Tx, plan: &PlanRecord) -> sqlx::Result<()> {
    let PlanRecord {
        id,
        api_id,
        definition,
        status,
        position,
        created_at: _,
        updated_at,
        published_at,
        closed_at,
    } = plan;
    on!(tx tx, connection => {
        sqlx::query(
            "update plans set definition = $3, status = $4, position = $5, updated_at = $6, published_at = $7,
                              closed_at = $8
             where id = $1 and api_id = $2",
        )
        .bind(id)
        .bind(api_id)
        .bind(Json(definition))
        .bind(status.label())
        .bind(position)
        .bind(updated_at)
        .bind(published_at)
        .bind(closed_at)
        .execute(connection)
        .await?;
    });
    Ok(())
}

/// Removes a plan.
pub(crate) async fn delete(tx: &mut Tx, api: &ApiRecord, id: Uuid) -> sqlx::Result<()> {
    on!(tx tx, connection => {
        sqlx::query("delete from plans where id = $1 and api_id = $2")
            .bind(id)
            .bind(api.id)
            .execute(connection)
            .await?;
    });
    Ok(())
}

fn record(row: Row) -> sqlx::Result<PlanRecord> {
    let (id, api_id, Json(definition), status, position, created_at, updated_at, published_at, closed_at) =
        row;
    let status = PlanStatus::parse(&status)
        .ok_or_else(|| sqlx::Error::Decode(format!("plan {id} has an unreadable status").into()))?;
    Ok(PlanRecord {
        id,
        api_id,
        definition,
        status,
        position,
        created_at,
        updated_at,
        published_at,
        closed_at,
    })
}
