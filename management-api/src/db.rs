//! The store's two engines behind one style: the same SQL text runs on Postgres and on SQLite.
//!
//! A query is written once inside `on!`, which expands it for either engine; `store.rs` files hold the queries.
//! Numbered parameters (`$1`), uuids, `Json<T>` and timestamps are bound as such on both.

use anyhow::Context as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// Connections per management node.
const POOL_MAX_CONNECTIONS: u32 = 10;
/// Wait for a free connection or for SQLite's write lock.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection of the pool waits for at most: a node that hangs or was cut off must not keep the others waiting
/// for its locks.
const POSTGRES_BOUNDS: &str =
    "select set_config('lock_timeout', '5s', false), set_config('statement_timeout', '10s', false),
            set_config('idle_in_transaction_session_timeout', '10s', false)";

/// A pool of either engine.
#[derive(Debug, Clone)]
pub enum Db {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// A write transaction of either engine. Rolled back when dropped.
pub enum Tx {
    Postgres(Transaction<'static, Postgres>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// Runs one expression on either engine. `$executor` is bound to the pool, or to `&mut connection` of a transaction.
macro_rules! on {
    (db $db:expr, $executor:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Postgres($executor) => $body,
            $crate::db::Db::Sqlite($executor) => $body,
        }
    };
    (tx $tx:expr, $executor:ident => $body:expr) => {
        match $tx {
            $crate::db::Tx::Postgres(transaction) => {
                let $executor = &mut **transaction;
                $body
            }
            $crate::db::Tx::Sqlite(transaction) => {
                let $executor = &mut **transaction;
                $body
            }
        }
    };
}
pub(crate) use on;

/// Makes the file of a new store, readable for nobody else: it holds the secrets of definitions and subscriptions. SQLite's other
/// files get the same rights.
fn for_us_alone(file: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("the store {} cannot be made", file.display())),
    }
}

impl Db {
    /// Connects by URL (`postgres://…` or `sqlite://…`) and brings the schema up to date.
    ///
    /// # Errors
    /// The store cannot be reached or used, or is one in memory.
    pub async fn connect(url: &str) -> anyhow::Result<Db> {
        let db = if url.starts_with("sqlite:") {
            // Its connections lock each other out of whole tables, and do not wait.
            anyhow::ensure!(
                !url.contains(":memory:") && !url.contains("mode=memory"),
                "SQLite in memory cannot be used as the store: name a file, for example sqlite:///tmp/tidegate.db"
            );
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .foreign_keys(true)
                .busy_timeout(ACQUIRE_TIMEOUT)
                .journal_mode(SqliteJournalMode::Wal)
                // FULL: an answered write survives a power cut, as on Postgres.
                .synchronous(SqliteSynchronous::Full);
            for_us_alone(options.get_filename())?;
            let pool = SqlitePoolOptions::new()
                .max_connections(POOL_MAX_CONNECTIONS)
                .acquire_timeout(ACQUIRE_TIMEOUT);
            Db::Sqlite(pool.connect_with(options).await?)
        } else {
            let options = PgConnectOptions::from_str(url)?;
            let pool = PgPoolOptions::new()
                .max_connections(POOL_MAX_CONNECTIONS)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        sqlx::query(POSTGRES_BOUNDS).execute(connection).await?;
                        Ok(())
                    })
                });
            // The schema comes first and on its own connection: a long migration, or the wait for another node's, is
            // no statement that hangs.
            let mut connection = PgConnection::connect_with(&options).await?;
            migrator(POSTGRES_MIGRATIONS).run(&mut connection).await?;
            connection.close().await?;
            Db::Postgres(pool.connect_with(options).await?)
        };
        if let Db::Sqlite(pool) = &db {
            migrator(SQLITE_MIGRATIONS).run(pool).await?;
        }
        Ok(db)
    }

    /// Answers when the store does.
    pub async fn ping(&self) -> sqlx::Result<()> {
        match self {
            Db::Postgres(pool) => sqlx::query("select 1").execute(pool).await.map(drop),
            Db::Sqlite(pool) => sqlx::query("select 1").execute(pool).await.map(drop),
        }
    }

    /// Begins a write transaction. SQLite takes its write lock at once, so that a transaction that read first can
    /// never fail to upgrade.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        Ok(match self {
            Db::Postgres(pool) => Tx::Postgres(pool.begin().await?),
            Db::Sqlite(pool) => Tx::Sqlite(pool.begin_with("begin immediate").await?),
        })
    }
}

impl Tx {
    /// Makes the transaction durable and tells the sync servers of this process.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Tx::Postgres(transaction) => transaction.commit().await?,
            Tx::Sqlite(transaction) => transaction.commit().await?,
        }
        crate::deploy_log::wake::committed();
        Ok(())
    }
}

/// `(version, description, SQL)` of one engine; append only.
type Migrations = &'static [(i64, &'static str, &'static str)];

const POSTGRES_MIGRATIONS: Migrations = &[
    (1, "init", include_str!("../../migrations/postgres/0001_init.sql")),
    (2, "consumers", include_str!("../../migrations/postgres/0002_consumers.sql")),
    (3, "push", include_str!("../../migrations/postgres/0003_push.sql")),
];
const SQLITE_MIGRATIONS: Migrations = &[
    (1, "init", include_str!("../../migrations/sqlite/0001_init.sql")),
    (2, "consumers", include_str!("../../migrations/sqlite/0002_consumers.sql")),
    (3, "push", include_str!("../../migrations/sqlite/0003_push.sql")),
];

fn migrator(migrations: Migrations) -> Migrator {
    let migrations = migrations
        .iter()
        .map(|(version, description, sql)| {
            Migration::new(
                *version,
                Cow::Borrowed(description),
                MigrationType::Simple,
                sqlx::SqlStr::from_static(sql),
                false,
            )
        })
        .collect::<Vec<_>>();
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}
