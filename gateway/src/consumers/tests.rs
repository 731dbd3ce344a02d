use super::*;
use crate::stop::StopReason;
use definition::consumer::api_key_hash;
use definition::digest::canonical_bytes;
use pretty_assertions::assert_eq;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn upsert(kind: &str, resource: &Value) -> ApplyChange {
    let body = canonical_bytes(resource).unwrap();
    let id = resource["id"].as_str().unwrap().to_owned();
    ApplyChange {
        kind: kind.to_owned(),
        id,
        op: ApplyOp::Upsert { digest: [0; 32], body: body.into(), revision: 1 },
    }
}

fn delete(kind: &str, id: &str) -> ApplyChange {
    ApplyChange { kind: kind.to_owned(), id: id.to_owned(), op: ApplyOp::Delete }
}

fn subscription(id: &str, changes: Value) -> ApplyChange {
    let mut resource = json!({"id": id, "api": "a", "plan": "p", "application": "app", "applicationName": "App",
        "clientId": "c", "status": "ACCEPTED", "consumerStatus": "STARTED"});
    resource.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    upsert(KIND_SUBSCRIPTION, &resource)
}

fn key(id: &str, subscriptions: Value, changes: Value) -> ApplyChange {
    let mut resource = json!({"id": id, "hash": api_key_hash("secret"), "subscriptions": subscriptions});
    resource.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    upsert(KIND_API_KEY, &resource)
}

fn put(consumers: &Consumers, change: &ApplyChange) {
    assert_eq!(consumers.apply(change, 100), Ok(Level::Active));
}

fn found(consumers: &Consumers, api: &str, plan: &str) -> Option<(Arc<Subscription>, Arc<ApiKey>)> {
    consumers.by_key(api, &Sha256::digest(b"secret").into(), plan)
}

#[test]
fn the_order_in_which_they_arrive_means_nothing() {
    let consumers = Consumers::default();
    put(&consumers, &key("k", json!(["s", "t"]), json!({})));
    assert!(found(&consumers, "a", "p").is_none());
    put(&consumers, &subscription("s", json!({})));
    put(&consumers, &subscription("t", json!({"api": "b", "plan": "q"})));
    assert_eq!(&*found(&consumers, "a", "p").unwrap().0.id, "s");
    assert_eq!(&*found(&consumers, "b", "q").unwrap().0.id, "t", "one key for two APIs");
    assert!(found(&consumers, "a", "q").is_none() && found(&consumers, "b", "p").is_none());
    assert!(consumers.by_key("a", &[0; 32], "p").is_none());
    let by_client = |client| consumers.by_client("a", client, "p").map(|found| found.id.to_string());
    assert_eq!((by_client("c").as_deref(), by_client("d")), (Some("s"), None));
}

#[test]
fn what_is_removed_is_gone_and_ends_its_streams() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({})));
    put(&consumers, &key("k", json!(["s"]), json!({})));
    let (before, old_key) = found(&consumers, "a", "p").unwrap();
    assert_eq!(consumers.apply(&delete(KIND_API_KEY, "k"), 100), Ok(Level::Removed));
    assert!(found(&consumers, "a", "p").is_none());
    assert_eq!((before.stop.reason(), old_key.stop.reason()), (None, Some(StopReason::AccessEnded)));
    assert_eq!(consumers.apply(&delete(KIND_SUBSCRIPTION, "s"), 100), Ok(Level::Removed));
    assert!(consumers.by_client("a", "c", "p").is_none());
    assert_eq!(before.stop.reason(), Some(StopReason::AccessEnded));
    assert_eq!(consumers.read().counts(), (0, 0));
    assert_eq!(
        consumers.apply(&delete(KIND_API_KEY, "k"), 100),
        Ok(Level::Removed),
        "once more does no harm"
    );
}

#[test]
fn open_streams_see_metadata_as_it_is_now_and_end_with_their_client() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({"metadata": {"k": "old"}})));
    let open = consumers.by_client("a", "c", "p").unwrap();
    put(&consumers, &subscription("s", json!({"metadata": {"k": "new"}})));
    assert_eq!(open.consumer.metadata.get("k").as_deref(), Some("new"));
    assert_eq!(open.stop.reason(), None);
    put(&consumers, &subscription("s", json!({"clientId": "other"})));
    assert_eq!(open.stop.reason(), Some(StopReason::AccessEnded), "another client is meant");
    assert_eq!(open.consumer.metadata.get("k").as_deref(), Some("new"), "and that is not its metadata");
    assert_eq!(consumers.by_client("a", "other", "p").unwrap().stop.reason(), None);
}

#[test]
fn an_update_keeps_streams_as_long_as_access_lasts() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({})));
    let first = consumers.by_client("a", "c", "p").unwrap();
    put(&consumers, &subscription("s", json!({"metadata": {"k": "v"}, "endingAtMs": 200})));
    let second = consumers.by_client("a", "c", "p").unwrap();
    assert_eq!(second.consumer.metadata.get("k").as_deref(), Some("v"));
    assert!(Arc::ptr_eq(&first.stop, &second.stop) && first.stop.reason().is_none());
    put(&consumers, &subscription("s", json!({"status": "PAUSED"})));
    assert_eq!(first.stop.reason(), Some(StopReason::AccessEnded));
    assert!(!consumers.by_client("a", "c", "p").unwrap().is_open(100));
    put(&consumers, &subscription("s", json!({})));
    let resumed = consumers.by_client("a", "c", "p").unwrap();
    assert!(
        resumed.stop.reason().is_none() && resumed.is_open(100),
        "new streams are not told of the old end"
    );
}

#[test]
fn dates_are_checked_per_call_and_end_streams() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({"startingAtMs": 150, "endingAtMs": 200})));
    put(&consumers, &key("k", json!(["s"]), json!({"expireAtMs": 180})));
    let (subscription, key) = found(&consumers, "a", "p").unwrap();
    let open: Vec<bool> = [149, 150, 200, 201].map(|now| subscription.is_open(now)).into();
    assert_eq!(open, [false, true, true, false]);
    assert!(key.is_usable(179) && !key.is_usable(180));
    let end = |now| consumers.write().end_what_is_over(now);
    assert_eq!((end(179), key.stop.reason()), (Some(180), None));
    assert_eq!((end(180), key.stop.reason()), (Some(201), Some(StopReason::AccessEnded)));
    assert_eq!((end(200), subscription.stop.reason()), (Some(201), None));
    assert_eq!((end(201), subscription.stop.reason()), (None, Some(StopReason::AccessEnded)));
}

#[test]
fn a_date_that_moves_moves_the_end() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({"endingAtMs": 200})));
    put(&consumers, &subscription("s", json!({"endingAtMs": 300})));
    let subscription = consumers.by_client("a", "c", "p").unwrap();
    assert_eq!(consumers.write().end_what_is_over(250), Some(301));
    assert!(subscription.stop.reason().is_none());
}

#[test]
fn push_subscriptions_and_unusable_keys_open_nothing() {
    let consumers = Consumers::default();
    put(&consumers, &subscription("s", json!({"push": true})));
    assert!(consumers.by_client("a", "c", "p").is_none());
    put(&consumers, &subscription("s", json!({})));
    for state in [json!({"revoked": true}), json!({"paused": true}), json!({"expireAtMs": 100})] {
        put(&consumers, &key("k", json!(["s"]), state));
        assert!(!found(&consumers, "a", "p").unwrap().1.is_usable(100));
    }
    let bad = key("x", json!(["s"]), json!({"hash": "abc"}));
    assert_eq!(consumers.apply(&bad, 100).unwrap_err().path, "hash");
    let unreadable = upsert(KIND_API_KEY, &json!({"id": "x"}));
    assert_eq!(consumers.apply(&unreadable, 100).unwrap_err().code, "CONSUMER_UNREADABLE");
}
