//! Where a push subscription delivers: two shapes in, one stored, printed in the shape of the route.

use super::webhook;
use crate::api::Settings;
use crate::connector::settings::Part;
use crate::connector::{self, Lookup};
use crate::reader::{Node, Stage};
use crate::secrets::{self, MASK};
use crate::violation::Violation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Where and how a push subscription delivers, in the one form that is stored and sent to gateways.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerConfiguration {
    /// The entrypoint that delivers, such as `webhook`.
    pub entrypoint_id: String,
    /// Channel of the entrypoint that is subscribed to; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the entrypoint needs, such as `callbackUrl` and `headers`.
    #[serde(default)]
    pub entrypoint_configuration: Settings,
}

/// How a configuration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// 3.20: the settings stand beside `entrypointId`.
    Flat,
    /// 4.x: the settings stand in `entrypointConfiguration`.
    Nested,
}

const ENTRYPOINT: &str = "entrypointId";
const CHANNEL: &str = "channel";
const SETTINGS: &str = "entrypointConfiguration";

impl ConsumerConfiguration {
    /// As it may be shown: secrets masked.
    pub fn shown(&self, shape: Shape) -> Value {
        let settings = secrets::mask(webhook::schema().document(), &self.entrypoint_configuration);
        let mut members = Map::new();
        members.insert(ENTRYPOINT.to_owned(), json!(self.entrypoint_id));
        if let Some(channel) = &self.channel {
            members.insert(CHANNEL.to_owned(), json!(channel));
        }
        match shape {
            Shape::Flat => members.extend(settings),
            Shape::Nested => drop(members.insert(SETTINGS.to_owned(), Value::Object(settings))),
        }
        Value::Object(members)
    }
}

/// Reads either shape; a mask keeps what `current` has at its place.
pub(super) fn read(
    node: &Node<'_>,
    current: Option<&ConsumerConfiguration>,
) -> Option<ConsumerConfiguration> {
    let mut members = node.settings()?;
    // The whole may be JSON text, so its members are taken out of the parsed object and not through the cursor.
    let text = |value: Option<Value>| match value {
        Some(Value::String(text)) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Some(_) | None => None,
    };
    let Some(entrypoint_id) = text(members.shift_remove(ENTRYPOINT)) else {
        let violation = node.violation("subscription.entrypoint.missing", "must contain entrypoint id");
        let message =
            "Subscription configuration must contain entrypoint id, such as \"entrypointId\": \"webhook\"";
        node.fail(Stage::Shape, Violation { message: message.to_owned(), ..violation }.empty_parameters());
        return None;
    };
    let channel = text(members.shift_remove(CHANNEL));
    let nested = match members.shift_remove(SETTINGS) {
        None | Some(Value::Null) => None,
        Some(Value::Object(settings)) => Some(settings),
        Some(_) => {
            node.get(SETTINGS).wrong(Stage::Shape, "must be an object");
            return None;
        }
    };
    let place = if nested.is_some() { node.get(SETTINGS) } else { node.clone() };
    check_entrypoint(&node.get(ENTRYPOINT), &entrypoint_id)?;
    let stored = current.map(|current| &current.entrypoint_configuration);
    let settings = settings(&place, nested.unwrap_or(members), stored);
    Some(ConsumerConfiguration { entrypoint_id, channel, entrypoint_configuration: settings })
}

/// Webhooks are the only entrypoint with consumers that are called.
fn check_entrypoint(node: &Node<'_>, id: &str) -> Option<()> {
    if webhook::IDS.contains(&id) {
        return Some(());
    }
    match connector::entrypoint(id) {
        Lookup::Available(_) | Lookup::Unavailable => {
            let reason = format!("{id} takes no push subscriptions, use {}", webhook::IDS.join(" or "));
            node.wrong(Stage::Shape, reason);
        }
        Lookup::Unknown => {
            let message = format!("Plugin [{id}] can not be found.");
            let violation = node.violation("plugin.notFound", "");
            let violation = Violation { message, ..violation }.parameter("plugin", id).unknown_plugin();
            node.fail(Stage::Shape, violation);
        }
    }
    None
}

fn settings(node: &Node<'_>, sent: Settings, stored: Option<&Settings>) -> Settings {
    let schema = webhook::schema();
    let mut settings = schema.complete(sent, Part::Whole);
    let report = |violations: Vec<Violation>| {
        for mut violation in violations {
            violation.path = node.get(&violation.path).path().to_owned();
            node.fail(Stage::Shape, violation);
        }
    };
    for path in secrets::restore(schema.document(), &mut settings, stored) {
        let message =
            format!("{path} is masked ({MASK}) and nothing is stored for it at this address, send the value");
        report(vec![Violation::new(path, "data.invalid", message)]);
    }
    report(webhook::check(&settings));
    settings
}
