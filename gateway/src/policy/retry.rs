//! Policy `retry`: asks the backend again when its answer is not good enough.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::flow;
use crate::flow::layer::{Layer, Next};
use crate::flow::replay::Replay;
use async_trait::async_trait;
use definition::api::Settings;
use definition::policy::retry::Retry;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;
use std::time::Duration;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    Ok(Arc::new(RetryPolicy(Arc::new(Attempts(Retry::parse(settings)?)))))
}

struct RetryPolicy(Arc<Attempts>);

struct Attempts(Retry);

#[async_trait]
impl Policy for RetryPolicy {
    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        call.layers.push(Arc::clone(&self.0) as Arc<dyn Layer>);
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Layer for Attempts {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure> {
        let replay = Replay::of(call).await?;
        let timeout = Duration::from_millis(self.0.timeout);
        let mut left = self.0.max_retries;
        loop {
            let outcome = tokio::time::timeout(timeout, next.run(call)).await.unwrap_or_else(|_| Err(late()));
            if let Err(failure) = &outcome {
                // The condition sees a failure of the backend as the client would.
                call.response.status = failure.status;
            }
            if !self.wants_another(call).await? {
                return outcome;
            }
            if left == 0 {
                let exhausted = Err(Failure::plain(StatusCode::BAD_GATEWAY, ""));
                return if self.0.last_response { outcome } else { exhausted };
            }
            left -= 1;
            replay.restore(call);
            tokio::time::sleep(Duration::from_millis(self.0.delay)).await;
        }
    }
}

impl Attempts {
    /// A condition that cannot be evaluated does not hold.
    async fn wants_another(&self, call: &mut Call) -> Result<bool, Failure> {
        flow::provide(self.0.condition.needs(), call).await?;
        let truth = expression::truth(&self.0.condition, &Scope::of(call));
        Ok(truth.is_ok_and(|truth| truth == Some(true)))
    }
}

/// An answer that did not come in time.
fn late() -> Failure {
    Failure::plain(StatusCode::GATEWAY_TIMEOUT, "")
}

#[cfg(test)]
mod tests {
    use super::super::layered::{Act, Backend, answer, through};
    use super::super::sample;
    use super::*;
    use http::HeaderValue;
    use serde_json::{Value, json};

    /// What came of it, and how often the backend was asked.
    async fn outcome(settings: Value, acts: &[Act]) -> (String, usize) {
        let mut call = Call::sample("POST /ctx/a", &[("a", "1")], "body");
        call.response.headers.insert("kept", HeaderValue::from_static("1"));
        let backend = Backend::acting(acts);
        let outcome = through(&*sample::build(build, settings), &mut call, &backend).await;
        let asked = backend.asked();
        assert!(asked.iter().all(|line| line == "POST /ctx/a - body"), "{asked:?}");
        assert_eq!(call.response.headers["kept"], "1");
        let shown = match outcome {
            Err(failure) => format!("failed {}", failure.status.as_u16()),
            Ok(()) => {
                let body = String::from_utf8_lossy(call.response.buffer().await.unwrap()).into_owned();
                format!(
                    "{} {body} {}",
                    call.response.status.as_u16(),
                    call.response.headers.contains_key("late")
                )
            }
        };
        (shown, asked.len())
    }

    fn settings(more: &Value) -> Value {
        let mut settings = json!({"condition": "{#response.status >= 500}"});
        let object = settings.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        settings
    }

    #[tokio::test]
    async fn the_backend_is_asked_until_its_answer_is_good() {
        let (bad, good) = (answer(503, &[("late", "1")], "bad"), answer(200, &[], "good"));
        let check = async |more: Value, acts: &[Act], expected: &str, times: usize| {
            assert_eq!(outcome(settings(&more), acts).await, (expected.to_owned(), times), "{more}");
        };
        check(json!({}), std::slice::from_ref(&good), "200 good false", 1).await;
        check(json!({}), &[bad.clone(), good.clone()], "200 good false", 2).await;
        check(json!({}), &[bad.clone(), bad.clone(), good.clone()], "failed 502", 2).await;
        check(json!({"maxRetries": 2}), &[bad.clone(), bad.clone(), good.clone()], "200 good false", 3).await;
        check(json!({"lastResponse": true}), std::slice::from_ref(&bad), "503 bad true", 2).await;
        check(json!({"condition": "{#response.status == 404}"}), &[bad], "503 bad true", 1).await;
        let by_body = json!({"condition": "{#response.content == 'again'}"});
        check(by_body, &[answer(200, &[], "again"), good], "200 good false", 2).await;
    }

    #[tokio::test]
    async fn failures_and_late_answers_count_as_answers() {
        let refused = Act::Fail(Failure::plain(StatusCode::BAD_GATEWAY, ""));
        let good = answer(200, &[], "good");
        let (shown, times) = outcome(settings(&json!({})), &[refused.clone(), good.clone()]).await;
        assert_eq!((shown.as_str(), times), ("200 good false", 2));
        let last = settings(&json!({"lastResponse": true}));
        assert_eq!(outcome(last, &[refused]).await, ("failed 502".to_owned(), 2));
        let late = Act::Late(Duration::from_secs(60));
        let quick = settings(&json!({"timeout": 50}));
        assert_eq!(outcome(quick, &[late, good]).await, ("200 good false".to_owned(), 2));
        let patient = settings(&json!({"timeout": 30_000}));
        assert_eq!(
            outcome(patient, &[Act::Late(Duration::from_millis(1))]).await,
            ("200  false".to_owned(), 1)
        );
    }

    #[tokio::test]
    async fn there_is_a_pause_between_attempts() {
        let begun = std::time::Instant::now();
        let acts = [answer(500, &[], ""), answer(500, &[], ""), answer(200, &[], "")];
        let (_, times) = outcome(settings(&json!({"maxRetries": 5, "delay": 20})), &acts).await;
        assert_eq!(times, 3);
        assert!(begun.elapsed() >= Duration::from_millis(40), "two pauses");
    }
}
