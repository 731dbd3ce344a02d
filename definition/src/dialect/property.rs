//! Properties, resources and response templates: what the flows of an API may refer to.

use super::{Context, configuration, flow};
use crate::api::{Property, Resource, ResponseTemplate};
use crate::policy::transform_headers::is_header_name;
use crate::reader::{Node, Stage};
use crate::resource;
use crate::secrets::MASK;
use indexmap::IndexMap;
use serde_json::Value;

/// `properties`. The value of an encrypted one is masked in answers; the mask sent back keeps it.
pub(super) fn read_properties(node: &Node<'_>, context: &Context<'_>) -> Vec<Property> {
    let mut properties: Vec<Property> = Vec::new();
    for item in node.objects() {
        let mut property = Property {
            key: item.get("key").required_text(),
            value: required_value(&item.get("value")),
            encrypted: item.get("encrypted").flag().unwrap_or(false),
            dynamic: item.get("dynamic").flag().unwrap_or(false),
        };
        if item.get("encryptable").flag() == Some(true) {
            let reason = "must not be true: encryption of properties is not available in this version";
            item.get("encryptable").wrong(Stage::Resources, reason);
        }
        if properties.iter().any(|other| other.key == property.key) && !property.key.is_empty() {
            item.get("key").wrong(Stage::Resources, "is used twice, choose another");
        }
        if property.encrypted && property.value == MASK {
            let mut stored = context.current.into_iter().flat_map(|api| &api.properties);
            match stored.find(|stored| stored.key == property.key && stored.encrypted) {
                Some(stored) => property.value = stored.value.clone(),
                None => item.get("value").wrong(Stage::Resources, "is masked and nothing is stored for it"),
            }
        }
        properties.push(property);
    }
    properties
}

fn required_value(node: &Node<'_>) -> String {
    if node.is_absent() {
        node.wrong(Stage::Shape, "must not be null, a text is required");
    }
    node.text().unwrap_or_default()
}

/// `resources`.
pub(super) fn read_resources(node: &Node<'_>, context: &Context<'_>) -> Vec<Resource> {
    let mut resources: Vec<Resource> = Vec::new();
    for item in node.objects() {
        let resource = read_resource(&item, context);
        if resources.iter().any(|other| other.name == resource.name) && !resource.name.is_empty() {
            item.get("name").wrong(Stage::Resources, "is used twice, choose another");
        }
        resources.push(resource);
    }
    resources
}

/// A kind that this build does not run is kept as long as it is disabled.
fn read_resource(item: &Node<'_>, context: &Context<'_>) -> Resource {
    let (name, resource_type) = (item.get("name").required_text(), item.get("type").required_text());
    let enabled = item.get("enabled").flag().unwrap_or(true);
    let node = item.get("configuration");
    let configuration = match resource::resource(&resource_type) {
        Some(spec) => {
            let mut stored = context.current.into_iter().flat_map(|api| &api.resources);
            let stored = stored.find(|other| other.name == name && other.resource_type == resource_type);
            configuration::of_resource(&node, spec, stored.and_then(|stored| stored.configuration.as_ref()))
        }
        None => {
            if enabled && !resource_type.is_empty() {
                let reason = "is not available in this version, set enabled to false or remove the resource";
                item.get("type").wrong(Stage::Resources, reason);
            }
            node.settings()
        }
    };
    Resource { name, resource_type, configuration, enabled }
}

/// `responseTemplates`: error key, then media type, then the answer.
pub(super) fn read_templates(node: &Node<'_>) -> IndexMap<String, IndexMap<String, ResponseTemplate>> {
    let mut templates = IndexMap::new();
    for key in node.object().into_iter().flatten().map(|(key, _)| key) {
        let by_type = node.get(key);
        let types = by_type.required_object().into_iter().flatten();
        let read = types
            .filter_map(|(media, _)| Some((media.clone(), read_template(&by_type.get(media))?)))
            .collect();
        templates.insert(key.clone(), read);
    }
    templates
}

/// A header that HTTP cannot carry would make every gateway refuse the API.
fn check_header(node: &Node<'_>, name: &str, value: &str) {
    if !is_header_name(name) {
        node.wrong(Stage::Resources, "is no HTTP header name, use letters, digits and dashes");
    }
    if value.bytes().any(|byte| byte != b'\t' && (byte < b' ' || byte == 0x7f)) {
        node.wrong(Stage::Resources, "must not hold line breaks or other control characters");
    }
}

fn read_template(node: &Node<'_>) -> Option<ResponseTemplate> {
    node.required_object()?;
    let beta = node.get("status");
    let status = if beta.is_absent() { node.get("statusCode") } else { beta };
    if status.is_absent() {
        status.wrong(Stage::Shape, "must not be null, a status from 100 to 599 is required");
    }
    flow::check_expression(&node.get("body"));
    let headers = node.get("headers");
    let header = |(name, value): (&String, &Value)| {
        let text = value.as_str().map(str::to_owned);
        let text = text.or_else(|| headers.get(name).text()).unwrap_or_default();
        check_header(&headers.get(name), name, &text);
        (name.clone(), text)
    };
    Some(ResponseTemplate {
        status: status.integer(100..=599).and_then(|code| u16::try_from(code).ok()).unwrap_or_default(),
        headers: headers.object().into_iter().flatten().map(header).collect(),
        body: node.get("body").text(),
    })
}
