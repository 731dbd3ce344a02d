use super::*;
use crate::failure::key;
use crate::message::{Ack, Frames, Outcome};
use crate::stop::{Stop, StopReason};
use futures::{FutureExt as _, StreamExt as _, stream};
use http::StatusCode;
use std::sync::Mutex;

fn events(
    source: impl Stream<Item = Result<Message, Failure>> + Send + 'static,
    stop: &Arc<Stop>,
) -> EventStream {
    let meter = Arc::new(EntrypointMeter::new(&"api".into(), "sse"));
    EventStream {
        source: Some(Box::pin(source)),
        stop: StopWatch::new(Arc::clone(stop)),
        heartbeat: Box::pin(tokio::time::sleep(Duration::from_secs(60))),
        interval: Duration::from_secs(60),
        last: Instant::now(),
        comments: Comments { headers: false, metadata: false },
        json: true,
        opened: true,
        unchecked: 0,
        _open: meter.open(),
        meter,
    }
}

fn message(content: &'static str) -> Result<Message, Failure> {
    Ok(Message::new(Some(content.into())))
}

#[tokio::test]
async fn a_failure_is_the_last_event() {
    let failure =
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, key::CONNECTION_FAILED, "Endpoint connection failed");
    let events = events(stream::iter([message("a"), Err(failure), message("b")]), &Arc::default());
    let texts: Vec<_> =
        events.map(|frame| String::from_utf8(frame.payload().to_vec()).unwrap()).collect().await;
    assert_eq!(texts.len(), 2, "{texts:?}");
    let (id, rest) = texts[1].split_once('\n').unwrap();
    assert!(Uuid::parse_str(id.strip_prefix("id: ").unwrap()).is_ok(), "{id}");
    let data = r#"{"message":"Endpoint connection failed","http_status_code":503}"#;
    assert_eq!(rest, format!("event: error\ndata: {data}\n\n"));
}

#[tokio::test]
async fn a_message_is_acknowledged_by_whoever_writes_its_event() {
    let outcomes = Arc::new(Mutex::new(Vec::new()));
    let acked = |content| {
        let outcomes = Arc::clone(&outcomes);
        let ack = Ack::new(move |outcome| outcomes.lock().unwrap().push(outcome));
        message(content).map(|message| Message { ack, ..message })
    };
    let mut events = events(stream::iter([acked("a"), acked("b"), acked("c")]), &Arc::default());
    let frame = events.next().await.unwrap();
    assert_eq!(*outcomes.lock().unwrap(), []);
    frame.ack.delivered();
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Delivered]);
    drop(events.next().await);
    drop(events);
    assert_eq!(*outcomes.lock().unwrap(), [Outcome::Delivered, Outcome::Failed, Outcome::Failed]);
}

#[tokio::test]
async fn an_event_of_a_shared_record_is_made_once() {
    let frames = Arc::new(Frames::default());
    let mut chunks = Vec::new();
    for _ in 0..2 {
        let shared = message("a").map(|message| Message { frames: Some(Arc::clone(&frames)), ..message });
        chunks.push(events(stream::iter([shared]), &Arc::default()).next().await.unwrap().chunk);
    }
    assert_eq!(chunks[0], chunks[1]);
    assert_eq!(chunks[0].as_ptr(), chunks[1].as_ptr());
}

#[tokio::test]
async fn a_stop_is_seen_behind_any_number_of_messages() {
    let stop = Arc::new(Stop::default());
    let mut events = events(stream::repeat_with(|| message("a")), &stop);
    stop.signal(StopReason::Stopped);
    let mut before = 0;
    let last = loop {
        let frame = events.next().now_or_never().flatten().expect("an event is always ready");
        if !frame.payload().starts_with(b"event: message") {
            break frame.payload();
        }
        before += 1;
        assert!(before <= u32::from(EVENTS_BETWEEN_STOP_CHECKS), "the stop is not seen");
    };
    assert!(
        last.starts_with(b"retry: ")
            && last.ends_with(b"event: goaway\ndata: Stopping, please reconnect\n\n")
    );
    assert!(events.next().await.is_none());
}
