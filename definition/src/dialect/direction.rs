//! Whether entrypoints have somebody to talk to: what clients publish needs an endpoint with its producer enabled, and
//! what they read one with its consumer enabled. Without the check such an API would be deployed and do nothing.

use crate::api::Api;
use crate::connector::{self, Mode};
use crate::qos;
use crate::reader::{Node, Stage};

/// Reports entrypoints of one direction that no endpoint they can reach serves. A WebSocket goes both ways and can do
/// with one of them.
pub(super) fn check(document: &Node<'_>, api: &Api) {
    let Some(offered) = offered(api) else { return };
    for (listener, node) in api.listeners.iter().zip(document.get("listeners").items()) {
        for (entrypoint, node) in listener.entrypoints.iter().zip(node.get("entrypoints").items()) {
            let Some(spec) = connector::entrypoint(&entrypoint.connector).available() else { continue };
            let [mode] = spec.modes else { continue };
            if offered.contains(mode) {
                continue;
            }
            let (part, purpose) = match mode {
                Mode::Publish => ("producer", "publish to"),
                Mode::Subscribe | Mode::RequestResponse | Mode::Socket => ("consumer", "read from"),
            };
            let reason = format!(
                "{} has nothing to {purpose}: no endpoint has its {part} enabled. Give one `{part}` with `enabled` and \
                 `topics`; an endpoint takes the group's sharedConfiguration only with `inheritConfiguration: true`",
                entrypoint.connector
            );
            node.get("type").wrong(Stage::EndpointGroups, reason);
        }
    }
}

/// The directions that some endpoint within reach has switched on; `None`: there is none that this build knows, which
/// has been reported.
fn offered(api: &Api) -> Option<Vec<Mode>> {
    let reached = qos::reached(api);
    let groups = api.endpoint_groups.iter().filter(|group| reached.iter().any(|r| r.group == group.name));
    let mut offered = None;
    for group in groups {
        let Some(spec) = connector::endpoint(&group.connector).available() else { continue };
        for endpoint in &group.endpoints {
            let modes = (spec.enabled)(&endpoint.effective_settings(group));
            offered.get_or_insert_with(Vec::new).extend(modes);
        }
    }
    offered
}
