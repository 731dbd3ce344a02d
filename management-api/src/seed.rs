//! What has to be in the store before the first request: a scope, and somebody who can log in.

use crate::auth::{hash_password, is_password};
use crate::clock::Clock;
use crate::config::ManagementConfig;
use crate::db::Db;
use crate::environments::{self, DEFAULT};
use crate::scope::Scope;
use crate::users::{self, User};
use anyhow::bail;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// Name of the first user.
const ADMIN: &str = "admin";
/// The password that everybody knows; tolerated where only this machine can connect.
const DEFAULT_PASSWORD: &str = "admin";
/// Shortest password of the first user where other machines can connect, characters. Longer than the default one.
const PASSWORD_MIN_CHARS: usize = 10;

/// Seeds the store and refuses to go on where nobody, or anybody, could log in.
pub(crate) async fn seed(db: &Db, clock: &Clock, config: &ManagementConfig) -> anyhow::Result<()> {
    let scope = Scope { organization: DEFAULT.to_owned(), environment: DEFAULT.to_owned() };
    environments::store::seed(db, &scope).await?;
    let reachable = !config.rest_listen.ip().is_loopback();
    if users::store::none_exists(db).await? {
        let Some(password) = config.admin_password.clone() else {
            bail!(
                "the store has no user yet: set TIDEGATE_ADMIN_PASSWORD (or TIDEGATE_ADMIN_PASSWORD_FILE) to the \
                 password that the user `{ADMIN}` shall get"
            );
        };
        // Before anything is written: a password that was refused must not be the one that is stored.
        if reachable && password.expose_secret().chars().count() < PASSWORD_MIN_CHARS {
            bail!(
                "the password of the first user is too short for {}, which can be reached from other machines: set \
                 TIDEGATE_ADMIN_PASSWORD to at least {PASSWORD_MIN_CHARS} characters, or listen on loopback",
                config.rest_listen
            );
        }
        let password_hash = hash(password).await?;
        let user = User { id: Uuid::new_v4(), name: ADMIN.to_owned(), password_hash };
        users::store::insert_if_absent(db, &user, clock.now()).await?;
        tracing::info!(user = ADMIN, "created the first user");
    }
    if reachable && has_default_password(db).await? {
        bail!(
            "the user `{ADMIN}` has the default password, and {} can be reached from other machines: listen on \
             loopback, or start on an empty store with a password of your own",
            config.rest_listen
        );
    }
    Ok(())
}

async fn hash(password: SecretString) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || hash_password(&password)).await?
}

async fn has_default_password(db: &Db) -> anyhow::Result<bool> {
    let Some(admin) = users::store::find_by_name(db, ADMIN).await? else { return Ok(false) };
    let default = SecretString::from(DEFAULT_PASSWORD);
    Ok(tokio::task::spawn_blocking(move || is_password(&default, &admin.password_hash)).await?)
}
