//! Policy `transform-queryparams`: removes and sets query parameters. Those that it does not touch stay byte by byte as
//! the client wrote them.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::transform_queryparams::TransformQueryParams;
use definition::violation::Violation;
use http::Uri;
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;
use url::form_urlencoded;

/// Everything but the unreserved characters, so that no server reads a value as anything else.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(Transformer(TransformQueryParams::parse(settings)?)))
}

struct Transformer(TransformQueryParams);

#[async_trait]
impl Policy for Transformer {
    fn needs(&self, _phase: Phase) -> Needs {
        let values = self.0.add_query_parameters.iter().filter_map(|parameter| parameter.value.as_ref());
        values.map(Template::needs).fold(Needs::default(), |needs, more| needs | more)
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let query = call.request.head.uri.query().unwrap_or_default();
        let mut pairs: Vec<String> =
            query.split('&').filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
        if self.0.clear_all {
            pairs.clear();
        }
        for name in &self.0.remove_query_parameters {
            pairs.retain(|pair| !names(pair, name));
        }
        for parameter in
            self.0.add_query_parameters.iter().filter(|parameter| !parameter.name.trim().is_empty())
        {
            let value = parameter.value.as_ref().map(|value| expression::text(value, &Scope::of(call)));
            // A value that cannot be evaluated is no reason to fail the request.
            let Some(Ok(Some(value))) = value else { continue };
            let name = parameter.name.trim();
            if !parameter.append_to_existing_array {
                pairs.retain(|pair| !names(pair, name));
            }
            pairs.push(format!(
                "{}={}",
                utf8_percent_encode(name, ENCODED),
                utf8_percent_encode(&value, ENCODED)
            ));
        }
        if let Some(uri) = with_query(&call.request.head.uri, &pairs.join("&")) {
            call.request.head.uri = uri;
        }
        Ok(Flow::Continue)
    }
}

/// Whether a raw `name=value` has this name.
fn names(pair: &str, name: &str) -> bool {
    form_urlencoded::parse(pair.as_bytes()).next().is_some_and(|(known, _)| known == name)
}

/// The same target with another query; `None` when it would be too long for one.
fn with_query(uri: &Uri, query: &str) -> Option<Uri> {
    let target = match query {
        "" => uri.path().to_owned(),
        query => format!("{}?{query}", uri.path()),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn check(settings: Value, before: &str, after: &str) {
        let policy = super::super::sample::build(build, settings);
        let mut call = Call::sample(&format!("GET {before}"), &[], "");
        policy.on_request(&mut call).await.unwrap();
        assert_eq!(call.request.head.uri.to_string(), after);
    }

    #[tokio::test]
    async fn parameters_are_removed_then_set() {
        let add = |name: &str, value: &str, append: bool| json!({"addQueryParameters": [{"name": name, "value": value, "appendToExistingArray": append}]});
        check(json!({}), "/c?a=%20b&c=d+e", "/c?a=%20b&c=d+e").await;
        check(json!({"clearAll": true}), "/c?a=1", "/c").await;
        check(json!({"removeQueryParameters": ["a b"]}), "/c?a+b=1&c=2&a%20b=3", "/c?c=2").await;
        check(add("a", "x", false), "/c?a=1&b=2&a=3", "/c?b=2&a=x").await;
        check(add("a", "x", true), "/c?a=1&b=2", "/c?a=1&b=2&a=x").await;
        check(add("é", "x &=#/", false), "/c", "/c?%C3%A9=x%20%26%3D%23%2F").await;
        check(
            json!({"clearAll": true, "addQueryParameters": [{"name": "z", "value": "1"}]}),
            "/c?a=1",
            "/c?z=1",
        )
        .await;
        check(json!({"addQueryParameters": [{"name": "a"}]}), "/c?a=1", "/c?a=1").await;
        check(add("a", "1", false), "http://h/c?b=2", "http://h/c?b=2&a=1").await;
    }
}
