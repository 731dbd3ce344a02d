//! The end of an application, and its way back.

use super::handlers::{check_client_id, find_for_update, record};
use super::{ApplicationRecord, store};
use crate::app::AppState;
use crate::auth::Actor;
use crate::db::Tx;
use crate::error::{ApiError, Result};
use crate::scope::Scope;
use crate::subscriptions::{check_active, sweep};
use definition::application::ApplicationStatus;

/// Closes the application's subscriptions and archives it.
pub(super) async fn archive(app: &AppState, actor: &Actor, scope: &Scope, text: &str) -> Result<()> {
    let mut tx = app.db.begin().await?;
    let mut application = find_for_update(&mut tx, scope, text).await?;
    check_active(&application)?;
    let now = app.clock.now();
    application.status = ApplicationStatus::Archived;
    application.updated_at = application.updated_at.max(now);
    store::update(&mut tx, &application).await?;
    record(&mut tx, scope, actor, "application.archive", &application).await?;
    sweep::close_application(&mut tx, scope, actor, &application, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Makes an archived application usable again, unless its client identifier was given to another one meanwhile.
pub(super) async fn restore(
    app: &AppState,
    actor: &Actor,
    scope: &Scope,
    text: &str,
) -> Result<ApplicationRecord> {
    let mut tx = app.db.begin().await?;
    let mut application = find_for_update(&mut tx, scope, text).await?;
    if application.status == ApplicationStatus::Active {
        let id = application.id.to_string();
        let message = format!("The application [{id}] is active already, there is nothing to restore");
        return Err(ApiError::refused("application.active", message, &[("application", &id)]));
    }
    application.status = ApplicationStatus::Active;
    application.updated_at = application.updated_at.max(app.clock.now());
    check_client_id(&mut tx, scope, &application).await?;
    store::update(&mut tx, &application).await?;
    record(&mut tx, scope, actor, "application.restore", &application).await?;
    tx.commit().await?;
    Ok(application)
}

/// Refuses to take the client identifier away from an application whose subscriptions are found by it.
pub(super) async fn check_token_plans(
    tx: &mut Tx,
    scope: &Scope,
    application: &ApplicationRecord,
) -> Result<()> {
    if application.definition.client_id().is_none() && sweep::needs_client_id(tx, scope, application).await? {
        let message =
            "settings must keep a client_id: the application is subscribed to an OAuth2 or JWT plan";
        return Err(ApiError::plainly_refused("application.clientId.missing", message));
    }
    Ok(())
}
