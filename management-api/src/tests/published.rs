//! What gateways are told of subscriptions and keys: bodies, tags, and that no key is in them.

use super::{APIS, APPLICATIONS, Rest, document, on_both_engines, store};
use serde_json::{Value, json};

on_both_engines! {
    live_ones_are_published_and_others_withdrawn,
    no_key_is_stored_or_published_in_clear,
    consumers_follow_the_tags_of_their_api,
    a_deleted_api_takes_its_subscribers_along,
    deployments_of_an_api_are_its_own,
}

impl Rest {
    /// Bodies that gateways are to hold of subscriptions and keys, by kind and id.
    pub(super) async fn wanted(&self) -> Vec<String> {
        let bodies = "select v.body from deployed d join resource_version v on v.digest = d.digest
                      where d.kind <> 'api' order by d.kind desc, d.id";
        let bodies = store::bytes(&self.db, bodies).await;
        bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect()
    }
}

fn kinds(bodies: &[String]) -> Vec<&'static str> {
    bodies.iter().map(|body| if body.contains("\"hash\"") { "key" } else { "subscription" }).collect()
}

async fn live_ones_are_published_and_others_withdrawn(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let subscription = rest.subscription(&api, &plan, &application).await;
    let wanted = rest.wanted().await;
    assert_eq!(kinds(&wanted), ["subscription", "key"]);
    let body: Value = serde_json::from_str(&wanted[0]).unwrap();
    assert_eq!(body["api"], api.rsplit('/').next().unwrap());
    assert_eq!(body["plan"], json!(plan));
    assert_eq!((&body["status"], &body["push"]), (&json!("ACCEPTED"), &json!(false)));
    let key: Value = serde_json::from_str(&wanted[1]).unwrap();
    assert_eq!(key["subscriptions"], json!([subscription.rsplit('/').next().unwrap()]));

    rest.act(&format!("{subscription}/status?status=paused")).await.is(200);
    assert_eq!(kinds(&rest.wanted().await), Vec::<&str>::new());
    rest.act(&format!("{subscription}/status?status=resumed")).await.is(200);
    assert_eq!(rest.wanted().await, wanted);
    let keys = rest.get(&format!("{subscription}/apikeys")).await.json();
    let url = format!("{subscription}/apikeys/{}", keys[0]["id"].as_str().unwrap());
    rest.call("DELETE", &url, &[], "").await.is(204);
    assert_eq!(kinds(&rest.wanted().await), ["subscription"]);
    rest.act(&format!("{subscription}/status?status=CLOSED")).await.is(200);
    assert_eq!(kinds(&rest.wanted().await), Vec::<&str>::new());
}

async fn no_key_is_stored_or_published_in_clear(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let path = format!("{api}/subscriptions?application={application}&plan={plan}&customApiKey=a-custom-key");
    let created = rest.act(&path).await.is(201).json();
    let subscription = format!("{api}/subscriptions/{}", created["id"].as_str().unwrap());
    let random = rest.act(&format!("{subscription}/apikeys/_renew")).await.is(201).json();
    let clear = [random["key"].as_str().unwrap().to_owned(), "a-custom-key".to_owned()];
    let listed = rest.get(&format!("{subscription}/apikeys")).await.is(200).json();
    assert_eq!([&listed[0]["key"], &listed[1]["key"]], [&json!(clear[0]), &json!(clear[1])]);

    let sealed = "select sealed from api_keys union all select body from resource_version";
    let sealed = store::bytes(&rest.db, sealed).await;
    assert_eq!(
        sealed.len(),
        2 + 4,
        "two keys; one subscription, one key, and the first key with its new end"
    );
    let mut texts = store::texts(&rest.db, "select hash from api_keys").await;
    texts.extend(
        store::texts(&rest.db, "select action from audit union all select subject_id from audit").await,
    );
    for key in &clear {
        let has_key = |bytes: &[u8]| bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!sealed.iter().any(|bytes| has_key(bytes)), "{key}");
        assert!(!texts.iter().any(|text| has_key(text.as_bytes())), "{key}");
        let hash = definition::consumer::api_key_hash(key);
        assert!(rest.wanted().await.iter().any(|body| body.contains(&hash)), "{key}");
    }
}

async fn consumers_follow_the_tags_of_their_api(rest: Rest) {
    let mut sent = document("/a");
    sent["tags"] = json!(["east"]);
    let api = rest.post(APIS, &sent).await.is(201).json();
    let api = format!("{APIS}/{}", api["id"].as_str().unwrap());
    let (plan, application) = (rest.plan_of(&api, "api-key", "auto").await, rest.application(None).await);
    rest.subscription(&api, &plan, &application).await;
    let tags = "select cast(tags as text) from deployed where kind <> 'api'";
    assert_eq!(store::texts(&rest.db, tags).await, [r#"["east"]"#; 2]);
    rest.act(&format!("{api}?action=START")).await.is(204);
    let mut edited = rest.get(&api).await.json();
    edited["tags"] = json!(["west"]);
    rest.put(&api, &edited).await.is(200);
    assert_eq!(store::texts(&rest.db, tags).await, [r#"["east"]"#; 2], "edits wait for a deployment");
    rest.act(&format!("{api}/deploy")).await.is(200);
    assert_eq!(store::texts(&rest.db, tags).await, [r#"["west"]"#; 2]);
}

async fn a_deleted_api_takes_its_subscribers_along(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    rest.subscription(&api, &plan, &application).await;
    rest.call("DELETE", &format!("{api}?closePlans=true"), &[], "").await.is(204);
    assert_eq!(rest.wanted().await, Vec::<String>::new());
    assert_eq!(store::count(&rest.db, "select count(*) from subscriptions").await, 0);
    assert_eq!(store::count(&rest.db, "select count(*) from api_keys").await, 0);
    let list = rest.get(&format!("{APPLICATIONS}/{application}/subscriptions?status=ACCEPTED,CLOSED")).await;
    assert_eq!(list.is(200).json()["page"]["total_elements"], 0);
}

async fn deployments_of_an_api_are_its_own(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    rest.act(&format!("{api}?action=START")).await.is(204);
    rest.subscription(&api, &plan, &application).await;
    let listed = rest.get(&format!("{api}/deployments")).await.is(200).json();
    assert_eq!(listed["pagination"]["totalCount"], 1);
    assert_eq!(listed["data"][0]["revision"], 1);
}
