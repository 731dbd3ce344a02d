//! Policy `transform-headers`: sets, adds and removes headers.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, EvaluationError, Scope};
use crate::failure::Failure;
use crate::message::Message;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::transform_headers::{Header, TransformHeaders};
use definition::violation::Violation;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::sync::Arc;

const FAILURE: &str = "TRANSFORM_HEADERS_FAILURE";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = TransformHeaders::parse(settings)?;
    let headers = settings.add_headers.iter().chain(&settings.append_headers);
    let templates = headers.filter_map(|header| header.value.as_ref());
    let needs = templates.fold(Needs::default(), |needs, template| needs | template.needs());
    Ok(Arc::new(TransformPolicy { settings, needs }))
}

struct TransformPolicy {
    settings: TransformHeaders,
    needs: Needs,
}

/// What a transformation does, with all values known.
struct Changes {
    set: Vec<(String, String)>,
    added: Vec<(String, String)>,
}

#[async_trait]
impl Policy for TransformPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let changes = self.changes(&Scope::of(call)).map_err(|_| failed(""))?;
        self.apply(changes, &mut call.request.head.headers);
        Ok(Flow::Continue)
    }

    async fn on_response(&self, call: &mut Call) -> Result<Flow, Failure> {
        let changes = self.changes(&Scope::of(call)).map_err(|_| failed(""))?;
        self.apply(changes, &mut call.response.headers);
        Ok(Flow::Continue)
    }

    async fn on_message(
        &self,
        call: &Call,
        mut message: Message,
        _phase: Phase,
    ) -> Result<Option<Message>, Failure> {
        let changes = self.changes(&Scope::of_message(call, &message)).map_err(|_| failed(" on message"))?;
        let headers = &mut message.headers;
        for (name, value) in changes.set {
            headers.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            headers.push((name, value));
        }
        headers.extend(changes.added);
        headers.retain(|(name, _)| self.keeps(name));
        Ok(Some(message))
    }
}

impl TransformPolicy {
    fn changes(&self, scope: &Scope<'_>) -> Result<Changes, EvaluationError> {
        let values = |headers: &[Header]| {
            let mut values = Vec::new();
            for header in headers.iter().filter(|header| !header.name.trim().is_empty()) {
                let value = header.value.as_ref().map(|value| expression::text(value, scope)).transpose()?;
                if let Some(value) = value.flatten() {
                    values.push((header.name.trim().to_owned(), value.into_owned()));
                }
            }
            Ok(values)
        };
        Ok(Changes {
            set: values(&self.settings.add_headers)?,
            added: values(&self.settings.append_headers)?,
        })
    }

    /// Values that are not possible in HTTP are left out: a line break would be a header of the caller's choice.
    fn apply(&self, changes: Changes, headers: &mut HeaderMap) {
        for (name, value) in changes.set {
            if let Some((name, value)) = pair(&name, &value) {
                headers.insert(name, value);
            }
        }
        for (name, value) in changes.added {
            if let Some((name, value)) = pair(&name, &value) {
                headers.append(name, value);
            }
        }
        let gone: Vec<HeaderName> =
            headers.keys().filter(|name| !self.keeps(name.as_str())).cloned().collect();
        for name in gone {
            headers.remove(name);
        }
    }

    fn keeps(&self, name: &str) -> bool {
        let listed = |list: &[String]| list.iter().any(|known| known.trim().eq_ignore_ascii_case(name));
        let wanted = &self.settings.whitelist_headers;
        !listed(&self.settings.remove_headers) && (wanted.is_empty() || listed(wanted))
    }
}

fn pair(name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    HeaderName::try_from(name).ok().zip(HeaderValue::from_str(value).ok())
}

fn failed(suffix: &str) -> Failure {
    let message = format!("Unable to apply headers transformation{suffix}");
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, FAILURE, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn policy(settings: Value) -> Arc<dyn Policy> {
        super::super::sample::build(build, settings)
    }

    fn shown(headers: &HeaderMap) -> String {
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}={}", value.to_str().unwrap());
        headers.iter().map(line).collect::<Vec<_>>().join(" ")
    }

    async fn check(settings: Value, expected: &str) {
        let mut call = Call::sample("GET /ctx", &[("a", "1"), ("b", "2")], "");
        assert_eq!(policy(settings).on_request(&mut call).await.unwrap(), Flow::Continue);
        assert_eq!(shown(&call.request.head.headers), expected);
    }

    #[tokio::test]
    async fn headers_are_set_then_added_then_removed() {
        check(json!({}), "a=1 b=2").await;
        check(json!({"addHeaders": [{"name": "A", "value": "3"}, {"name": "c"}]}), "a=3 b=2").await;
        check(json!({"appendHeaders": [{"name": "A", "value": "3"}]}), "a=1 a=3 b=2").await;
        check(json!({"removeHeaders": ["B"]}), "a=1").await;
        let both = json!({"addHeaders": [{"name": "c", "value": "3"}], "whitelistHeaders": ["A"]});
        check(both, "a=1").await;
        check(json!({"addHeaders": [{"name": "c", "value": "3\r\nd: 4"}]}), "a=1 b=2").await;
    }

    #[tokio::test]
    async fn headers_of_messages_change_alike() {
        let mut message = Message::new(None);
        message.headers = vec![("A".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
        let settings = json!({"addHeaders": [{"name": "a", "value": "3"}], "removeHeaders": ["B"]});
        let call = Call::sample("GET /ctx", &[], "");
        let message = policy(settings).on_message(&call, message, Phase::Subscribe).await.unwrap().unwrap();
        assert_eq!(message.headers, [("a".to_owned(), "3".to_owned())]);
    }
}
