//! Policy `resource-filtering`: lets requests in by their paths and methods.
//!
//! A backend may read a path in more than one way: decoded or not, with dots and doubled slashes resolved, with or without
//! a slash at its end. A request is refused when any reading is listed, and let in when every reading is.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use crate::flow::path::segments;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::resource_filtering::{Resource, ResourceFiltering};
use definition::violation::Violation;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use std::collections::BTreeSet;
use std::sync::Arc;

mod ant;
use ant::AntPattern;

const FORBIDDEN: &str = "RESOURCE_FILTERING_FORBIDDEN";
const METHOD_NOT_ALLOWED: &str = "RESOURCE_FILTERING_METHOD_NOT_ALLOWED";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let ResourceFiltering { whitelist, blacklist } = ResourceFiltering::parse(settings)?;
    let rules = |list: Vec<Resource>| list.into_iter().map(Rule::new).collect();
    Ok(Arc::new(ResourceFilteringPolicy { whitelist: rules(whitelist), blacklist: rules(blacklist) }))
}

struct ResourceFilteringPolicy {
    whitelist: Vec<Rule>,
    blacklist: Vec<Rule>,
}

struct Rule {
    pattern: AntPattern,
    /// Empty: all.
    methods: Vec<String>,
}

impl Rule {
    fn new(resource: Resource) -> Self {
        Rule { pattern: AntPattern::new(resource.pattern.trim()), methods: resource.methods }
    }

    /// Patterns are relative to the context path or name it.
    fn names(&self, path: &Path) -> bool {
        self.pattern.matches(&path.full)
            || path.below.as_ref().is_some_and(|below| self.pattern.matches(below))
    }

    fn takes(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|known| known.eq_ignore_ascii_case(method))
    }
}

/// One reading of a path, in segments; one that is empty at the end stands for a slash there.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Path {
    full: Vec<String>,
    /// What follows the context path.
    below: Option<Vec<String>>,
}

#[async_trait]
impl Policy for ResourceFilteringPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let method = call.request.head.method.as_str();
        let paths = readings(call.request.path(), &call.request.context_path);
        for rule in &self.blacklist {
            if paths.iter().any(|path| rule.names(path)) && rule.takes(method) {
                return Err(if rule.methods.is_empty() { forbidden() } else { method_not_allowed() });
            }
        }
        if self.whitelist.is_empty() {
            return Ok(Flow::Continue);
        }
        for path in &paths {
            let mut named = self.whitelist.iter().filter(|rule| rule.names(path)).peekable();
            if named.peek().is_none() {
                return Err(forbidden());
            }
            if !named.any(|rule| rule.takes(method)) {
                return Err(method_not_allowed());
            }
        }
        Ok(Flow::Continue)
    }
}

fn forbidden() -> Failure {
    Failure::new(StatusCode::FORBIDDEN, FORBIDDEN, "You're not allowed to access this resource")
}

fn method_not_allowed() -> Failure {
    let message = "Method not allowed while accessing this resource";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, METHOD_NOT_ALLOWED, message)
}

/// Every way in which a backend may read the path.
fn readings(path: &str, context: &str) -> BTreeSet<Path> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().replace('\\', "/");
    // A slash that was sent as `%2F` separates segments for some and is a character for others.
    let kept = path.replace("%2F", "%252F").replace("%2f", "%252F");
    let context = segments(&decode(context.trim_end_matches('/')), false);
    let mut readings = BTreeSet::new();
    for text in [decode(path), decode(&kept)] {
        for without_parameters in [false, true] {
            let mut full = segments(&text, without_parameters);
            if full.len() > 1 && full.last().is_some_and(String::is_empty) {
                readings.insert(Path::new(full.clone(), &context));
                full.pop();
            }
            readings.insert(Path::new(full, &context));
        }
    }
    readings
}

impl Path {
    fn new(full: Vec<String>, context: &[String]) -> Self {
        let below = full.strip_prefix(context).map(<[String]>::to_vec);
        Path { full, below }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: &Value, line: &str) -> u16 {
        let mut call = Call::sample(line, &[], "");
        let policy = super::super::sample::build(build, settings.clone());
        policy.on_request(&mut call).await.map_or_else(|failure| failure.status.as_u16(), |_| 200)
    }

    async fn check(settings: Value, cases: &[(&str, u16)]) {
        for (line, expected) in cases {
            assert_eq!(ask(&settings, line).await, *expected, "{settings} {line}");
        }
    }

    #[tokio::test]
    async fn a_whitelist_names_what_may_be_asked_for() {
        check(json!({}), &[("GET /ctx/x", 200)]).await;
        let list = json!({"whitelist": [{"pattern": "/a/**", "methods": ["GET"]}, {"pattern": "/ctx/b"}]});
        let cases = [
            ("GET /ctx/a", 200),
            ("GET /ctx/a/b/c", 200),
            ("POST /ctx/a", 405),
            ("POST /ctx/b", 200),
            ("POST /ctx/b/", 403),
            ("GET /ctx/c", 403),
            ("GET /ctx", 403),
        ];
        check(list, &cases).await;
    }

    #[tokio::test]
    async fn a_blacklist_names_what_is_refused() {
        let list = json!({"blacklist": [{"pattern": "/admin/**"}, {"pattern": "/a", "methods": ["post"]}]});
        let cases = [("GET /ctx/admin", 403), ("GET /ctx/x", 200), ("POST /ctx/a", 405), ("GET /ctx/a", 200)];
        check(list, &cases).await;
    }

    #[tokio::test]
    async fn no_spelling_of_a_path_slips_through() {
        let black = json!({"blacklist": [{"pattern": "/admin/*"}]});
        for path in [
            "/admin/x",
            "/%61dmin/x",
            "/a/../admin/x",
            "/a/%2e%2e/admin/x",
            "/a/%2E%2e/./admin/x",
            "//admin//x",
            "/admin/x/",
            "/admin%2fx",
            "/a%2F..%2Fadmin/x",
            "/admin;p=1/x",
            "/%5cadmin/x",
            "/../ctx/admin/x",
        ] {
            assert_eq!(ask(&black, &format!("GET /ctx{path}")).await, 403, "{path}");
        }
        let white = json!({"whitelist": [{"pattern": "/a/**"}]});
        for path in ["/a/../b", "/a/%2e%2e/b", "/a%2f..%2fb", "/a/..;x/b", "/a/%2e%2e%2fb"] {
            assert_eq!(ask(&white, &format!("GET /ctx{path}")).await, 403, "{path}");
        }
        for path in ["/a/b%2fc", "/a/b;x=1", "/a/b/", "/a/x/../y"] {
            assert_eq!(ask(&white, &format!("GET /ctx{path}")).await, 200, "{path}");
        }
    }
}
