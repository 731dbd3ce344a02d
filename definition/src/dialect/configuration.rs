//! Connector settings in their place: completed where the author put them, checked as the connector will see them.

use super::Context;
use crate::api::{Endpoint, EndpointGroup, Settings};
use crate::connector::settings::Part;
use crate::connector::{EndpointSpec, EntrypointSpec};
use crate::reader::{Node, Stage, join};
use crate::secrets;
use crate::violation::Violation;

/// `configuration` of an entrypoint.
pub(super) fn of_entrypoint(node: &Node<'_>, spec: &EntrypointSpec) -> Option<Settings> {
    let settings = (spec.schema)().complete(node.settings()?, Part::Whole);
    report(node, Stage::Listeners, (spec.check)(&settings));
    Some(settings)
}

/// One of the places that hold settings of an endpoint. Missing members are left to `check_effective`.
pub(super) fn of_endpoint(
    node: &Node<'_>,
    spec: Option<&EndpointSpec>,
    part: Part,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let mut settings = node.settings()?;
    let Some(spec) = spec else { return Some(settings) };
    let schema = (spec.schema)();
    for path in secrets::restore(schema.document(), &mut settings, stored) {
        let message = format!("#: {path} is masked and nothing is stored for it, send the value");
        node.fail(Stage::EndpointGroups, Violation::new(join(&node.path, &path), "data.invalid", message));
    }
    let settings = schema.complete(settings, part);
    report(node, Stage::EndpointGroups, schema.check(&settings, Part::Shared));
    Some(settings)
}

fn report(node: &Node<'_>, stage: Stage, violations: Vec<Violation>) {
    for violation in violations {
        let path = join(&node.path, &violation.path);
        node.fail(stage, Violation { path, ..violation });
    }
}

/// The settings that the connector will read, with every fault reported at the place that it comes from.
pub(super) fn check_effective(
    node: &Node<'_>,
    group_node: &Node<'_>,
    endpoint: &Endpoint,
    group: &EndpointGroup,
    spec: &EndpointSpec,
) {
    let shared = if endpoint.inherit_configuration {
        (group.shared_configuration.as_ref(), group_node.get("sharedConfiguration"))
    } else {
        (endpoint.shared_configuration_override.as_ref(), node.get("sharedConfigurationOverride"))
    };
    for violation in (spec.check)(&endpoint.effective_settings(group)) {
        let member = violation.path.split(['.', '[']).next().unwrap_or_default();
        let place = match &shared {
            (Some(settings), place) if settings.contains_key(member) => place.path.clone(),
            _ => join(&node.path, "configuration"),
        };
        node.fail(Stage::EndpointGroups, Violation { path: join(&place, &violation.path), ..violation });
    }
}

impl Context<'_> {
    /// The stored group of the same name and connector, which masked secrets may refer to.
    pub(super) fn stored_group(&self, name: &str, connector: &str) -> Option<&EndpointGroup> {
        let groups = self.current.map(|api| api.endpoint_groups.as_slice()).unwrap_or_default();
        groups.iter().find(|group| group.name == name && group.connector == connector)
    }

    /// The stored endpoint of the same name, wherever it stood.
    pub(super) fn stored_endpoint(&self, name: &str, connector: &str) -> Option<&Endpoint> {
        let groups = self.current.map(|api| api.endpoint_groups.as_slice()).unwrap_or_default();
        let mut endpoints = groups.iter().flat_map(|group| &group.endpoints);
        endpoints.find(|endpoint| endpoint.name == name && endpoint.connector == connector)
    }
}
