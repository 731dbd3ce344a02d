//! What tests read past the API, and the databases that they read from.

use crate::db::{Db, on};
use uuid::Uuid;

/// The number that a query answers.
pub(crate) async fn count(db: &Db, sql: &'static str) -> i64 {
    on!(db db, pool => sqlx::query_scalar(sql).fetch_one(pool).await.unwrap())
}

/// The texts of a query's only column.
pub(super) async fn texts(db: &Db, sql: &'static str) -> Vec<String> {
    on!(db db, pool => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap())
}

/// The bytes of a query's only column.
pub(super) async fn bytes(db: &Db, sql: &'static str) -> Vec<Vec<u8>> {
    on!(db db, pool => sqlx::query_scalar(sql).fetch_all(pool).await.unwrap())
}

/// URL of a new, empty database on the Postgres server of this test run. `None` where there is no such server;
/// `make test` always has one, so there its absence is a failure.
pub(super) async fn postgres() -> Option<String> {
    let Some(url) = setting("TIDEGATE_TEST_POSTGRES_URL") else {
        assert!(
            setting("TIDEGATE_TEST_RUN").is_none(),
            "`make test` runs, but TIDEGATE_TEST_POSTGRES_URL is not set"
        );
        return None;
    };
    let (server, _) = url.rsplit_once('/').expect("the URL names a database");
    let name = format!("rest_{}", Uuid::new_v4().simple());
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&pool).await.unwrap();
    pool.close().await;
    Some(format!("{server}/{name}"))
}

#[expect(clippy::disallowed_methods, reason = "where a test learns where its services are")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
