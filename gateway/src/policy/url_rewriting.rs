//! Policy `url-rewriting`: replaces addresses in what the backend answers.
//!
//! Bodies that are no text are left alone, and so are compressed ones and event streams, which have no end to wait for.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::call::body::BUFFERED_BODY_MAX_BYTES;
use crate::expression::Scope;
use crate::failure::Failure;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::pattern::Pattern;
use definition::policy::Phase;
use definition::policy::url_rewriting::UrlRewriting;
use definition::violation::Violation;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = UrlRewriting::parse(settings)?;
    let pattern = Pattern::anywhere(&settings.from_regex)
        .map_err(|error| vec![Violation::new("fromRegex", "data.invalid", error.to_string())])?;
    Ok(Arc::new(RewritingPolicy { settings, pattern }))
}

struct RewritingPolicy {
    settings: UrlRewriting,
    pattern: Pattern,
}

#[async_trait]
impl Policy for RewritingPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.settings.to_replacement.needs()
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        if self.settings.rewrite_response_headers {
            self.rewrite_headers(call)?;
        }
        if self.settings.rewrite_response_body && rewritable(&call.response.headers) {
            self.rewrite_body(call).await?;
        }
        Ok(Flow::Continue)
    }
}

impl RewritingPolicy {
    fn rewrite_headers(&self, call: &mut Call) -> Result<(), Failure> {
        let mut rewritten = HeaderMap::with_capacity(call.response.headers.len());
        for (name, value) in &call.response.headers {
            let text = value.to_str().ok();
            let changed = text.map(|text| self.rewrite(call, text)).transpose()?.flatten();
            // A value that is not possible in HTTP is left out, so that it cannot break out of its header.
            match changed.map(|text| HeaderValue::from_str(&text)) {
                None => _ = rewritten.append(name, value.clone()),
                Some(Ok(value)) => _ = rewritten.append(name, value),
                Some(Err(_)) => {}
            }
        }
        call.response.headers = rewritten;
        Ok(())
    }

    async fn rewrite_body(&self, call: &mut Call) -> Result<(), Failure> {
        call.response.buffer().await?;
        let Some(body) = call.response.body.bytes().cloned() else { return Ok(()) };
        let Ok(text) = std::str::from_utf8(&body) else { return Ok(()) };
        if let Some(changed) = self.rewrite(call, text)? {
            call.response.set_body(changed);
        }
        Ok(())
    }

    /// The text with every match replaced; `None`: there is none.
    fn rewrite(&self, call: &Call, text: &str) -> Result<Option<String>, Failure> {
        let (mut rewritten, mut copied, mut from) = (String::new(), 0, 0);
        while let Some(found) = self.pattern.find(text, from).map_err(|_| Failure::unexpected())? {
            let range = found.range.clone();
            let roots = evaluate::captures(found);
            let scope = Scope { extra: &roots, ..Scope::of(call) };
            rewritten.push_str(&text[copied..range.start]);
            rewritten.push_str(&evaluate::text(&self.settings.to_replacement, &scope)?);
            if rewritten.len() > BUFFERED_BODY_MAX_BYTES {
                tracing::debug!("a rewritten text is larger than {BUFFERED_BODY_MAX_BYTES} bytes");
                return Err(Failure::unexpected());
            }
            copied = range.end;
            // A match of nothing is searched for again behind the next character.
            let step = text[range.end..].chars().next().map_or(1, char::len_utf8);
            from = if range.is_empty() { range.end + step } else { range.end };
            if from > text.len() {
                break;
            }
        }
        if copied == 0 && rewritten.is_empty() {
            return Ok(None);
        }
        rewritten.push_str(&text[copied..]);
        Ok(Some(rewritten))
    }
}

fn rewritable(headers: &HeaderMap) -> bool {
    let value = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let plain = matches!(value(CONTENT_ENCODING).trim(), "" | "identity");
    plain && !value(CONTENT_TYPE).trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use http::header::LOCATION;
    use serde_json::{Value, json};

    const BODY: &str = "see http://inside:1/a and http://inside:2/b";

    async fn rewritten(settings: Value, headers: &[(&'static str, &'static str)]) -> (String, String) {
        let mut call = Call::sample("GET /ctx", &[], "");
        call.response.headers.insert(LOCATION, HeaderValue::from_static("http://inside:9/x"));
        for (name, value) in headers {
            call.response.headers.insert(*name, HeaderValue::from_static(value));
        }
        call.response.set_body(BODY);
        sample::build(build, settings).on_response(&mut call).await.unwrap();
        let location = call.response.headers[LOCATION].to_str().unwrap().to_owned();
        let length = call.response.headers["content-length"].to_str().unwrap().parse();
        let body = String::from_utf8(call.response.buffer().await.unwrap().to_vec()).unwrap();
        assert_eq!(length, Ok(body.len()));
        (location, body)
    }

    #[tokio::test]
    async fn every_match_is_replaced_where_the_settings_say() {
        let settings = |headers: bool, body: bool| {
            json!({"fromRegex": "http://inside:(?<port>[0-9])", "rewriteResponseHeaders": headers,
                "toReplacement": "https://out/{#group[0]}{#groupName['port']}", "rewriteResponseBody": body})
        };
        let (new_header, new_body) = ("https://out/99/x", "see https://out/11/a and https://out/22/b");
        let check = async |settings, headers: &[_], location: &str, body: &str| {
            assert_eq!(rewritten(settings, headers).await, (location.to_owned(), body.to_owned()));
        };
        check(settings(true, true), &[], new_header, new_body).await;
        check(settings(true, false), &[], new_header, BODY).await;
        check(settings(false, true), &[], "http://inside:9/x", new_body).await;
        check(settings(true, true), &[("content-encoding", "gzip")], new_header, BODY).await;
        check(settings(true, true), &[("content-type", "text/event-stream;charset=utf-8")], new_header, BODY)
            .await;
    }

    #[tokio::test]
    async fn what_does_not_match_stays_and_matches_of_nothing_end() {
        let settings = json!({"fromRegex": "nowhere", "toReplacement": "x"});
        assert_eq!(rewritten(settings, &[]).await.1, BODY);
        let everywhere = json!({"fromRegex": "q*", "toReplacement": "-", "rewriteResponseHeaders": false});
        assert_eq!(rewritten(everywhere, &[]).await.1.matches('-').count(), BODY.len() + 1);
        assert!(sample::try_build(build, &json!({"fromRegex": "(", "toReplacement": "x"})).is_err());
    }
}
