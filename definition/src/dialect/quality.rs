//! The quality of service of every entrypoint: checked against the matrix when it was named, else resolved.

use crate::api::{Api, Qos};
use crate::connector;
use crate::qos::{self, EntrypointKind, Reached};
use crate::reader::{Node, Stage};

const INVALID: &str = "listeners.entrypoints.qos.invalid";

/// Completes `qos` of all entrypoints whose connector this build knows.
pub(super) fn settle(document: &Node<'_>, api: &mut Api) {
    let reached = qos::reached(api);
    let family = api.family;
    for (listener, node) in api.listeners.iter_mut().zip(document.get("listeners").items()) {
        for (entrypoint, node) in listener.entrypoints.iter_mut().zip(node.get("entrypoints").items()) {
            let spec = connector::entrypoint(&entrypoint.connector).available();
            // Without messages there is nothing to promise about them.
            let Some(kind) = spec.and_then(|spec| spec.kind) else { continue };
            let node = node.get("qos");
            match entrypoint.qos {
                Some(qos) => check(&node, family, &entrypoint.connector, kind, qos, &reached),
                None if !node.is_absent() || node.is_explicit_null() => {}
                None => entrypoint.qos = qos::resolve(family, kind, &reached),
            }
            if entrypoint.qos.is_none() && node.is_absent() && !node.is_explicit_null() {
                let offers: Vec<String> = reached.iter().map(|group| offer(family, kind, group)).collect();
                let reason = format!(
                    "has no level for {} that every endpoint group allows: {}",
                    entrypoint.connector,
                    offers.join("; ")
                );
                node.fail(Stage::Listeners, node.violation(INVALID, reason).empty_parameters());
            }
        }
    }
}

fn check(
    node: &Node<'_>,
    family: crate::api::Family,
    id: &str,
    kind: EntrypointKind,
    qos: Qos,
    reached: &[Reached],
) {
    for group in reached.iter().filter(|group| !qos::allowed(family, kind, group.kind).contains(&qos)) {
        let reason = format!("{qos} is not possible for the entrypoint {id} {}", offer(family, kind, group));
        node.fail(Stage::Listeners, node.violation(INVALID, reason).empty_parameters());
    }
}

fn offer(family: crate::api::Family, kind: EntrypointKind, group: &Reached) -> String {
    let mut levels = qos::allowed(family, kind, group.kind);
    levels.sort();
    let levels: Vec<&str> = levels.into_iter().map(Qos::label).collect();
    format!("over the endpoint {} (group {}), use {}", group.connector, group.group, levels.join(" or "))
}
