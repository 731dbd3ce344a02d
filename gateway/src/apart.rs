//! Steps that compute on large bodies, kept apart from the threads that serve everybody.
//!
//! A transformation of some hundred kilobytes occupies its thread for as long as it runs, and with it every connection of
//! that thread. Above a size the runtime is told to go on elsewhere meanwhile, and only as many steps run this way at a
//! time as there are processors: more would not be faster, and would take the time from everybody else.

use crate::call::Call;
use definition::expression::Needs;
use std::future::Future;
use std::num::NonZero;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::thread::available_parallelism;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio_util::sync::PollSemaphore;

/// Bodies from this size on are computed on apart, bytes: what takes about as long as telling the runtime.
pub(crate) const APART_MIN_BYTES: usize = 32 * 1024;

/// One turn per processor. Of the process, as processors are, whichever API the step belongs to.
static TURNS: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(available_parallelism().map_or(1, NonZero::get))));

/// A future that is polled apart.
struct Apart<F> {
    step: Pin<Box<F>>,
    turns: PollSemaphore,
}

/// The bytes of what a step looks at as a whole.
pub(crate) fn size(needs: Needs, call: &Call) -> usize {
    let request = call.request.body.bytes().filter(|_| needs.request_content);
    let response = call.response.body.bytes().filter(|_| needs.response_content);
    request.map_or(0, |bytes| bytes.len()) + response.map_or(0, |bytes| bytes.len())
}

/// Runs a step that looks at `size` bytes.
pub(crate) async fn run<F: Future>(size: usize, step: F) -> F::Output {
    // In a runtime of one thread there is nowhere else to go on.
    let alone = || Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    if size < APART_MIN_BYTES || alone() {
        return step.await;
    }
    Apart { step: Box::pin(step), turns: PollSemaphore::new(Arc::clone(&TURNS)) }.await
}

impl<F: Future> Future for Apart<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Given back after the poll: a step that waits for the network keeps no processor busy.
        let Some(_turn) = ready!(self.turns.poll_acquire(cx)) else { return self.step.as_mut().poll(cx) };
        tokio::task::block_in_place(|| self.step.as_mut().poll(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::body::Body;
    use crate::failure::Failure;
    use crate::flow::messages::MessageChain;
    use crate::flow::{self, Flow, Step};
    use crate::message::Message;
    use crate::policy::{Flow as Next, Policy};
    use async_trait::async_trait;
    use definition::policy::Phase;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    /// Nothing takes longer.
    const DEADLINE: Duration = Duration::from_secs(10);

    /// Keeps its thread until somebody else on the same runtime says that it may go on.
    struct Busy(Mutex<Receiver<()>>);

    impl Busy {
        fn compute(&self) -> Result<(), Failure> {
            let released = self.0.lock().unwrap().recv_timeout(DEADLINE);
            released.map_err(|_| Failure::plain(http::StatusCode::LOOP_DETECTED, "nobody else ran meanwhile"))
        }
    }

    #[async_trait]
    impl Policy for Busy {
        fn needs(&self, _phase: Phase) -> Needs {
            Needs { request_content: true, ..Needs::default() }
        }

        async fn on_request(&self, _call: &mut Call) -> Result<Next, Failure> {
            self.compute().map(|()| Next::Continue)
        }

        async fn on_message(
            &self,
            _call: &Call,
            message: Message,
            _phase: Phase,
        ) -> Result<Option<Message>, Failure> {
            self.compute().map(|()| Some(message))
        }
    }

    /// A busy step, and a task of the same runtime that has to run before the step can end.
    fn busy() -> Step {
        let (release, released) = channel();
        tokio::spawn(async move { release.send(()) });
        let policy = Arc::new(Busy(Mutex::new(released)));
        Step { place: "test".to_owned(), policy, condition: None, message_condition: None }
    }

    fn body() -> bytes::Bytes {
        vec![b' '; APART_MIN_BYTES].into()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_request_with_a_large_body_stops_nobody_else() {
        let step = tokio::spawn(async {
            let mut call = Call::sample("POST /ctx", &[], "");
            call.request.body = Body::Bytes(body());
            flow::run(&[busy()], Phase::Request, &mut call).await
        });
        assert_eq!(step.await.unwrap().unwrap(), Next::Continue);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_large_message_stops_nobody_else() {
        let step = tokio::spawn(async {
            let mut call = Call::sample("GET /ctx", &[], "");
            let flow = Flow::of_publish(vec![busy()]);
            let chain =
                MessageChain::connect(&vec![Arc::new(flow)], Phase::Publish, &mut call).await.unwrap();
            chain.run(&call, Message::new(Some(body()))).await.map(|message| message.is_some())
        });
        assert!(step.await.unwrap().unwrap());
    }
}
