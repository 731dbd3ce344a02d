//! Listeners: where requests come in, and the entrypoints that answer them.

use super::{Context, configuration, cors, path};
use crate::api::{Dlq, Entrypoint, Listener, ListenerType, Path};
use crate::connector::{self, Feature, Lookup};
use crate::reader::{Node, Stage, quote};
use crate::violation::Violation;

const DUPLICATED_LISTENER: &str = "api.listeners.type.duplicated";
const DUPLICATED_ENTRYPOINT: &str = "api.listeners.entrypoints.type.duplicated";
const PATH_EXISTS: &str = "api.listener.paths.path.exists";
const PATH_EXISTS_PARAMETER: &str = "api.listeners['http'].paths[].path.exists";

/// Every listener; a faulty one keeps its place so that later checks can name it.
pub(super) fn read_all(node: &Node<'_>, context: &Context<'_>) -> Vec<Listener> {
    if node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, a list is required");
    }
    let nodes = node.items();
    let listeners: Vec<Listener> = nodes.iter().map(|node| read(node, context)).collect();
    for (index, listener) in listeners.iter().enumerate() {
        if !listener.entrypoints.is_empty() && listeners[..index].contains(listener) {
            let kind = listener.listener_type;
            let violation = nodes[index].violation(
                DUPLICATED_LISTENER,
                format!("repeats another {kind} listener, remove one of them"),
            );
            nodes[index]
                .fail(Stage::Listeners, violation.parameter(DUPLICATED_LISTENER, format!("[{kind}]")));
        }
    }
    refuse_repeated_paths(&nodes, &listeners);
    listeners
}

/// The second of two equal paths could never be asked for.
fn refuse_repeated_paths(nodes: &[Node<'_>], listeners: &[Listener]) {
    let mut seen: Vec<(&Option<String>, &str)> = Vec::new();
    for (node, listener) in nodes.iter().zip(listeners) {
        for (node, path) in node.get("paths").items().iter().zip(&listener.paths) {
            let key = (&path.host, path.path.as_str());
            if seen.contains(&key) {
                let reason = format!("repeats the path {} of this API, remove one of them", path.path);
                let violation = node.violation(PATH_EXISTS, reason);
                node.fail(Stage::Listeners, violation.parameter(PATH_EXISTS_PARAMETER, path.path.clone()));
            }
            seen.push(key);
        }
    }
}

fn read(node: &Node<'_>, context: &Context<'_>) -> Listener {
    let mut listener = Listener {
        listener_type: ListenerType::Http,
        paths: Vec::new(),
        path_mappings: Vec::new(),
        cors: None,
        servers: Vec::new(),
        hosts: Vec::new(),
        entrypoints: Vec::new(),
    };
    if node.required_object().is_none() {
        return listener;
    }
    let kind = node.get("type");
    if kind.is_absent() {
        kind.wrong(Stage::Shape, "must not be null, use one of http, subscription, tcp");
    }
    let Some(kind) = kind.token() else { return listener };
    listener.listener_type = kind;
    listener.servers = node.get("servers").texts();
    match kind {
        ListenerType::Http => read_http(node, &mut listener),
        ListenerType::Tcp => listener.hosts = node.get("hosts").texts(),
        ListenerType::Subscription => {}
    }
    listener.entrypoints = read_entrypoints(&node.get("entrypoints"), kind, context);
    listener
}

fn read_http(node: &Node<'_>, listener: &mut Listener) {
    let paths = node.get("paths");
    listener.paths = paths.items().iter().map(read_path).collect();
    if listener.paths.is_empty() && paths.value().is_none_or(serde_json::Value::is_array) {
        let violation = paths.violation("listeners.http.paths.missing", "must not be empty, give a path");
        paths.fail(Stage::Shape, violation.empty_parameters());
    }
    listener.path_mappings = node.get("pathMappings").texts();
    for item in node.get("pathMappings").items() {
        if let Some(Err(error)) = item.trimmed().map(|mapping| regex::Regex::new(&mapping)) {
            let reason = error.to_string().lines().last().unwrap_or_default().trim().to_owned();
            item.wrong(Stage::Listeners, format!("must be a regular expression: {reason}"));
        }
    }
    listener.cors = cors::read(&node.get("cors"));
}

fn read_path(node: &Node<'_>) -> Path {
    let mut read = Path { host: None, path: "/".to_owned(), override_access: false };
    if node.required_object().is_none() {
        return read;
    }
    let text = node.get("path");
    match path::sanitise(&text.text().unwrap_or_default()) {
        Ok(path) => read.path = path,
        Err(reason) => text.wrong(Stage::Listeners, reason),
    }
    let host = node.get("host");
    read.host = host.trimmed();
    if read.host.as_deref().is_some_and(|host| !path::is_host(host)) {
        host.wrong(Stage::Listeners, "must be a host name or address, without scheme and path");
    }
    read.override_access = node.get("overrideAccess").flag().unwrap_or(false);
    read
}

fn read_entrypoints(node: &Node<'_>, listener: ListenerType, context: &Context<'_>) -> Vec<Entrypoint> {
    let nodes = node.items();
    if nodes.is_empty() && node.value().is_none_or(serde_json::Value::is_array) {
        let violation =
            node.violation("listeners.entrypoints.missing", "must not be empty, give an entrypoint");
        node.fail(Stage::Shape, violation.empty_parameters());
    }
    let entrypoints: Vec<Entrypoint> =
        nodes.iter().map(|node| read_entrypoint(node, listener, context)).collect();
    for (index, entrypoint) in entrypoints.iter().enumerate() {
        let id = &entrypoint.connector;
        if !id.is_empty() && entrypoints[..index].contains(entrypoint) {
            let violation = nodes[index].violation(
                DUPLICATED_ENTRYPOINT,
                format!("repeats the entrypoint {id} of this listener, remove one of them"),
            );
            nodes[index]
                .fail(Stage::Listeners, violation.parameter(DUPLICATED_ENTRYPOINT, format!("[{id}]")));
        }
    }
    entrypoints
}

/// An absent `qos` stays absent here; it is resolved when the endpoint groups are known.
fn read_entrypoint(node: &Node<'_>, listener: ListenerType, context: &Context<'_>) -> Entrypoint {
    let mut read = Entrypoint { connector: String::new(), qos: None, dlq: None, configuration: None };
    if node.required_object().is_none() {
        return read;
    }
    let kind = node.get("type");
    read.connector = kind.required_text_or("listeners.entrypoints.type.missing", Violation::empty_parameters);
    let qos = node.get("qos");
    read.qos = qos.token();
    if qos.is_explicit_null() {
        let reason = "must not be null, leave it out or use one of none, auto, at-most-once, at-least-once";
        let violation = qos.violation("listeners.entrypoints.qos.invalid", reason);
        qos.fail(Stage::Listeners, violation.empty_parameters());
    }
    if !read.connector.is_empty() {
        let spec = find(&kind, &read.connector, listener, context);
        match spec {
            Some(spec) => {
                let stored = context.stored_entrypoint(&read.connector);
                read.configuration = configuration::of_entrypoint(&node.get("configuration"), spec, stored);
                read.dlq = read_dlq(&node.get("dlq"), &read.connector, spec.features);
            }
            None => read.configuration = node.get("configuration").settings(),
        }
    }
    read
}

fn find(
    node: &Node<'_>,
    id: &str,
    listener: ListenerType,
    context: &Context<'_>,
) -> Option<&'static connector::EntrypointSpec> {
    let spec = match connector::entrypoint(id) {
        Lookup::Available(spec) => spec,
        Lookup::Unavailable => {
            let known = ids();
            node.wrong(
                Stage::Listeners,
                format!("{id} is not available in this version, use one of {known}"),
            );
            return None;
        }
        Lookup::Unknown => {
            let reason = format!("names the unknown entrypoint {}, use one of {}", quote(id), ids());
            let violation = node.violation("plugin.notFound", reason);
            node.fail(Stage::Listeners, violation.parameter("plugin", id).unknown_plugin());
            return None;
        }
    };
    let api_type = context.api_type.unwrap_or(spec.api_type);
    if spec.listener != listener || spec.api_type != api_type {
        let reason = format!(
            "{id} belongs on a listener of type {} in an API of type {}",
            spec.listener,
            spec.api_type.beta_label()
        );
        let violation = node.violation("listeners.entrypoints.type.unsupported", reason);
        node.fail(Stage::Listeners, violation.empty_parameters());
    }
    Some(spec)
}

fn ids() -> String {
    connector::ENTRYPOINTS.iter().map(|spec| spec.id).collect::<Vec<_>>().join(", ")
}

fn read_dlq(node: &Node<'_>, id: &str, features: &[Feature]) -> Option<Dlq> {
    node.object()?;
    let endpoint = node.get("endpoint").required_text();
    if !features.contains(&Feature::Dlq) {
        let reason = format!("is not supported by the entrypoint {id}, remove it");
        let violation = node.violation("listeners.entrypoints.dlq.unsupported", reason);
        node.fail(Stage::Listeners, violation.empty_parameters());
    }
    Some(Dlq { endpoint })
}
