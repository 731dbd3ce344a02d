use super::*;
use crate::message::{Ack, Message, Outcome};
use futures::{StreamExt as _, stream};
use pretty_assertions::assert_eq;
use std::sync::Mutex;
use tokio::sync::Notify;

/// What became of each message, by its number.
type Ledger = Arc<Mutex<Vec<(usize, Outcome)>>>;

/// Messages that note how they are settled.
fn messages(count: usize, ledger: &Ledger) -> crate::message::MessageStream {
    let ledger = Arc::clone(ledger);
    let message = move |number: usize| {
        let ledger = Arc::clone(&ledger);
        let mut message = Message::new(Some(number.to_string().into()));
        message.ack = Ack::new(move |outcome| ledger.lock().unwrap().push((number, outcome)));
        Ok(message)
    };
    stream::iter(0..count).map(message).boxed()
}

/// Delivers messages of the test as a run of this level would.
async fn pumped(
    qos: &str,
    count: usize,
    callback: String,
    ledger: &Ledger,
    stop: &CancellationToken,
) -> Ended {
    let (run, _) =
        prepared(api(qos, Some(0), json!({})), subscription(json!({ "callbackUrl": callback }))).await;
    let Way { entrypoint, push, plan } = way(&run.api, &run.subscription).unwrap();
    let opened = open::open(&run, entrypoint, plan).await.unwrap_or_else(|ended| panic!("{ended:?}"));
    let delivery = Delivery {
        callback: Callback::prepare(&run.subscription, push, entrypoint.qos, &opened.call).unwrap(),
        dead_letters: None,
        from_policies: opened.call.response.headers,
        settings: &push.settings,
        meter: deliver::Meter::new(entrypoint, &run.api.facts.id),
        calls: CallLog::new(&run.api.facts.id, &run.subscription.id, "callback", false),
        closing: stop.child_token(),
    };
    let concurrent = if entrypoint.qos == Qos::AtLeastOnce { 1 } else { 5 };
    let pumped = pump::pump(messages(count, ledger), &delivery, concurrent, stop, std::future::pending());
    timeout(DEADLINE, pumped).await.expect("it ends")
}

#[tokio::test]
async fn a_message_is_acknowledged_after_its_answer_and_in_order() {
    let ledger = Ledger::default();
    let seen = Arc::clone(&ledger);
    let receiver = Backend::scripted(move |mut peer| {
        let ledger = Arc::clone(&seen);
        async move {
            while let Some((_, body)) = request(&mut peer).await {
                // What is being delivered is not settled, and all before it is.
                assert_eq!(ledger.lock().unwrap().len(), body.parse::<usize>().unwrap());
                peer.send(OK).await;
            }
        }
    })
    .await;
    let stop = CancellationToken::new();
    assert_eq!(pumped("at-least-once", 5, receiver.url("/"), &ledger, &stop).await, Ended::Completed);
    let expected: Vec<_> = (0..5).map(|number| (number, Outcome::Delivered)).collect();
    assert_eq!(*ledger.lock().unwrap(), expected);
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn what_was_not_delivered_is_not_acknowledged() {
    let receiver = Backend::scripted(|mut peer| async move {
        while let Some((_, body)) = request(&mut peer).await {
            peer.send(if body == "2" { UNAVAILABLE } else { OK }).await;
        }
    })
    .await;
    let (ledger, stop) = (Ledger::default(), CancellationToken::new());
    final_reason(pumped("at-least-once", 5, receiver.url("/"), &ledger, &stop).await);
    let expected = [(0, Outcome::Delivered), (1, Outcome::Delivered), (2, Outcome::Failed)];
    assert_eq!(*ledger.lock().unwrap(), expected);
    assert_eq!(receiver.heads().len(), 3, "nothing behind the message that failed is sent");
}

#[tokio::test]
async fn a_stop_waits_for_the_call_under_way_and_begins_no_other() {
    let (arrived, answer) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (arriving, answering) = (Arc::clone(&arrived), Arc::clone(&answer));
    let receiver = Backend::scripted(move |mut peer| {
        let (arrived, answer) = (Arc::clone(&arriving), Arc::clone(&answering));
        async move {
            while request(&mut peer).await.is_some() {
                arrived.notify_one();
                answer.notified().await;
                peer.send(OK).await;
            }
        }
    })
    .await;
    let (ledger, stop) = (Ledger::default(), CancellationToken::new());
    let stopping = async {
        arrived.notified().await;
        stop.cancel();
        answer.notify_one();
    };
    let (ended, ()) = tokio::join!(pumped("at-least-once", 5, receiver.url("/"), &ledger, &stop), stopping);
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(*ledger.lock().unwrap(), [(0, Outcome::Delivered)]);
    assert_eq!(receiver.heads().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_stalls_does_not_hold_a_stop_up() {
    let arrived = Arc::<Notify>::default();
    let arriving = Arc::clone(&arrived);
    let receiver = Backend::scripted(move |mut peer| {
        let arrived = Arc::clone(&arriving);
        async move {
            request(&mut peer).await;
            arrived.notify_one();
            peer.closed().await;
        }
    })
    .await;
    let (ledger, stop) = (Ledger::default(), CancellationToken::new());
    let stopping = async {
        arrived.notified().await;
        stop.cancel();
        std::time::Instant::now()
    };
    let (ended, stopped) =
        tokio::join!(pumped("at-least-once", 5, receiver.url("/"), &ledger, &stop), stopping);
    assert_eq!(ended, Ended::Stopped);
    assert!(stopped.elapsed() < Duration::from_millis(pump::GRACE_MS + 2_000), "{:?}", stopped.elapsed());
    assert_eq!(*ledger.lock().unwrap(), [(0, Outcome::Failed)], "it comes back");
}

#[tokio::test]
async fn a_stop_ends_the_pause_before_a_retry() {
    let receiver = Backend::always(UNAVAILABLE).await;
    let retry = json!({"retryOption": "Retry On Fail", "initialDelaySeconds": 3600, "maxDelaySeconds": 3600});
    let settings = json!({"callbackUrl": receiver.url("/"), "retry": retry});
    let (run, stop) = prepared(api("at-least-once", None, json!({})), subscription(settings)).await;
    let running = tokio::spawn(super::super::run(run));
    while receiver.heads().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    assert_eq!(timeout(DEADLINE, running).await.expect("it ends").unwrap(), Ended::Stopped);
}

#[tokio::test]
async fn messages_without_an_order_are_delivered_at_the_same_time() {
    let together = Arc::new(tokio::sync::Barrier::new(5));
    let barrier = Arc::clone(&together);
    let receiver = Backend::scripted(move |mut peer| {
        let together = Arc::clone(&barrier);
        async move {
            while request(&mut peer).await.is_some() {
                together.wait().await;
                peer.send(OK).await;
            }
        }
    })
    .await;
    let (ledger, stop) = (Ledger::default(), CancellationToken::new());
    assert_eq!(pumped("none", 20, receiver.url("/"), &ledger, &stop).await, Ended::Completed);
    assert_eq!((ledger.lock().unwrap().len(), receiver.heads().len()), (20, 20));
    assert!(receiver.connections() <= 5, "{}", receiver.connections());
}

#[tokio::test]
async fn a_run_is_a_call_of_its_subscription() {
    let (run, _) =
        prepared(api("auto", None, json!({})), subscription(json!({"callbackUrl": "http://x/"}))).await;
    let Way { entrypoint, plan, .. } = way(&run.api, &run.subscription).unwrap();
    let opened = open::open(&run, entrypoint, plan).await.unwrap_or_else(|ended| panic!("{ended:?}"));
    assert_eq!(&*opened.call.client_identifier, "s-1");
    assert_eq!(opened.call.attributes.text("application"), Some("app"));
    assert_eq!(opened.call.attributes.text("plan"), Some("p"));
    assert_eq!(opened.call.attributes.text("user-id"), Some("s-1"));
    assert_eq!(opened.call.request.head.method.as_str(), "OTHER");
}
