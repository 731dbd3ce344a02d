//! Whether messages that a callback refuses have somewhere to go: a dead-letter target is an endpoint, or a group, that
//! can be published to.

use crate::api::{Api, EndpointGroup};
use crate::connector::{self, Mode};
use crate::reader::{Node, Stage, quote};

const INVALID: &str = "listeners.entrypoints.dlq.invalid";

/// Reports targets that do not exist or that cannot take a message.
pub(super) fn check(document: &Node<'_>, api: &Api) {
    for (listener, node) in api.listeners.iter().zip(document.get("listeners").items()) {
        for (entrypoint, node) in listener.entrypoints.iter().zip(node.get("entrypoints").items()) {
            let Some(target) = entrypoint.dlq.as_ref().filter(|dlq| !dlq.endpoint.is_empty()) else {
                continue;
            };
            let node = node.get("dlq").get("endpoint");
            let reason = match can_publish(api, &target.endpoint) {
                Some(true) => continue,
                Some(false) => {
                    format!(
                        "names {}, which messages cannot be published to: enable its `producer`",
                        quote(&target.endpoint)
                    )
                }
                None => format!(
                    "names {}, which is no endpoint or endpoint group of this API",
                    quote(&target.endpoint)
                ),
            };
            node.fail(Stage::EndpointGroups, node.violation(INVALID, reason).empty_parameters());
        }
    }
}

/// `None`: there is nothing of this name.
fn can_publish(api: &Api, name: &str) -> Option<bool> {
    if let Some(group) = api.endpoint_groups.iter().find(|group| group.name == name) {
        return Some((0..group.endpoints.len()).all(|index| publishes(group, index)));
    }
    api.endpoint_groups.iter().find_map(|group| {
        let index = group.endpoints.iter().position(|endpoint| endpoint.name == name)?;
        Some(publishes(group, index))
    })
}

/// Connectors that this build does not know have been reported.
fn publishes(group: &EndpointGroup, index: usize) -> bool {
    let Some(spec) = connector::endpoint(&group.connector).available() else { return true };
    let settings = group.endpoints.get(index).map(|endpoint| endpoint.effective_settings(group));
    settings.is_some_and(|settings| (spec.enabled)(&settings).contains(&Mode::Publish))
}
