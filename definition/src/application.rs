//! Applications: who subscribes. An application is a name, an owner and, for token plans, a client identifier.

use crate::api::Settings;
use crate::reader::{Node, Report, Stage};
use crate::token::tokens;
use crate::violation::Violation;
use serde::{Deserialize, Serialize};
use serde_json::Value;

tokens! {
    /// Archived applications are kept for those who look back; nothing can be done with them but restoring.
    pub enum ApplicationStatus { Active = "ACTIVE", Archived = "ARCHIVED" }
}

tokens! {
    /// Whether the subscriptions of an application have a key each. Shared keys are not offered.
    pub enum ApiKeyMode { Unspecified = "UNSPECIFIED", Exclusive = "EXCLUSIVE", Shared = "SHARED" }
}

tokens! {
    /// What kind of program it is, as `settings` say.
    pub enum ApplicationType {
        Simple = "SIMPLE",
        Browser = "BROWSER",
        Web = "WEB",
        Native = "NATIVE",
        BackendToBackend = "BACKEND_TO_BACKEND",
    }
}

/// What the author writes. Identity, status, owner and dates are columns of the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Application {
    pub name: String,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    pub settings: ApplicationSettings,
    #[serde(default)]
    pub groups: Vec<String>,
    pub api_key_mode: ApiKeyMode,
    #[serde(default)]
    pub disable_membership_notifications: bool,
}

/// `settings`: exactly one of the two kinds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApplicationSettings {
    App(AppSettings),
    /// Members as written; `client_secret` is never kept, nothing here needs it.
    Oauth(Settings),
}

/// A simple application.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AppSettings {
    /// Free text.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

impl Application {
    /// What tokens of this application carry.
    pub fn client_id(&self) -> Option<&str> {
        match &self.settings {
            ApplicationSettings::App(app) => app.client_id.as_deref(),
            ApplicationSettings::Oauth(oauth) => oauth.get("client_id").and_then(Value::as_str),
        }
    }

    /// What kind of program it is.
    pub fn application_type(&self) -> ApplicationType {
        match &self.settings {
            ApplicationSettings::App(_) => ApplicationType::Simple,
            ApplicationSettings::Oauth(oauth) => {
                let kind = oauth.get("application_type").and_then(Value::as_str);
                kind.and_then(ApplicationType::parse).unwrap_or(ApplicationType::Web)
            }
        }
    }
}

/// Reads a new application, or a changed one: what a PUT leaves out of `settings` and `api_key_mode` stays.
pub fn read_application(
    document: &Value,
    current: Option<&Application>,
) -> Result<Application, Vec<Violation>> {
    let report = Report::default();
    let node = Node::root(document, &report);
    if node.required_object().is_none() {
        return Err(report.into_violations());
    }
    let application = Application {
        name: name(&node.get("name")),
        description: description(&node.get("description")),
        domain: node.get("domain").trimmed(),
        settings: settings(&node.get("settings"), current),
        groups: node.get("groups").texts(),
        api_key_mode: api_key_mode(&node.get("api_key_mode"), current),
        disable_membership_notifications: node
            .get("disable_membership_notifications")
            .flag()
            .unwrap_or(current.is_some_and(|current| current.disable_membership_notifications)),
    };
    report.finish(application)
}

fn name(node: &Node<'_>) -> String {
    node.required_text_or("data.invalid", |violation| Violation {
        message: "Application's name must not be empty".to_owned(),
        ..violation
    })
}

fn description(node: &Node<'_>) -> String {
    if node.is_absent() {
        let violation = node.violation("data.invalid", "");
        let message = "Application's description must not be null".to_owned();
        node.fail(Stage::Shape, Violation { message, ..violation });
    }
    node.text().unwrap_or_default()
}

fn api_key_mode(node: &Node<'_>, current: Option<&Application>) -> ApiKeyMode {
    let before = current.map_or(ApiKeyMode::Unspecified, |current| current.api_key_mode);
    let mode = node.token().unwrap_or(before);
    if mode == ApiKeyMode::Shared {
        let reason = "must not be SHARED: keys for several APIs are not offered, use EXCLUSIVE";
        node.refuse(Stage::Shape, "application.apiKeyMode.invalid", reason);
    }
    // Once keys are separate they stay so.
    if before == ApiKeyMode::Exclusive { ApiKeyMode::Exclusive } else { mode }
}

fn settings(node: &Node<'_>, current: Option<&Application>) -> ApplicationSettings {
    if node.is_absent() {
        let kept = current.map(|current| current.settings.clone());
        return kept.unwrap_or_else(|| ApplicationSettings::App(AppSettings::default()));
    }
    node.object();
    let (app, oauth) = (node.get("app"), node.get("oauth"));
    if !app.is_absent() && !oauth.is_absent() {
        let reason = "must hold one of app and oauth, remove the other";
        node.refuse(Stage::Shape, "application.invalid", reason);
    }
    if !oauth.is_absent() {
        return ApplicationSettings::Oauth(read_oauth(&oauth));
    }
    if !app.is_absent() {
        app.object();
    }
    ApplicationSettings::App(AppSettings {
        kind: app.get("type").trimmed(),
        client_id: app.get("client_id").trimmed(),
    })
}

fn read_oauth(node: &Node<'_>) -> Settings {
    let mut members = node.object().cloned().unwrap_or_default();
    members.retain(|key, value| key != "client_secret" && !value.is_null());
    match node.get("client_id").trimmed() {
        Some(client_id) => drop(members.insert("client_id".to_owned(), Value::from(client_id))),
        None => drop(members.shift_remove("client_id")),
    }
    let kind = node.get("application_type");
    if !kind.is_absent() {
        kind.token::<ApplicationType>();
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(mut members: Value, current: Option<&Application>) -> Result<Application, String> {
        for (key, value) in [("name", "n"), ("description", "")] {
            if members.get(key).is_none() {
                members[key] = json!(value);
            }
        }
        read_application(&members, current)
            .map_err(|found| format!("{} {} {}", found[0].path, found[0].code, found[0].message))
    }

    #[test]
    fn kinds_of_applications() {
        let plain = read(json!({}), None).unwrap();
        assert_eq!(serde_json::to_value(&plain.settings).unwrap(), json!({"app": {}}));
        assert_eq!((plain.client_id(), plain.application_type()), (None, ApplicationType::Simple));

        let app = json!({"settings": {"app": {"type": "demo", "client_id": " c "}}});
        assert_eq!(read(app, None).unwrap().client_id(), Some("c"));

        let oauth = json!({"settings": {"oauth": {"client_id": "c", "client_secret": "hush",
            "application_type": "backend_to_backend", "grant_types": ["client_credentials"]}}});
        let oauth = read(oauth, None).unwrap();
        assert_eq!(
            (oauth.client_id(), oauth.application_type()),
            (Some("c"), ApplicationType::BackendToBackend)
        );
        assert!(!serde_json::to_string(&oauth).unwrap().contains("hush"));
        let stored: Application = serde_json::from_value(serde_json::to_value(&oauth).unwrap()).unwrap();
        assert_eq!(stored, oauth);
        assert_eq!(read(json!({}), Some(&oauth)).unwrap().settings, oauth.settings, "absent settings stay");
    }

    #[test]
    fn refusals() {
        for (members, expected) in [
            (json!({"name": " "}), "name data.invalid Application's name must not be empty"),
            (json!({"description": null}), "description data.invalid Application's description"),
            (json!({"settings": {"app": {}, "oauth": {}}}), "settings application.invalid"),
            (json!({"api_key_mode": "shared"}), "api_key_mode application.apiKeyMode.invalid"),
            (json!({"api_key_mode": "nope"}), "api_key_mode data.invalid"),
            (
                json!({"settings": {"oauth": {"application_type": "nope"}}}),
                "settings.oauth.application_type data",
            ),
        ] {
            let found = read(members, None).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn separate_keys_stay_separate() {
        let mut current = read(json!({}), None).unwrap();
        current.api_key_mode = ApiKeyMode::Exclusive;
        let changed = read(json!({"api_key_mode": "UNSPECIFIED"}), Some(&current)).unwrap();
        assert_eq!(changed.api_key_mode, ApiKeyMode::Exclusive);
    }
}
