//! Who is calling, and where: the two extractors that every handler below `/management` asks for.
//!
//! Passwords are kept as argon2 hashes. Checking one takes tens of milliseconds and 19 MiB on purpose, too much for
//! every request, so a pair of name and password that was right is remembered for a short while, as a salted hash.

use crate::app::AppState;
use crate::error::{ApiError, Result};
use crate::scope::Scope;
use crate::{environments, users};
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use axum::extract::{FromRequestParts, RawPathParams};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// How long a checked password is trusted without looking at the store again. A changed password or a removed user
/// takes effect after this time at the latest.
const TRUST: Duration = Duration::from_secs(30);
/// Callers remembered at the same time.
const REMEMBERED_MAX: usize = 1_024;
/// Password checks at the same time: bounds the memory and the processors that wrong guesses can take.
const CHECKS_MAX: usize = 2;
/// Wait for a turn to have a password checked.
const CHECK_WAIT: Duration = Duration::from_secs(10);
/// Longest name or password that is looked at, bytes.
const CREDENTIAL_MAX_BYTES: usize = 1_024;

/// The caller, authenticated. Every user may do everything in this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    pub(crate) id: Uuid,
    pub(crate) name: String,
}

impl FromRequestParts<AppState> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let header = parts.headers.get(AUTHORIZATION).ok_or(ApiError::Unauthorized)?;
        let (name, password) = basic(header.as_bytes()).ok_or(ApiError::Unauthorized)?;
        app.verifier.verify(app, &name, &password).await
    }
}

impl FromRequestParts<AppState> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, app)
            .await
            .map_err(|rejection| ApiError::bad_request(rejection.body_text()))?;
        let find =
            |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
        // 4.x paths may leave the organization out.
        let organization = find("org").unwrap_or_else(|| environments::DEFAULT.to_owned());
        let scope = Scope { organization, environment: find("env").unwrap_or_default() };
        match environments::store::find(&app.db, &scope).await? {
            environments::store::Found::Both => Ok(scope),
            environments::store::Found::OrganizationOnly => {
                Err(ApiError::not_found("environment.notFound", "environment", &scope.environment))
            }
            environments::store::Found::Nothing => {
                Err(ApiError::not_found("organization.notFound", "organization", &scope.organization))
            }
        }
    }
}

/// Reads `Basic <base64 of name:password>`.
fn basic(header: &[u8]) -> Option<(String, SecretString)> {
    let (scheme, encoded) = header.split_at_checked("basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim_ascii()).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    // A name with U+0000 is nobody's, and Postgres would refuse to look for it.
    let fits = |text: &str| text.len() <= CREDENTIAL_MAX_BYTES && !text.contains('\0');
    (fits(name) && fits(password)).then(|| (name.to_owned(), SecretString::from(password)))
}

/// The hash of a password as the store keeps it.
pub(crate) fn hash_password(password: &SecretString) -> anyhow::Result<String> {
    let hash = Argon2::default()
        .hash_password(password.expose_secret().as_bytes())
        .map_err(|error| anyhow::anyhow!("the password could not be hashed: {error}"))?;
    Ok(hash.to_string())
}

/// True when `hash` is one of `password`. Slow on purpose.
pub(crate) fn is_password(password: &SecretString, hash: &str) -> bool {
    Argon2::default().verify_password(password.expose_secret().as_bytes(), hash).is_ok()
}

/// Checks passwords and remembers the right ones for a short while.
#[derive(Debug)]
pub(crate) struct Verifier {
    salt: [u8; 32],
    checks: Semaphore,
    remembered: Mutex<HashMap<[u8; 32], (Actor, Instant)>>,
}

impl Verifier {
    pub(crate) fn new() -> Verifier {
        Verifier { salt: rand::random(), checks: Semaphore::new(CHECKS_MAX), remembered: Mutex::default() }
    }

    async fn verify(&self, app: &AppState, name: &str, password: &SecretString) -> Result<Actor> {
        let key = self.key(name, password);
        if let Some(actor) = self.recall(&key) {
            return Ok(actor);
        }
        let _permit = match tokio::time::timeout(CHECK_WAIT, self.checks.acquire()).await {
            Ok(permit) => permit.map_err(anyhow::Error::new)?,
            Err(_) => {
                let text = "Too many passwords are being checked at the moment, please try again.";
                return Err(ApiError::plain(StatusCode::SERVICE_UNAVAILABLE, text));
            }
        };
        // Those who waited beside the first check of the same password find its result here.
        if let Some(actor) = self.recall(&key) {
            return Ok(actor);
        }
        let user = users::store::find_by_name(&app.db, name).await?;
        let password = password.clone();
        let checked = tokio::task::spawn_blocking(move || match user {
            Some(user) => is_password(&password, &user.password_hash).then_some(user),
            None => {
                // The same work as for a known name, so that time does not tell which names exist.
                let unused = hash_password(&password);
                drop(unused);
                None
            }
        });
        let user = checked.await.map_err(anyhow::Error::new)?.ok_or(ApiError::Unauthorized)?;
        let actor = Actor { id: user.id, name: user.name };
        self.remember(key, actor.clone());
        Ok(actor)
    }

    fn key(&self, name: &str, password: &SecretString) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.salt);
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name.as_bytes());
        hash.update(password.expose_secret().as_bytes());
        hash.finalize().into()
    }

    fn recall(&self, key: &[u8; 32]) -> Option<Actor> {
        let remembered = self.remembered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        remembered.get(key).filter(|(_, at)| at.elapsed() < TRUST).map(|(actor, _)| actor.clone())
    }

    fn remember(&self, key: [u8; 32], actor: Actor) {
        let mut remembered = self.remembered.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (_, at)| at.elapsed() < TRUST);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(key, (actor, Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, expected: Option<(&str, &str)>) {
        let read = basic(header.as_bytes());
        let read = read.as_ref().map(|(name, password)| (name.as_str(), password.expose_secret()));
        assert_eq!(read, expected, "{header}");
    }

    #[test]
    fn basic_credentials() {
        check("Basic YWRtaW46YWRtaW4=", Some(("admin", "admin")));
        check("basic YWRtaW46YTpi", Some(("admin", "a:b")));
        for header in
            ["", "Basic", "Basic !", "Basic YWRtaW4=", "Bearer YWRtaW46YWRtaW4=", "Básic YWRtaW46YWRtaW4="]
        {
            check(header, None);
        }
    }

    #[test]
    fn the_remembered_key_depends_on_both_parts_and_on_the_process() {
        let (one, other) = (Verifier::new(), Verifier::new());
        let secret = |text: &str| SecretString::from(text);
        assert_eq!(one.key("a", &secret("bc")), one.key("a", &secret("bc")));
        assert_ne!(one.key("a", &secret("bc")), one.key("ab", &secret("c")));
        assert_ne!(one.key("a", &secret("bc")), other.key("a", &secret("bc")));
    }
}
