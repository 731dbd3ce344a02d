//! The fingerprint of the key that seals the store.

use crate::db::{Db, on};

/// Keeps the fingerprint of the first key that comes, and answers the one that is kept.
pub(super) async fn remember(db: &Db, fingerprint: &str) -> sqlx::Result<String> {
    on!(db db, pool => {
        sqlx::query("insert into seal (one, fingerprint) values (1, $1) on conflict (one) do nothing")
            .bind(fingerprint)
            .execute(pool)
            .await?;
        sqlx::query_scalar("select fingerprint from seal where one = 1").fetch_one(pool).await
    })
}

/// The fingerprint, when a node with a key has been here.
pub(super) async fn fingerprint(db: &Db) -> sqlx::Result<Option<String>> {
    on!(db db, pool => {
        sqlx::query_scalar("select fingerprint from seal where one = 1").fetch_optional(pool).await
    })
}
