//! Organizations and environments in the store.

use crate::db::{Db, Tx, on};
use crate::scope::Scope;
use uuid::Uuid;

/// How much of a scope exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Both,
    OrganizationOnly,
    Nothing,
}

/// Looks a scope up.
pub(crate) async fn find(db: &Db, scope: &Scope) -> sqlx::Result<Found> {
    if [&scope.organization, &scope.environment].iter().any(|id| id.contains('\0')) {
        return Ok(Found::Nothing);
    }
    let row: Option<(String, Option<String>)> = on!(db db, pool => {
        sqlx::query_as(
            "select o.id, e.id from organizations o
             left join environments e on e.organization_id = o.id and e.id = $2
             where o.id = $1",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .fetch_optional(pool)
        .await?
    });
    Ok(match row {
        Some((_, Some(_))) => Found::Both,
        Some((_, None)) => Found::OrganizationOnly,
        None => Found::Nothing,
    })
}

/// Makes this transaction the only one that changes which paths the environment uses, until it ends.
pub(crate) async fn lock(tx: &mut Tx, scope: &Scope) -> sqlx::Result<()> {
    match tx {
        Tx::Postgres(transaction) => {
            // Not FOR UPDATE: rows that refer to the environment may be written meanwhile.
            sqlx::query(
                "select 1 from environments where organization_id = $1 and id = $2 for no key update",
            )
            .bind(&scope.organization)
            .bind(&scope.environment)
            .execute(&mut **transaction)
            .await?;
        }
        // Its write transactions exclude each other from their beginning.
        Tx::Sqlite(_) => {}
    }
    Ok(())
}

/// Creates what has to be there before the first request: the scope, its revision counter, the epoch of the store.
pub(crate) async fn seed(db: &Db, scope: &Scope) -> sqlx::Result<()> {
    let mut tx = db.begin().await?;
    on!(tx &mut tx, connection => {
        sqlx::query("insert into organizations (id, name) values ($1, $1) on conflict (id) do nothing")
            .bind(&scope.organization)
            .execute(&mut *connection)
            .await?;
        sqlx::query(
            "insert into environments (id, organization_id, name) values ($1, $2, $1)
             on conflict (organization_id, id) do nothing",
        )
        .bind(&scope.environment)
        .bind(&scope.organization)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "insert into env_head (organization_id, environment_id, head_rev) values ($1, $2, 0)
             on conflict (organization_id, environment_id) do nothing",
        )
        .bind(&scope.organization)
        .bind(&scope.environment)
        .execute(&mut *connection)
        .await?;
        sqlx::query("insert into control_meta (one, epoch) values (1, $1) on conflict (one) do nothing")
            .bind(Uuid::new_v4())
            .execute(&mut *connection)
            .await?;
    });
    tx.commit().await
}
