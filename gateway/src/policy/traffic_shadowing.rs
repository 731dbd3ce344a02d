//! Policy `traffic-shadowing`: sends a copy of each request to another endpoint, whatever that answers.
//!
//! The copy is made while the real call reads the body, and it is sent when that is complete. Where a limit is reached
//! there is no copy; the real call never waits and never fails because of it.

use super::{Flow, Policy, Site, evaluate};
use crate::call::Call;
use crate::call::body::Body;
use crate::call::tee::tee;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use crate::flow::layer::{Invoker, Layer, Next};
use crate::proxy;
use async_trait::async_trait;
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::traffic_shadowing::TrafficShadowing;
use definition::violation::Violation;
use http::Extensions;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Copies of one step that are under way at once; requests beyond have none.
const COPIES_MAX: usize = 64;
/// Greatest body that is copied, bytes.
const COPY_MAX_BYTES: usize = 1024 * 1024;
/// Time for a copy to be answered, milliseconds.
const COPY_TIMEOUT_MS: u64 = 10_000;

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let settings = TrafficShadowing::parse(settings)?;
    let templates = evaluate::templates(&settings.headers).chain([&settings.target]);
    let needs = evaluate::needs(templates);
    let copies = Arc::new(Semaphore::new(COPIES_MAX));
    Ok(Arc::new(ShadowPolicy { shadow: Arc::new(Shadow { settings, copies }), needs }))
}

struct ShadowPolicy {
    shadow: Arc<Shadow>,
    needs: Needs,
}

struct Shadow {
    settings: TrafficShadowing,
    copies: Arc<Semaphore>,
}

#[async_trait]
impl Policy for ShadowPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        call.layers.push(Arc::clone(&self.shadow) as Arc<dyn Layer>);
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Layer for Shadow {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure> {
        if let Some((copy, permit)) = self.copy(call) {
            let backend = next.backend();
            let body = call.request.body.take();
            call.request.body = tee(body, COPY_MAX_BYTES, move |body| {
                tokio::spawn(send(copy, body, backend, permit));
            });
        }
        next.run(call).await
    }
}

impl Shadow {
    /// The call as the other endpoint gets it, still without its body.
    fn copy(&self, call: &Call) -> Option<(Call, OwnedSemaphorePermit)> {
        let Ok(permit) = Arc::clone(&self.copies).try_acquire_owned() else {
            tracing::debug!(api = %call.api.id, "a request is not copied, too many copies are under way");
            return None;
        };
        let scope = Scope::of(call);
        let target = expression::text(&self.settings.target, &scope);
        let headers = evaluate::headers(&self.settings.headers, &scope);
        let (target, headers) = match (target, headers) {
            (Ok(Some(target)), Ok(headers)) => (target, headers),
            (Ok(None), _) => return None,
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%error, api = %call.api.id, "a request is not copied");
                return None;
            }
        };
        let mut copy = call.snapshot();
        copy.attributes.set(proxy::TARGET, target.into_owned());
        // What the connection hangs on to stays with the real call.
        copy.request.head.extensions = Extensions::new();
        for (name, value) in headers {
            copy.request.head.headers.insert(name, value);
        }
        Some((copy, permit))
    }
}

async fn send(mut copy: Call, body: bytes::Bytes, backend: Arc<dyn Invoker>, permit: OwnedSemaphorePermit) {
    copy.request.body = if body.is_empty() { Body::Empty } else { Body::Bytes(body) };
    let exchange = async {
        backend.invoke(&mut copy).await?;
        // Read to its end, so that the connection can be used again.
        copy.response.buffer().await.map(|_| ())
    };
    let outcome = tokio::time::timeout(Duration::from_millis(COPY_TIMEOUT_MS), exchange).await;
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(failure)) => tracing::debug!(%failure, "the copy of a request failed"),
        Err(_) => tracing::debug!("the copy of a request was not answered in time"),
    }
    drop(permit);
}

#[cfg(test)]
mod tests {
    use super::super::layered::{Act, Backend, answer, through};
    use super::super::sample;
    use super::*;
    use serde_json::{Value, json};

    async fn asked(settings: Value, body: &str, acts: &[Act], expected: usize) -> Vec<String> {
        let policy = sample::build(build, settings);
        let backend = Backend::acting(acts);
        let mut call = Call::sample("POST /ctx/a", &[], "");
        call.request.body = Body::stream(http_body_util::Full::new(bytes::Bytes::from(body.to_owned())));
        through(&*policy, &mut call, &backend).await.unwrap();
        assert_eq!(call.response.status, 200);
        let all = async {
            while backend.asked().len() < expected {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), all).await.expect("every request was sent");
        backend.asked()
    }

    #[tokio::test]
    async fn a_copy_goes_to_the_other_endpoint() {
        let settings =
            json!({"target": "other:/{#request.method}", "headers": [{"name": "x", "value": "1"}]});
        let acts = [answer(200, &[], "real"), answer(500, &[], "shadow")];
        let seen = asked(settings, "body", &acts, 2).await;
        assert_eq!(seen, ["POST /ctx/a - body", "POST /ctx/a other:/POST body"]);
    }

    #[tokio::test]
    async fn the_real_call_does_not_care_what_becomes_of_the_copy() {
        let fails = [answer(200, &[], ""), Act::Fail(Failure::unexpected())];
        assert_eq!(asked(json!({"target": "other:"}), "", &fails, 2).await.len(), 2);
        let unknown = json!({"target": "{#request.headers['none'][0]}"});
        assert_eq!(asked(unknown, "b", &fails, 1).await, ["POST /ctx/a - b"]);
        let large = "x".repeat(COPY_MAX_BYTES + 1);
        let seen = asked(json!({"target": "other:"}), &large[..COPY_MAX_BYTES], &fails, 2).await;
        assert!(seen.iter().all(|line| line.len() > COPY_MAX_BYTES), "the largest body that is copied");
    }
}
