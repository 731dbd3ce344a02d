//! Cross-origin rules of an HTTP listener.

use crate::api::Cors;
use crate::reader::{Node, Stage};

/// Methods that a rule may name.
pub(super) const METHODS: &[&str] =
    &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "OTHER"];

/// `None` when absent. Disabled rules lose everything else, as their author would see them in the answer.
pub(super) fn read(node: &Node<'_>) -> Option<Cors> {
    node.object()?;
    let enabled = node.get("enabled").flag().unwrap_or(false);
    let cors = Cors {
        enabled,
        allow_credentials: node.get("allowCredentials").flag().unwrap_or(false),
        allow_origin: lower(&node.get("allowOrigin")),
        allow_headers: lower(&node.get("allowHeaders")),
        allow_methods: methods(&node.get("allowMethods")),
        expose_headers: lower(&node.get("exposeHeaders")),
        max_age: node.get("maxAge").integer(-1..=i64::from(i32::MAX)).unwrap_or(-1),
        run_policies: node.get("runPolicies").flag().unwrap_or(false),
    };
    if !enabled {
        return Some(Cors {
            enabled,
            allow_credentials: false,
            allow_origin: Vec::new(),
            allow_headers: Vec::new(),
            allow_methods: Vec::new(),
            expose_headers: Vec::new(),
            max_age: -1,
            run_policies: false,
        });
    }
    for item in node.get("allowOrigin").items() {
        if let Some(origin) = item.trimmed().filter(|origin| !is_origin(origin)) {
            let reason = "must be *, null, an origin such as https://example.com, or a regular expression";
            let violation = item.violation("allowOrigin.notAllowed", reason);
            item.fail(Stage::Listeners, violation.parameter("allowOrigin", origin));
        }
    }
    Some(cors)
}

/// Browsers compare origins and header names without case. A regular expression keeps its case: `\S` is not `\s`.
fn lower(node: &Node<'_>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in node.texts() {
        let text = if is_pattern(&text) { text } else { text.to_ascii_lowercase() };
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// Method names in upper case.
pub(super) fn methods(node: &Node<'_>) -> Vec<String> {
    let mut methods: Vec<String> = Vec::new();
    for item in node.items() {
        let method = item.required_text().to_ascii_uppercase();
        if !method.is_empty() && method != "*" && !METHODS.contains(&method.as_str()) {
            item.wrong(Stage::Shape, format!("must be one of {}", METHODS.join(", ")));
        }
        if !method.is_empty() && !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

fn is_pattern(origin: &str) -> bool {
    origin != "*" && origin.contains(['{', '[', '(', '*'])
}

fn is_origin(origin: &str) -> bool {
    if origin == "*" || origin == "null" {
        return true;
    }
    if is_pattern(origin) {
        return regex::Regex::new(origin).is_ok();
    }
    let Some((scheme, authority)) = origin.split_once("//") else { return false };
    let scheme = scheme.strip_suffix(':').unwrap_or(if scheme.is_empty() { "http" } else { "" });
    let legal_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    legal_scheme && super::path::is_host(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_no_path() {
        for origin in
            ["*", "null", "https://example.com", "http://localhost:3000", "//x", "https://.*\\.x\\.io"]
        {
            assert!(is_origin(origin), "{origin}");
        }
        for origin in ["example.com", "https://x/y", "https://", "https://a b", "(", "1:/x", "http:/x"] {
            assert!(!is_origin(origin), "{origin}");
        }
    }
}
