//! Policy `dynamic-routing`: sends a request where the first rule says whose pattern matches its path.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::expression::Scope;
use crate::failure::Failure;
use crate::proxy;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::pattern::{Found, Pattern};
use definition::policy::Phase;
use definition::policy::dynamic_routing::DynamicRouting;
use definition::violation::Violation;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = DynamicRouting::parse(settings)?;
    let templates = settings.rules.iter().flat_map(|rule| [&rule.pattern, &rule.url]);
    let needs = evaluate::needs(templates);
    let rules = settings.rules.into_iter().map(|rule| Rule {
        compiled: rule.pattern.literal().and_then(|pattern| Pattern::whole(pattern).ok()),
        pattern: rule.pattern,
        url: rule.url,
    });
    Ok(Arc::new(RoutingPolicy { rules: rules.collect(), needs }))
}

struct RoutingPolicy {
    rules: Vec<Rule>,
    needs: Needs,
}

struct Rule {
    pattern: Template,
    /// Where the pattern holds no expression.
    compiled: Option<Pattern>,
    url: Template,
}

#[async_trait]
impl Policy for RoutingPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        if self.rules.is_empty() {
            return Ok(Flow::Continue);
        }
        for rule in &self.rules {
            if let Some(found) = rule.find(call)? {
                let roots = evaluate::captures(found);
                let scope = Scope { extra: &roots, ..Scope::of(call) };
                let target = evaluate::text(&rule.url, &scope)?.into_owned();
                call.attributes.set(proxy::TARGET, target);
                return Ok(Flow::Continue);
            }
        }
        Err(Failure::plain(StatusCode::BAD_REQUEST, "No routing rule is matching path"))
    }
}

impl Rule {
    /// The path as it was sent counts first, so that what is captured is still encoded.
    fn find(&self, call: &Call) -> Result<Option<Found>, Failure> {
        let evaluated;
        let pattern = match &self.compiled {
            Some(pattern) => pattern,
            None => {
                let source = evaluate::text(&self.pattern, &Scope::of(call))?;
                evaluated = Pattern::whole(&source).map_err(|_| invalid())?;
                &evaluated
            }
        };
        let sent = call.request.path_info();
        if let Some(found) = pattern.find(sent, 0).map_err(|_| invalid())? {
            return Ok(Some(found));
        }
        let decoded = percent_decode_str(sent).decode_utf8_lossy();
        pattern.find(&decoded, 0).map_err(|_| invalid())
    }
}

fn invalid() -> Failure {
    Failure::plain(StatusCode::INTERNAL_SERVER_ERROR, "Invalid pattern syntax")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::{Value, json};

    async fn routed(rules: Value, path: &str) -> Result<String, String> {
        let mut call = Call::sample(&format!("GET /ctx{path}"), &[("to", "([")], "");
        let policy = sample::build(build, json!({"rules": rules}));
        policy.on_request(&mut call).await.map_err(|failure| failure.to_string())?;
        Ok(call.attributes.text("request.endpoint").unwrap_or_default().to_owned())
    }

    #[tokio::test]
    async fn the_first_rule_that_matches_the_whole_path_counts() {
        let rules = json!([
            {"pattern": "/v1/(.*)", "url": "one:/{#group[0]}"},
            {"pattern": "/(?<name>[a-z]+)/x", "url": "http://h/{#groupName['name']}"},
            {"pattern": "/{#request.method}", "url": "https://method"},
            {"pattern": "/a b", "url": "decoded"},
        ]);
        let check = async |path, expected: &str| {
            assert_eq!(routed(rules.clone(), path).await, Ok(expected.to_owned()), "{path}");
        };
        check("/v1/a%20b/c", "one:/a%20b/c").await;
        check("/abc/x", "http://h/abc").await;
        check("/GET", "https://method").await;
        check("/a%20b", "decoded").await;
        let missed = routed(rules.clone(), "/abc/x/y").await;
        assert_eq!(missed, Err("400 Bad Request No routing rule is matching path".to_owned()));
    }

    #[tokio::test]
    async fn without_rules_nothing_changes_and_a_wrong_pattern_is_told() {
        assert_eq!(routed(json!([]), "/a").await, Ok(String::new()));
        let wrong = json!([{"pattern": "{#request.headers['to'][0]}", "url": "x"}]);
        let failed = routed(wrong, "/a").await;
        assert_eq!(failed, Err("500 Internal Server Error Invalid pattern syntax".to_owned()));
        let missing = json!([{"pattern": "/a", "url": "{#request.headers['none']}"}]);
        assert!(routed(missing, "/a").await.unwrap_err().starts_with("500"));
    }
}
