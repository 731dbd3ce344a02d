//! Policy `policy-circuit-breaker`: leaves a backend alone for a while that fails or answers slowly.

mod breaker;

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::flow::layer::{Layer, Next};
use crate::proxy;
use async_trait::async_trait;
use breaker::{Breaker, Rules};
use definition::api::Settings;
use definition::expression::{Needs, Template};
use definition::policy::Phase;
use definition::policy::circuit_breaker::CircuitBreaker;
use definition::violation::Violation;
use http::StatusCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = CircuitBreaker::parse(settings)?;
    let breaker = Breaker::new(Rules {
        failed: settings.failure_rate_threshold as usize,
        slow: settings.slow_call_rate_threshold as usize,
        slow_from: Duration::from_millis(settings.slow_call_duration_threshold),
        window: settings.window_size as usize,
        open_for: Duration::from_millis(settings.wait_duration_in_open_state),
    });
    Ok(Arc::new(BreakerPolicy(Arc::new(Guard { breaker, redirect: settings.redirect_to_url }))))
}

struct BreakerPolicy(Arc<Guard>);

struct Guard {
    breaker: Arc<Breaker>,
    /// Where calls go while the breaker is open.
    redirect: Option<Template>,
}

#[async_trait]
impl Policy for BreakerPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.0.redirect.as_ref().map(Template::needs).unwrap_or_default()
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        call.layers.push(Arc::clone(&self.0) as Arc<dyn Layer>);
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Layer for Guard {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure> {
        let Some(permit) = self.breaker.admit(Instant::now()) else {
            let target = self.redirect.as_ref().map(|target| expression::text(target, &Scope::of(call)));
            let Some(Ok(Some(target))) = target else { return Err(open()) };
            let target = target.into_owned();
            if target.trim().is_empty() {
                return Err(open());
            }
            call.attributes.set(proxy::TARGET, target);
            return next.run(call).await;
        };
        let outcome = next.run(call).await;
        let status = outcome.as_ref().map_or_else(|failure| failure.status, |()| call.response.status);
        permit.settle(status.is_server_error(), Instant::now());
        outcome
    }
}

fn open() -> Failure {
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "CIRCUIT_BREAKER_OPEN_STATE",
        "Service temporarily unavailable",
    )
}

#[cfg(test)]
mod tests {
    use super::super::layered::{Act, Backend, answer, through};
    use super::super::sample;
    use super::*;
    use serde_json::json;

    async fn ask(policy: &Arc<dyn Policy>, backend: &Arc<Backend>) -> String {
        let mut call = Call::sample("GET /ctx", &[("to", "elsewhere:")], "");
        match through(&**policy, &mut call, backend).await {
            Ok(()) => call.response.status.as_u16().to_string(),
            Err(failure) => format!("{failure} {}", failure.key.as_deref().unwrap_or_default()),
        }
    }

    const OPEN: &str = "503 Service Unavailable Service temporarily unavailable CIRCUIT_BREAKER_OPEN_STATE";

    #[tokio::test]
    async fn a_backend_that_fails_is_left_alone_and_tried_again() {
        let policy = sample::build(build, json!({"failureRateThreshold": 60, "windowSize": 3}));
        let backend = Backend::answering(&[(200, ""), (500, ""), (404, ""), (503, ""), (200, "")]);
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(ask(&policy, &backend).await);
        }
        assert_eq!(seen, ["200", "500", "404", "503", OPEN]);
        let tried = async {
            while ask(&policy, &backend).await == OPEN {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), tried).await.expect("a call tries the backend");
        assert_eq!(ask(&policy, &backend).await, "200");
        assert_eq!(backend.asked().len(), 6);
    }

    #[tokio::test]
    async fn failures_of_the_connection_count() {
        let policy = sample::build(build, json!({}));
        let backend = Backend::acting(&[Act::Fail(Failure::plain(StatusCode::BAD_GATEWAY, ""))]);
        assert_eq!(ask(&policy, &backend).await, "502 Bad Gateway  ");
        assert_eq!(ask(&policy, &backend).await, OPEN);
    }

    #[tokio::test]
    async fn an_open_breaker_may_send_calls_elsewhere() {
        let policy = sample::build(build, json!({"redirectToURL": "{#request.headers['to'][0]}/x"}));
        let backend = Backend::acting(&[answer(500, &[], ""), answer(200, &[], "")]);
        assert_eq!(ask(&policy, &backend).await, "500");
        assert_eq!(ask(&policy, &backend).await, "200");
        assert_eq!(backend.asked(), ["GET /ctx - ", "GET /ctx elsewhere:/x "]);
        let broken = sample::build(build, json!({"redirectToURL": "{#request.headers['none'][0]}"}));
        let backend = Backend::answering(&[(500, "")]);
        assert_eq!(ask(&broken, &backend).await, "500");
        assert_eq!(ask(&broken, &backend).await, OPEN);
    }
}
