//! Connector settings in their place: completed where the author put them, checked as the connector will see them.

use super::Context;
use crate::api::{Endpoint, EndpointGroup, Settings};
use crate::connector::settings::{Part, SettingsSchema};
use crate::connector::{EndpointSpec, EntrypointSpec};
use crate::policy::PolicySpec;
use crate::reader::{Node, Stage, join};
use crate::resource::ResourceSpec;
use crate::secrets;
use crate::security::SecuritySpec;
use crate::strict;
use crate::violation::Violation;

/// `configuration` of an entrypoint.
pub(super) fn of_entrypoint(
    node: &Node<'_>,
    spec: &EntrypointSpec,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let settings = of_plugin(node, Stage::Listeners, (spec.schema)(), node.settings()?, stored);
    report(node, Stage::Listeners, (spec.check)(&settings));
    Some(settings)
}

/// `configuration` of a step. A policy whose settings are absent has its defaults.
pub(super) fn of_policy(node: &Node<'_>, spec: &PolicySpec, stored: Option<&Settings>) -> Option<Settings> {
    let sent = node.settings();
    let settings = of_plugin(node, Stage::Flows, (spec.schema)(), sent.clone().unwrap_or_default(), stored);
    report(node, Stage::Flows, (spec.check)(&settings));
    report(node, Stage::Flows, strict::of_policy(spec.id, &settings));
    report(node, Stage::Flows, strict::expressions((spec.schema)().document(), &settings));
    sent.map(|_| settings)
}

/// `configuration` of a resource.
pub(super) fn of_resource(
    node: &Node<'_>,
    spec: &ResourceSpec,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let sent = node.settings();
    let settings =
        of_plugin(node, Stage::Resources, (spec.schema)(), sent.clone().unwrap_or_default(), stored);
    report(node, Stage::Resources, (spec.check)(&settings));
    report(node, Stage::Resources, strict::expressions((spec.schema)().document(), &settings));
    sent.map(|_| settings)
}

/// `security.configuration` of a plan. Absent settings are a draft, which lets nobody in.
pub(super) fn of_security(
    node: &Node<'_>,
    spec: &SecuritySpec,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let settings = of_plugin(node, Stage::Plans, (spec.schema)(), node.settings()?, stored);
    report(node, Stage::Plans, (spec.check)(&settings));
    report(node, Stage::Plans, strict::expressions((spec.schema)().document(), &settings));
    Some(settings)
}

/// Puts stored secrets in the place of masks, and completes.
pub(super) fn of_plugin(
    node: &Node<'_>,
    stage: Stage,
    schema: &SettingsSchema,
    settings: Settings,
    stored: Option<&Settings>,
) -> Settings {
    schema.complete(unmasked(node, stage, schema, settings, stored), Part::Whole)
}

/// Puts stored secrets in the place of masks.
pub(super) fn unmasked(
    node: &Node<'_>,
    stage: Stage,
    schema: &SettingsSchema,
    mut settings: Settings,
    stored: Option<&Settings>,
) -> Settings {
    for path in secrets::restore(schema.document(), &mut settings, stored) {
        let message =
            format!("#: {path} is masked and nothing is stored for it at this address, send the value");
        node.fail(stage, Violation::new(join(&node.path, &path), "data.invalid", message));
    }
    settings
}

/// One of the places that hold settings of an endpoint. Missing members are left to `check_effective`.
pub(super) fn of_endpoint(
    node: &Node<'_>,
    spec: Option<&EndpointSpec>,
    part: Part,
    stored: Option<&Settings>,
) -> Option<Settings> {
    let settings = node.settings()?;
    let Some(spec) = spec else { return Some(settings) };
    let schema = (spec.schema)();
    let settings = unmasked(node, Stage::EndpointGroups, schema, settings, stored);
    let settings = schema.complete(settings, part);
    report(node, Stage::EndpointGroups, schema.check(&settings, Part::Shared));
    report(node, Stage::EndpointGroups, strict::of_endpoint(spec.id, &settings));
    report(node, Stage::EndpointGroups, strict::expressions(schema.document(), &settings));
    Some(settings)
}

pub(super) fn report(node: &Node<'_>, stage: Stage, violations: Vec<Violation>) {
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
    /// The stored settings of the entrypoint, which masked secrets may refer to. An API has one of a kind, or several
    /// that nobody could tell apart.
    pub(super) fn stored_entrypoint(&self, connector: &str) -> Option<&Settings> {
        let listeners = self.current.map(|api| api.listeners.as_slice()).unwrap_or_default();
        let mut entrypoints = listeners.iter().flat_map(|listener| &listener.entrypoints);
        entrypoints.find(|entrypoint| entrypoint.connector == connector)?.configuration.as_ref()
    }

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
