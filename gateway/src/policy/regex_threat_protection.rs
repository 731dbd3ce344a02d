//! Policy `regex-threat-protection`: refuses requests whose path, headers or body match an expression.
//!
//! A match that would take too long counts as one: whoever makes the expression work hard has something to hide.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::pattern::compile;
use definition::policy::regex_threat_protection::RegexThreatProtection;
use definition::violation::Violation;
use fancy_regex::Regex;
use http::StatusCode;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

const IN_HEADER: &str = "REGEX_THREAT_HEADER_DETECTED";
const IN_PATH: &str = "REGEX_THREAT_PATH_DETECTED";
const IN_BODY: &str = "REGEX_THREAT_BODY_DETECTED";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = RegexThreatProtection::parse(settings)?;
    let compiled = |whole| {
        compile(&settings.regex, settings.reading(whole))
            .map_err(|fault| vec![Violation::new("regex", "data.invalid", fault)])
    };
    let (whole, body) = (compiled(true)?, compiled(settings.full_matching)?);
    Ok(Arc::new(RegexThreatPolicy { settings, whole, body }))
}

struct RegexThreatPolicy {
    settings: RegexThreatProtection,
    whole: Regex,
    body: Regex,
}

#[async_trait]
impl Policy for RegexThreatPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        Needs { request_content: self.settings.check_body, ..Needs::default() }
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        if self.settings.check_headers && self.in_headers(call) {
            return Err(detected(IN_HEADER));
        }
        if self.settings.check_path && self.in_path(call) {
            return Err(detected(IN_PATH));
        }
        if self.settings.check_body {
            let body = call.request.buffer().await?;
            if !body.is_empty() && matches(&self.body, &String::from_utf8_lossy(body)) {
                return Err(detected(IN_BODY));
            }
        }
        Ok(Flow::Continue)
    }
}

impl RegexThreatPolicy {
    fn in_headers(&self, call: &Call) -> bool {
        call.request.head.headers.iter().any(|(name, value)| {
            matches(&self.whole, name.as_str())
                || matches(&self.whole, &String::from_utf8_lossy(value.as_bytes()))
        })
    }

    /// As it was sent and decoded, with the names and values of the query.
    fn in_path(&self, call: &Call) -> bool {
        let path = call.request.path_info();
        let parts = call.request.params();
        matches(&self.whole, path)
            || matches(&self.whole, &percent_decode_str(path).decode_utf8_lossy())
            || parts.iter().any(|(name, value)| matches(&self.whole, name) || matches(&self.whole, value))
    }
}

fn matches(regex: &Regex, text: &str) -> bool {
    regex.is_match(text).unwrap_or(true)
}

fn detected(key: &'static str) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, key, "Bad Request")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    async fn ask(settings: Value, line: &str, header: &str, body: &str) -> String {
        let mut call = Call::sample(line, &[("x-h", header)], body);
        let policy = super::super::sample::build(build, settings);
        policy.on_request(&mut call).await.map_or_else(
            |failure| format!("{} {} {}", failure.status.as_u16(), failure.key.unwrap(), failure.message),
            |_| "passed".to_owned(),
        )
    }

    #[tokio::test]
    async fn headers_path_and_body_are_looked_at() {
        let all = json!({"regex": ".*<script>.*"});
        let check = async |line: &str, header: &str, body: &str, expected: &str| {
            assert_eq!(ask(all.clone(), line, header, body).await, expected, "{line} {header} {body}");
        };
        check("POST /ctx/x", "h", "body", "passed").await;
        check("POST /ctx/x", "a <SCRIPT>", "", "400 REGEX_THREAT_HEADER_DETECTED Bad Request").await;
        check("POST /ctx/%3Cscript%3E", "h", "", "400 REGEX_THREAT_PATH_DETECTED Bad Request").await;
        check("POST /ctx/x?a=%3Cscript%3E", "h", "", "400 REGEX_THREAT_PATH_DETECTED Bad Request").await;
        check("POST /ctx/x", "h", "line\n<script>\n", "400 REGEX_THREAT_BODY_DETECTED Bad Request").await;
    }

    #[tokio::test]
    async fn each_part_can_be_left_out() {
        let line = "POST /ctx/x?a=b";
        let settings = |more: Value| {
            let mut settings = json!({"regex": "b"});
            settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            settings
        };
        assert_eq!(ask(settings(json!({"checkPath": false})), line, "h", "").await, "passed");
        assert_eq!(ask(settings(json!({"checkHeaders": false})), "GET /ctx", "b", "").await, "passed");
        assert_eq!(ask(settings(json!({"checkBody": false})), "GET /ctx", "h", "b").await, "passed");
        assert_eq!(ask(settings(json!({"caseSensitive": true})), "GET /ctx", "B", "").await, "passed");
        assert_eq!(ask(settings(json!({})), "GET /ctx", "h", "abc").await, "passed");
        let part = ask(settings(json!({"fullMatching": false})), "GET /ctx", "abc", "abc").await;
        assert_eq!(part, "400 REGEX_THREAT_BODY_DETECTED Bad Request", "headers always match as a whole");
    }

    #[tokio::test]
    async fn what_would_take_too_long_is_a_threat() {
        let settings = json!({"regex": "(a|b|ab)*(?>c)"});
        let said = ask(settings, "GET /ctx", "h", &"ab".repeat(64)).await;
        assert_eq!(said, "400 REGEX_THREAT_BODY_DETECTED Bad Request");
        assert!(super::super::sample::try_build(build, &json!({"regex": "("})).is_err());
    }
}
