//! Users in the store. They belong to the installation, not to an environment.

use super::User;
use crate::db::{Db, on};
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Finds a user by the name that a caller gave.
pub(crate) async fn find_by_name(db: &Db, name: &str) -> sqlx::Result<Option<User>> {
    let row: Option<(Uuid, String, String)> = on!(db db, pool => {
        sqlx::query_as("select id, name, password_hash from users where name = $1")
            .bind(name)
            .fetch_optional(pool)
            .await?
    });
    Ok(row.map(|(id, name, password_hash)| User { id, name, password_hash }))
}

/// True while nobody can log in.
pub(crate) async fn none_exists(db: &Db) -> sqlx::Result<bool> {
    let count: i64 = on!(db db, pool => {
        sqlx::query_scalar("select count(*) from users").fetch_one(pool).await?
    });
    Ok(count == 0)
}

/// Adds a user; a name that is taken stays as it is, because several nodes may start on an empty store together.
pub(crate) async fn insert_if_absent(db: &Db, user: &User, at: DateTime<Utc>) -> sqlx::Result<()> {
    on!(db db, pool => {
        sqlx::query(
            "insert into users (id, name, password_hash, created_at) values ($1, $2, $3, $4)
             on conflict (name) do nothing",
        )
        .bind(user.id)
        .bind(&user.name)
        .bind(&user.password_hash)
        .bind(at)
        .execute(pool)
        .await?;
    });
    Ok(())
}
