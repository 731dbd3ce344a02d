//! Failover of proxy APIs: a call that its endpoint does not answer in time is tried again, at the next endpoint, and
//! a circuit breaker spares endpoints that answer nobody.
//!
//! The body of a request is read as a whole first, because every attempt has to send it.

mod circuit;

use crate::call::Call;
use crate::call::body::Body;
use crate::endpoint::Backend;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::proxy::{self, Chosen};
use crate::seldom::warn_seldom;
use crate::table::build::Rejection;
use crate::table::groups::{Choice, Groups};
use circuit::Circuit;
use definition::api::Settings;
use definition::connector::Mode;
use definition::failover::Failover as Rules;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// Subscriptions of one API whose circuits are known at the same time; the one that called longest ago is forgotten.
const CIRCUITS_MAX: u64 = 10_000;
/// A circuit is forgotten when nobody called through it for this long, milliseconds.
const CIRCUIT_IDLE_MS: u64 = 3_600_000;

/// Failover of one API.
pub(crate) struct Failover {
    rules: Rules,
    /// By subscription, or one under the empty name.
    circuits: Cache<Arc<str>, Arc<Circuit>>,
}

/// What every attempt sends.
struct Request {
    head: Parts,
    body: Body,
    trailers: Option<HeaderMap>,
    /// What policies put into the answer before there was one.
    response: HeaderMap,
}

/// What an attempt came to.
enum Attempt {
    Answered,
    /// Worth another attempt; why.
    Failed(String),
    /// No other attempt could change it.
    Refused(Failure),
}

impl Failover {
    /// Failover of a deployed API, when it is enabled.
    pub(crate) fn build(settings: Option<&Settings>) -> Result<Option<Failover>, Rejection> {
        let rules = settings.map(Rules::parse).transpose();
        let rules = rules.map_err(|message| Rejection::new("FAILOVER_CONFIGURATION", "failover", message))?;
        Ok(rules.flatten().map(|rules| {
            let idle = Duration::from_millis(CIRCUIT_IDLE_MS);
            Failover {
                rules,
                circuits: Cache::builder().max_capacity(CIRCUITS_MAX).time_to_idle(idle).build(),
            }
        }))
    }

    /// Sends the call to an endpoint, and to others when it has to be.
    pub(crate) async fn invoke(&self, groups: &Groups, call: &mut Call) -> Result<(), Failure> {
        let circuit = self.circuit(call);
        let Some(passage) = circuit.enter(Instant::now()) else { return Err(given_up()) };
        call.request.buffer().await?;
        let request = Request::of(call);
        let mut failed: Option<Choice<'_>> = None;
        for attempt in 0..=self.rules.max_retries {
            request.restore(call);
            let chosen = self.choose(groups, call, failed)?;
            match self.attempt(&chosen, call).await {
                Attempt::Answered => {
                    passage.succeeded();
                    return Ok(());
                }
                Attempt::Refused(failure) => return Err(failure),
                Attempt::Failed(reason) => tracing::debug!(api.id = %call.api.id, attempt,
                    endpoint = chosen.choice.endpoint.name, "an attempt failed: {reason}"),
            }
            call.failed.push(Arc::clone(chosen.choice.name()));
            failed = Some(chosen.choice);
        }
        let opened = passage.failed(Instant::now(), self.rules.max_failures, self.rules.open_state());
        warn_seldom!(api.id = %call.api.id, circuit_opened = opened, "a call was given up after {} attempts",
            u64::from(self.rules.max_retries) + 1);
        request.restore(call);
        Err(given_up())
    }

    fn circuit(&self, call: &Call) -> Arc<Circuit> {
        let subscription = call.consumer.as_ref().filter(|_| self.rules.per_subscription);
        let name = subscription.map_or_else(|| "".into(), |consumer| Arc::clone(&consumer.subscription));
        self.circuits.get_with(name, Arc::default)
    }

    /// The endpoint in turn, or the one that a policy names; another one than the one that failed when the rules force
    /// that.
    fn choose<'g>(
        &self,
        groups: &'g Groups,
        call: &Call,
        failed: Option<Choice<'g>>,
    ) -> Result<Chosen<'g>, Failure> {
        let other = failed.filter(|_| self.rules.force_next_endpoint_on_failure);
        let chosen = proxy::choose_in(groups, call, &[Mode::RequestResponse]);
        match other.and_then(|failed| failed.other()) {
            // A target goes along: it is what the policy asked for, and the endpoint says where it is.
            Some(choice) => Ok(Chosen { choice, target: chosen.ok().and_then(|chosen| chosen.target) }),
            None => chosen,
        }
    }

    async fn attempt(&self, chosen: &Chosen<'_>, call: &mut Call) -> Attempt {
        let Backend::Http(backend) = &chosen.choice.endpoint.backend else {
            return Attempt::Refused(proxy::no_endpoint());
        };
        let limit = self.rules.slow_call();
        match timeout(limit, backend.invoke(call, chosen.target.as_deref())).await {
            Err(_) => Attempt::Failed(format!("no answer within {} ms", limit.as_millis())),
            Ok(Err(failure)) if is_unreachable(failure.status) => {
                Attempt::Failed(failure.key.as_deref().unwrap_or("no answer").to_owned())
            }
            Ok(Err(failure)) => Attempt::Refused(failure),
            Ok(Ok(())) => self.judge(call).await,
        }
    }

    /// Whether the answer counts as one.
    async fn judge(&self, call: &mut Call) -> Attempt {
        let Some(condition) = &self.rules.failure_condition else { return Attempt::Answered };
        if condition.needs().response_content
            && let Err(failure) = call.response.buffer().await
        {
            return Attempt::Failed(failure.to_string());
        }
        match expression::truth(condition, &Scope::of(call)) {
            Ok(Some(true)) => {
                Attempt::Failed(format!("the failure condition holds for status {}", call.response.status))
            }
            // An answer that cannot be judged is an answer.
            Ok(Some(false) | None) | Err(_) => Attempt::Answered,
        }
    }
}

impl Request {
    fn of(call: &Call) -> Request {
        Request {
            head: call.request.head.clone(),
            body: call.request.body.bytes().map_or(Body::Empty, |bytes| Body::Bytes(bytes.clone())),
            trailers: call.request.trailers.clone(),
            response: call.response.headers.clone(),
        }
    }

    fn restore(&self, call: &mut Call) {
        call.request.head.clone_from(&self.head);
        call.request.body = self
            .body
            .bytes()
            .filter(|bytes| !bytes.is_empty())
            .map_or(Body::Empty, |bytes| Body::Bytes(bytes.clone()));
        call.request.trailers.clone_from(&self.trailers);
        call.response = crate::call::response::Response::default();
        call.response.headers.clone_from(&self.response);
    }
}

/// Whether the failure of one attempt says something about its endpoint.
fn is_unreachable(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// Every attempt failed, or the circuit is open.
fn given_up() -> Failure {
    Failure::plain(StatusCode::BAD_GATEWAY, "")
}
