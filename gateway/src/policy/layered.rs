//! A backend for unit tests of policies that put layers around it.

use super::{Flow, Policy};
use crate::call::Call;
use crate::call::body::Body;
use crate::failure::Failure;
use crate::flow::layer::{Invoker, Next};
use async_trait::async_trait;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a backend does when it is asked.
#[derive(Clone)]
pub(super) enum Act {
    Answer(u16, HeaderMap, String),
    Fail(Failure),
    /// Answers 200 after this time.
    Late(Duration),
}

/// A backend that does one act after the other; the last one again and again.
pub(super) struct Backend {
    acts: Mutex<VecDeque<Act>>,
    asked: Mutex<Vec<String>>,
}

impl Backend {
    pub(super) fn acting(acts: &[Act]) -> Arc<Backend> {
        Arc::new(Backend { acts: Mutex::new(acts.iter().cloned().collect()), asked: Mutex::default() })
    }

    pub(super) fn answering(answers: &[(u16, &str)]) -> Arc<Backend> {
        let acts: Vec<Act> = answers.iter().map(|(status, body)| answer(*status, &[], body)).collect();
        Backend::acting(&acts)
    }

    /// Every request so far: method, target, the target that a policy chose, body.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn next(&self) -> Act {
        let mut acts = self.acts.lock().unwrap();
        let act = acts.front().cloned().expect("an act");
        if acts.len() > 1 {
            acts.pop_front();
        }
        act
    }
}

/// An answer with headers.
pub(super) fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Act {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    Act::Answer(status, headers.iter().map(pair).collect(), body.to_owned())
}

#[async_trait]
impl Invoker for Arc<Backend> {
    async fn invoke(&self, call: &mut Call) -> Result<(), Failure> {
        let head = &call.request.head;
        let target = call.attributes.text(crate::proxy::TARGET).unwrap_or("-");
        let mut line = format!("{} {} {target}", head.method, head.uri);
        // As a real backend does: the body is gone afterwards.
        let mut body = call.request.body.take();
        body.buffer(1024 * 1024).await.unwrap();
        line.push_str(&format!(" {}", String::from_utf8_lossy(body.bytes().unwrap())));
        self.asked.lock().unwrap().push(line);
        match self.next() {
            Act::Answer(status, headers, text) => {
                call.response.status = StatusCode::from_u16(status).unwrap();
                call.response.headers.extend(headers);
                call.response.body = Body::stream(http_body_util::Full::new(text.into()));
                Ok(())
            }
            Act::Fail(failure) => Err(failure),
            Act::Late(time) => {
                tokio::time::sleep(time).await;
                call.response.status = StatusCode::OK;
                Ok(())
            }
        }
    }

    fn detach(&self) -> Arc<dyn Invoker> {
        Arc::new(Arc::clone(self))
    }
}

/// Runs the request phase of a policy, and the call through what it put around the backend.
pub(super) async fn through(
    policy: &dyn Policy,
    call: &mut Call,
    backend: &Arc<Backend>,
) -> Result<(), Failure> {
    assert_eq!(policy.on_request(call).await?, Flow::Continue);
    let layers = std::mem::take(&mut call.layers);
    Next::new(&layers, backend).run(call).await
}
