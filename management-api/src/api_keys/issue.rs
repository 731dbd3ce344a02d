//! How a key comes into being: random, or chosen by its owner.

use super::{KeyRecord, store};
use crate::app::AppState;
use crate::db::Tx;
use crate::environments;
use crate::error::{ApiError, Result};
use crate::scope::Scope;
use crate::subscriptions::Held;
use chrono::{DateTime, Utc};
use definition::api_key::check_custom;
use definition::application::ApiKeyMode;
use definition::consumer::api_key_hash;
use definition::plan::PlanSecurityType;
use definition::subscription::SubscriptionStatus;
use definition::violation::Violation;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

/// Gives an accepted subscription of an API-key plan its first key. One that comes back keeps those that it has.
pub(crate) async fn first_key(
    app: &AppState,
    tx: &mut Tx,
    scope: &Scope,
    held: &mut Held,
    custom: Option<&str>,
    at: DateTime<Utc>,
) -> Result<()> {
    let key_plan = held.plan()?.definition.security.security_type == PlanSecurityType::ApiKey;
    let has_key = held.keys.iter().any(|key| !key.revoked);
    if key_plan && !has_key && held.subscription.status == SubscriptionStatus::Accepted {
        add_key(app, tx, scope, held, custom, at).await?;
    }
    Ok(())
}

/// Adds a key to a subscription. The caller saves it.
pub(super) async fn add_key(
    app: &AppState,
    tx: &mut Tx,
    scope: &Scope,
    held: &mut Held,
    custom: Option<&str>,
    at: DateTime<Utc>,
) -> Result<()> {
    if let Some(custom) = custom {
        // A violation never repeats a key.
        let wrong = |reason| Violation::new("customApiKey", "data.invalid", format!("customApiKey {reason}"));
        check_custom(custom).map_err(wrong)?;
    }
    let key = custom.map_or_else(|| SecretString::from(Uuid::new_v4().to_string()), SecretString::from);
    let hash = api_key_hash(key.expose_secret());
    if custom.is_some() {
        environments::store::lock(tx, scope).await?;
        if store::is_taken(tx, scope, &hash, held.application.id, held.api.id).await? {
            let message = "API key already exists: choose another one, or leave it out to get a random one";
            return Err(ApiError::plainly_refused("apiKey.existing", message));
        }
    }
    let id = Uuid::new_v4();
    let key = KeyRecord {
        id,
        subscription_id: held.subscription.id,
        hash,
        sealed: app.sealer.seal(&place(id), &key)?,
        revoked: false,
        paused: held.subscription.status == SubscriptionStatus::Paused,
        expire_at: held.subscription.ending_at,
        revoked_at: None,
        created_at: at,
        updated_at: at,
    };
    held.keys.insert(0, key);
    separate(tx, held, at).await
}

/// An application that gets keys for a second subscription has separate keys from then on.
async fn separate(tx: &mut Tx, held: &mut Held, at: DateTime<Utc>) -> Result<()> {
    let undecided = held.application.definition.api_key_mode == ApiKeyMode::Unspecified;
    if undecided && crate::subscriptions::store::has_other_keys(tx, &held.subscription).await? {
        held.application.definition.api_key_mode = ApiKeyMode::Exclusive;
        held.application.updated_at = at;
        crate::applications::store::update(tx, &held.application).await?;
    }
    Ok(())
}

/// The key itself, for those who may see it.
pub(crate) fn reveal(app: &AppState, key: &KeyRecord) -> Result<SecretString> {
    app.sealer.open(&place(key.id), &key.sealed)
}

/// What a sealed key is bound to.
fn place(id: Uuid) -> String {
    format!("api-key/{id}")
}
