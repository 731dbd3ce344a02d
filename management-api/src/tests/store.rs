//! What tests read past the API, on SQLite.

use crate::db::Db;
use sqlx::sqlite::Sqlite;
use sqlx::{Decode, Type};

/// The one value of a query.
pub(super) async fn scalar<T>(db: &Db, sql: &'static str) -> T
where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + Send + Unpin,
{
    let Db::Sqlite(pool) = db else { panic!("these tests run on SQLite") };
    sqlx::query_scalar(sql).fetch_one(pool).await.unwrap()
}
