//! Policy `http-redirect`: tells the client to ask elsewhere.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::expression::Scope;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::pattern::Pattern;
use definition::policy::Phase;
use definition::policy::http_redirect::HttpRedirect;
use definition::violation::Violation;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = HttpRedirect::parse(settings)?;
    let needs = evaluate::needs(settings.rules.iter().map(|rule| &rule.location));
    let rules = settings.rules.into_iter().filter_map(|rule| {
        let (path, status) = Pattern::whole(&rule.path).ok().zip(StatusCode::from_u16(rule.status).ok())?;
        Some(Rule { path, location: rule.location, status })
    });
    Ok(Arc::new(RedirectPolicy { rules: rules.collect(), needs }))
}

struct RedirectPolicy {
    rules: Vec<Rule>,
    needs: Needs,
}

struct Rule {
    path: Pattern,
    location: Template,
    status: StatusCode,
}

#[async_trait]
impl Policy for RedirectPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        for rule in &self.rules {
            let found = rule.path.find(call.request.path_info(), 0).map_err(|_| Failure::unexpected())?;
            let Some(found) = found else { continue };
            let roots = evaluate::captures(found);
            let location = evaluate::text(&rule.location, &Scope { extra: &roots, ..Scope::of(call) })?;
            // A line break would be a header of the caller's choice.
            let location = HeaderValue::from_str(&location).map_err(|_| Failure::unexpected())?;
            call.response.status = rule.status;
            call.response.headers.insert(LOCATION, location);
            call.response.set_body("");
            return Ok(Flow::Interrupt);
        }
        Ok(Flow::Continue)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn the_first_rule_that_matches_answers() {
        let settings = json!({"rules": [
            {"path": "/old/(.*)", "location": "https://new/{#group[0]}"},
            {"path": "/gone", "location": "/here", "status": "307"},
        ]});
        let check = async |path: &str, expected: Option<(u16, &str)>| {
            let mut call = Call::sample(&format!("GET /ctx{path}"), &[], "");
            let flow = sample::build(build, settings.clone()).on_request(&mut call).await.unwrap();
            let location = call.response.headers.get(LOCATION).map(|value| value.to_str().unwrap());
            let answer = location.map(|location| (call.response.status.as_u16(), location));
            assert_eq!((answer, flow == Flow::Interrupt), (expected, expected.is_some()), "{path}");
        };
        check("/old/a/b", Some((301, "https://new/a/b"))).await;
        check("/gone", Some((307, "/here"))).await;
        check("/gone/x", None).await;
    }

    #[test]
    fn what_is_no_redirection_is_refused() {
        let with =
            |path: &str, status: u16| json!({"rules": [{"path": path, "location": "x", "status": status}]});
        assert!(sample::try_build(build, &with("/(", 301)).is_err());
        assert!(sample::try_build(build, &with("/a", 200)).is_err());
        assert!(sample::try_build(build, &with("/a", 308)).is_ok());
    }
}
