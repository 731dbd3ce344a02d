//! The audit trail in the store; append only.

use crate::auth::Actor;
use crate::db::{Tx, on};
use crate::scope::Scope;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// A change, named by what was done to what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// `api.create`, `plan.close`, …
    pub(crate) action: &'static str,
    /// `api`, `plan`.
    pub(crate) kind: &'static str,
    pub(crate) id: &'a str,
}

/// Records a change inside its transaction.
pub(crate) async fn record(
    tx: &mut Tx,
    scope: &Scope,
    actor: &Actor,
    entry: Entry<'_>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let Entry { action, kind, id } = entry;
    on!(tx tx, connection => {
        sqlx::query(
            "insert into audit (id, organization_id, environment_id, actor, action, subject_kind, subject_id, at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(Uuid::now_v7())
        .bind(&scope.organization)
        .bind(&scope.environment)
        .bind(&actor.name)
        .bind(action)
        .bind(kind)
        .bind(id)
        .bind(at)
        .execute(connection)
        .await?;
    });
    Ok(())
}
