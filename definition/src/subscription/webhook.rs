//! What a subscriber of a webhook says: where to call, with which headers, credentials, TLS stores and retries.
//!
//! Stored and validated whether or not this build can deliver. Which addresses may be called is the gateway's decision.

use super::webhook_settings::Webhook;
use crate::api::Settings;
use crate::connector::settings::SettingsSchema;
use crate::violation::Violation;
use serde_json::{Map, Value};
use std::sync::LazyLock;
use url::Url;

/// The entrypoints that deliver this way.
pub(super) const IDS: [&str; 2] = ["webhook", "webhook-advanced"];

/// The schema of the settings.
pub(super) fn schema() -> &'static SettingsSchema {
    static SCHEMA: LazyLock<SettingsSchema> = LazyLock::new(SettingsSchema::of::<Webhook>);
    &SCHEMA
}

/// What the schema cannot say. The settings have passed it.
pub(super) fn check(settings: &Settings) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut wrong = |path: &str, pointer: &str, reason: &str| {
        found.push(Violation::new(path, "data.invalid", format!("#/{pointer}: {reason}")));
    };
    let url = settings.get("callbackUrl").and_then(Value::as_str).unwrap_or_default();
    // An expression becomes a URL when it is evaluated, per subscription.
    if !url.contains("{#") {
        match Url::parse(url) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => {
                wrong(
                    "callbackUrl",
                    "callbackUrl",
                    "must not hold user name and password, use `auth` for them",
                );
            }
            Ok(url) if url.has_host() => {}
            Ok(_) | Err(_) => wrong(
                "callbackUrl",
                "callbackUrl",
                "must be an absolute URL with a host, such as https://example.com/hook",
            ),
        }
    }
    let object = |key: &str| settings.get(key).and_then(Value::as_object);
    if let Some(missing) = object("auth").and_then(missing_credentials) {
        wrong(
            &format!("auth.{missing}"),
            "auth",
            &format!("{missing} must be set, because type is {missing}"),
        );
    }
    let seconds = |retry: &Map<String, Value>, key: &str| retry.get(key).and_then(Value::as_i64);
    if let Some(retry) = object("retry")
        && let (Some(first), Some(max)) =
            (seconds(retry, "initialDelaySeconds"), seconds(retry, "maxDelaySeconds"))
        && first > max
    {
        let reason = "initialDelaySeconds must not be greater than maxDelaySeconds";
        wrong("retry.initialDelaySeconds", "retry", reason);
    }
    found
}

/// The block that the type of authentication names, when it is not there.
fn missing_credentials(auth: &Map<String, Value>) -> Option<&str> {
    let kind = auth.get("type").and_then(Value::as_str)?;
    (kind != "none" && !auth.get(kind).is_some_and(Value::is_object)).then_some(kind)
}
