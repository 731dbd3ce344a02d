//! API keys: their life, chosen ones, and how their end follows the subscription's.

use super::{APPLICATIONS, Rest, on_both_engines};
use chrono::Utc;
use serde_json::{Value, json};

on_both_engines! {
    a_key_as_printed,
    renewing_ends_the_keys_before,
    revoking_reactivating_and_expiring,
    chosen_keys,
    only_key_plans_have_keys,
    keys_end_with_their_subscription,
    the_consumer_has_the_same_keys,
    a_second_key_separates_the_keys_of_an_application,
}

const HOUR_MS: i64 = 3_600_000;

impl Rest {
    /// A subscription to a new API-key plan of a new API; its URL.
    async fn keyed(&self, path: &str, application: &str) -> String {
        let api = self.api(path).await;
        let plan = self.plan_of(&api, "api-key", "auto").await;
        self.subscription(&api, &plan, application).await
    }

    async fn keys(&self, subscription: &str) -> Value {
        self.get(&format!("{subscription}/apikeys")).await.is(200).json()
    }
}

fn key_url(subscription: &str, key: &Value) -> String {
    format!("{subscription}/apikeys/{}", key["id"].as_str().unwrap())
}

async fn a_key_as_printed(rest: Rest) {
    let application = rest.application(None).await;
    let subscription = rest.keyed("/a", &application).await;
    let keys = rest.keys(&subscription).await;
    assert_eq!(keys.as_array().unwrap().len(), 1);
    let key = &keys[0];
    assert!(uuid::Uuid::parse_str(key["key"].as_str().unwrap()).is_ok(), "{key}");
    assert_ne!(key["key"], key["id"]);
    assert_eq!(
        (&key["revoked"], &key["paused"], &key["expired"]),
        (&json!(false), &json!(false), &json!(false))
    );
    assert_eq!(key["subscriptions"][0]["id"], subscription.rsplit('/').next().unwrap());
    assert!(key["subscriptions"][0].get("configuration").is_none());
    assert_eq!(key["application"]["id"], json!(application));
    assert!(key.get("expire_at").is_none());
    let list = subscription.rsplit_once('/').unwrap().0;
    let wanted = key["key"].as_str().unwrap();
    let found =
        rest.get(&format!("{list}?api_key={wanted}&expand=keys&expand=security")).await.is(200).json();
    assert_eq!(found["data"][0]["keys"][0]["key"], key["key"]);
    assert_eq!(found["data"][0]["security"], "api-key");
    assert_eq!(rest.get(&format!("{list}?api_key=nope")).await.json()["data"], json!([]));
}

async fn renewing_ends_the_keys_before(rest: Rest) {
    let subscription = rest.keyed("/a", &rest.application(None).await).await;
    let answer = rest.act(&format!("{subscription}/apikeys/_renew")).await.is(201);
    let renewed = answer.json();
    let location = format!("http://management.example{}", key_url(&subscription, &renewed));
    assert_eq!(answer.header("location"), location);
    let keys = rest.keys(&subscription).await;
    let (new, old) = (&keys[0], &keys[1]);
    assert_eq!(new["id"], renewed["id"]);
    assert!(new.get("expire_at").is_none());
    let overlap = old["expire_at"].as_i64().unwrap() - new["created_at"].as_i64().unwrap();
    assert_eq!(overlap, 2 * HOUR_MS);
    let soon = Utc::now().timestamp_millis() + HOUR_MS;
    rest.put(&key_url(&subscription, old), &json!({"id": old["id"], "expire_at": soon})).await.is(200);
    rest.act(&format!("{subscription}/apikeys/_renew")).await.is(201);
    assert_eq!(rest.keys(&subscription).await[2]["expire_at"], soon, "an earlier end stays");
}

async fn revoking_reactivating_and_expiring(rest: Rest) {
    let subscription = rest.keyed("/a", &rest.application(None).await).await;
    let key = rest.keys(&subscription).await[0].clone();
    let url = key_url(&subscription, &key);
    assert_eq!(rest.act(&format!("{url}/_reactivate")).await.refusal(), "400 apiKey.activated");
    rest.call("DELETE", &url, &[], "").await.is(204);
    let revoked = rest.keys(&subscription).await[0].clone();
    assert!(revoked["revoked"] == true && revoked["revoked_at"].is_i64(), "{revoked}");
    assert_eq!(rest.call("DELETE", &url, &[], "").await.refusal(), "400 apiKey.expired");
    assert_eq!(rest.put(&url, &json!({"expire_at": 1})).await.refusal(), "400 apiKey.expired");
    let alive = rest.act(&format!("{url}/_reactivate")).await.is(200).json();
    assert!(alive["revoked"] == false && alive.get("revoked_at").is_none(), "{alive}");
    let expired = rest.put(&url, &json!({"expire_at": 1})).await.is(200).json();
    assert_eq!((&expired["expired"], &expired["expire_at"]), (&json!(true), &json!(1)));
    let alive = rest.act(&format!("{url}/_reactivate")).await.is(200).json();
    assert!(alive["expired"] == false && alive.get("expire_at").is_none(), "{alive}");
    rest.put(&url, &json!({"id": "other"})).await.is(400);
    let unknown = format!("{subscription}/apikeys/nope");
    assert_eq!(rest.call("DELETE", &unknown, &[], "").await.refusal(), "404 apiKey.notFound");

    rest.act(&format!("{subscription}/status?status=CLOSED")).await.is(200);
    assert_eq!(rest.act(&format!("{url}/_reactivate")).await.refusal(), "400 subscription.closed");
    let renewal = rest.act(&format!("{subscription}/apikeys/_renew")).await;
    assert_eq!(renewal.refusal(), "400 subscription.closed");
}

async fn chosen_keys(rest: Rest) {
    let (application, other) = (rest.application(None).await, rest.application(None).await);
    let subscription = rest.keyed("/a", &application).await;
    let renew = format!("{subscription}/apikeys/_renew?customApiKey=");
    let refused = rest.act(&format!("{renew}short")).await;
    assert_eq!(refused.refusal(), "400 data.invalid");
    assert!(!refused.text.contains("short\""), "a refusal does not repeat a key: {}", refused.text);
    let chosen = rest.act(&format!("{renew}my-own-key")).await.is(201).json();
    assert_eq!(chosen["key"], "my-own-key");
    assert_eq!(rest.act(&format!("{renew}my-own-key")).await.refusal(), "400 apiKey.existing");

    let elsewhere = |subscription: &str| format!("{subscription}/apikeys/_renew?customApiKey=my-own-key");
    let of_other = rest.keyed("/b", &other).await;
    assert_eq!(rest.act(&elsewhere(&of_other)).await.refusal(), "400 apiKey.existing");
    let of_another_api = rest.keyed("/c", &application).await;
    rest.act(&elsewhere(&of_another_api)).await.is(201);
    let in_body = json!({"customApiKey": "in-the-body"});
    let chosen = rest.post(&format!("{of_other}/apikeys/_renew"), &in_body).await.is(201).json();
    assert_eq!(chosen["key"], "in-the-body");
}

async fn only_key_plans_have_keys(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(Some("c")).await);
    let plan = rest.plan_of(&api, "jwt", "auto").await;
    let subscription = rest.subscription(&api, &plan, &application).await;
    assert_eq!(rest.keys(&subscription).await, json!([]));
    let refused = rest.act(&format!("{subscription}/apikeys/_renew")).await;
    assert_eq!(refused.refusal(), "400 subscription.invalid");
}

async fn keys_end_with_their_subscription(rest: Rest) {
    let subscription = rest.keyed("/a", &rest.application(None).await).await;
    let end = Utc::now().timestamp_millis() + HOUR_MS;
    rest.put(&subscription, &json!({"ending_at": end})).await.is(200);
    assert_eq!(rest.keys(&subscription).await[0]["expire_at"], end);
    rest.act(&format!("{subscription}/apikeys/_renew")).await.is(201);
    assert_eq!(rest.keys(&subscription).await[0]["expire_at"], end, "a new key ends with it too");
    rest.put(&subscription, &json!({})).await.is(200);
    assert!(rest.keys(&subscription).await[0].get("expire_at").is_none());
    rest.act(&format!("{subscription}/status?status=PAUSED")).await.is(200);
    assert_eq!(rest.keys(&subscription).await[0]["paused"], true);
    let while_paused = rest.act(&format!("{subscription}/apikeys/_renew")).await.is(201).json();
    assert_eq!(while_paused["paused"], true);
    rest.act(&format!("{subscription}/status?status=RESUMED")).await.is(200);
    assert_eq!(rest.keys(&subscription).await[0]["paused"], false);
}

async fn the_consumer_has_the_same_keys(rest: Rest) {
    let (application, other) = (rest.application(None).await, rest.application(None).await);
    let subscription = rest.keyed("/a", &application).await;
    let id = subscription.rsplit('/').next().unwrap();
    let own = format!("{APPLICATIONS}/{application}/subscriptions/{id}");
    assert_eq!(rest.keys(&own).await, rest.keys(&subscription).await);
    let renewed = rest.act(&format!("{own}/apikeys/_renew")).await.is(201).json();
    rest.call("DELETE", &key_url(&own, &renewed), &[], "").await.is(204);
    assert_eq!(rest.keys(&subscription).await[0]["revoked"], true);
    let foreign = format!("{APPLICATIONS}/{other}/subscriptions/{id}");
    assert_eq!(rest.get(&format!("{foreign}/apikeys")).await.refusal(), "403 forbidden");
    assert_eq!(rest.call("DELETE", &key_url(&foreign, &renewed), &[], "").await.refusal(), "403 forbidden");
}

async fn a_second_key_separates_the_keys_of_an_application(rest: Rest) {
    let application = rest.application(None).await;
    let mode =
        async || rest.get(&format!("{APPLICATIONS}/{application}")).await.json()["api_key_mode"].clone();
    rest.keyed("/a", &application).await;
    assert_eq!(mode().await, "UNSPECIFIED");
    rest.keyed("/b", &application).await;
    assert_eq!(mode().await, "EXCLUSIVE");
}
