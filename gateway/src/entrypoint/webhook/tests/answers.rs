use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One answer per call, the last one again and again; `calls` counts.
async fn answering(answers: &'static [&'static str]) -> (Backend, Arc<AtomicUsize>) {
    let calls = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&calls);
    let receiver = Backend::scripted(move |mut peer| {
        let calls = Arc::clone(&count);
        async move {
            while request(&mut peer).await.is_some() {
                let call = calls.fetch_add(1, Ordering::SeqCst);
                peer.send(answers[call.min(answers.len() - 1)]).await;
            }
        }
    })
    .await;
    (receiver, calls)
}

/// How a run over two messages ends with these answers, and the number of calls.
async fn check(
    qos: &str,
    configuration: Value,
    retry: Value,
    answers: &'static [&'static str],
) -> (Ended, usize) {
    let (receiver, calls) = answering(answers).await;
    let settings = json!({"callbackUrl": receiver.url("/hook?secret=hush"), "retry": retry});
    let ended = ran(api(qos, Some(2), configuration), subscription(settings)).await;
    if let Ended::Failed { reason, .. } = &ended {
        assert!(
            !reason.contains("hush") && reason.contains("127.0.0.1") || reason.contains("MESSAGE"),
            "{reason}"
        );
    }
    (ended, calls.load(Ordering::SeqCst))
}

const LOSSY: &str = "at-most-once";
const STRICT: &str = "at-least-once";

#[tokio::test]
async fn server_errors_are_retried_and_then_end_the_run() {
    let retry = json!({"retryOption": "Retry On Fail", "retryStrategy": "LINEAR", "maxAttempts": 2, "initialDelaySeconds": 1});
    let (ended, calls) = check(STRICT, json!({}), retry.clone(), &[UNAVAILABLE]).await;
    let reason = final_reason(ended);
    assert!(reason.contains("WEBHOOK_UNREACHABLE") && reason.contains("answered 503"), "{reason}");
    assert_eq!(calls, 3, "the first one and two retries");
    let (ended, calls) = check(STRICT, json!({}), retry, &[UNAVAILABLE, OK]).await;
    assert_eq!((ended, calls), (Ended::Completed, 3), "the first message once more, then the second");
    let (ended, calls) = check(LOSSY, json!({}), json!({}), &[UNAVAILABLE, OK]).await;
    assert!(final_reason(ended).contains("answered 503") && calls == 1, "no retries, none wanted");
}

#[tokio::test]
async fn consumption_goes_on_where_the_author_says_so() {
    let on = json!({"interruptConsumptionOnServerError": false});
    assert_eq!(check(STRICT, on.clone(), json!({}), &[UNAVAILABLE]).await, (Ended::Completed, 2));
    let closing = &["HTTP/1.1 200 OK\r\n"];
    let settings = json!({"interruptConsumptionOnException": false, "http": {"readTimeout": 100}});
    assert_eq!(check(STRICT, settings, json!({}), closing).await, (Ended::Completed, 2));
    let (ended, _) = check(STRICT, json!({"http": {"readTimeout": 100}}), json!({}), closing).await;
    assert!(final_reason(ended).contains("did not answer in time"));
}

#[tokio::test]
async fn refusals_and_redirections_end_the_run_without_another_call() {
    let (ended, calls) = check(STRICT, json!({}), json!({}), &[NOT_FOUND]).await;
    let reason = final_reason(ended);
    assert!(reason.contains("MESSAGE_PROCESSING_FAILED") && reason.contains("404"), "{reason}");
    assert_eq!(calls, 1);
    let elsewhere = &["HTTP/1.1 302 Found\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n"];
    let (ended, calls) = check(STRICT, json!({}), json!({}), elsewhere).await;
    assert!(final_reason(ended).contains("302") && calls == 1);
}

#[tokio::test]
async fn what_is_refused_goes_to_the_dead_letters_and_consumption_goes_on() {
    let with_dead_letters = |configuration: Value| {
        let mut api = api(STRICT, Some(3), configuration);
        // First in the list, and no source all the same.
        api["endpointGroups"].as_array_mut().unwrap().insert(0, group("dead", json!({})));
        api["listeners"][0]["entrypoints"][0]["dlq"] = json!({"endpoint": "dead"});
        api
    };
    let (receiver, calls) = answering(&[OK, NOT_FOUND, OK]).await;
    let subscribed = subscription(json!({"callbackUrl": receiver.url("/")}));
    assert_eq!(ran(with_dead_letters(json!({})), subscribed).await, Ended::Completed);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    // Nobody takes them: the message is not lost, and another run may succeed.
    let (receiver, _) = answering(&[NOT_FOUND]).await;
    let mut nowhere = with_dead_letters(json!({}));
    nowhere["listeners"][0]["entrypoints"][0]["dlq"] = json!({"endpoint": "gone"});
    let subscribed = subscription(json!({"callbackUrl": receiver.url("/")}));
    let ended = ran(nowhere, subscribed).await;
    assert!(
        matches!(&ended, Ended::Failed { retryable: true, reason } if reason.contains("dead-letter")),
        "{ended:?}"
    );
}

#[tokio::test]
async fn answers_that_break_every_rule_cost_no_more_than_their_limits() {
    let retry = || json!({});
    for (answer, fault) in [
        ("nonsense\r\n\r\n", "no HTTP"),
        ("HTTP/1.1 2000 OK\r\n\r\n", "no HTTP"),
        ("HTTP/9.9 200 OK\r\n\r\n", "no HTTP"),
        ("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n", "no HTTP"),
    ] {
        let answers = Box::leak(Box::new([answer]));
        let (ended, calls) = check(STRICT, json!({}), retry(), answers).await;
        let reason = final_reason(ended);
        assert!(reason.contains(fault) && calls == 1, "{answer:?}: {reason}");
    }
    // 2xx has said what became of the message; the rest of the answer is not waited for.
    let endless = Box::leak(format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(300_000)).into_boxed_str());
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort";
    let answers = Box::leak(Box::new([&*endless, short]));
    assert_eq!(check(STRICT, json!({}), retry(), answers).await, (Ended::Completed, 2));
    let head = Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(300_000)).into_boxed_str());
    let (ended, _) = check(STRICT, json!({}), retry(), Box::leak(Box::new([&*head]))).await;
    final_reason(ended);
}

#[tokio::test]
async fn a_receiver_that_closes_between_two_calls_loses_nothing() {
    let calls = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&calls);
    let receiver = Backend::scripted(move |mut peer| {
        let calls = Arc::clone(&count);
        async move {
            // One call per connection, and no word about it.
            if request(&mut peer).await.is_some() {
                calls.fetch_add(1, Ordering::SeqCst);
                peer.send(OK).await;
            }
        }
    })
    .await;
    for qos in [LOSSY, STRICT] {
        calls.store(0, Ordering::SeqCst);
        let subscribed = subscription(json!({"callbackUrl": receiver.url("/")}));
        assert_eq!(ran(api(qos, Some(20), json!({})), subscribed).await, Ended::Completed, "{qos}");
        assert_eq!(calls.load(Ordering::SeqCst), 20, "{qos}");
    }
    let heads = receiver.heads();
    assert_eq!(header(&heads[0], "connection"), Some("close"), "at-most-once keeps no connection");
    assert_eq!(header(&heads[heads.len() - 1], "connection"), None);
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let settings = json!({"callbackUrl": "http://127.0.0.1:9/hook"});
    let reason = final_reason(ran(api(STRICT, Some(1), json!({})), subscription(settings)).await);
    assert!(reason.contains("127.0.0.1:9: it refused the connection"), "{reason}");
    let settings = json!({"callbackUrl": "http://callback.invalid/hook"});
    let reason = final_reason(ran(api(STRICT, Some(1), json!({})), subscription(settings)).await);
    assert!(reason.contains("its name cannot be resolved"), "{reason}");
}
