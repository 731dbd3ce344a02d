//! Subscriptions and keys in the 4.x dialect.

use super::{Rest, on_both_engines};
use serde_json::{Value, json};

on_both_engines! {
    the_life_of_a_subscription_in_the_4x_dialect,
    keys_in_the_4x_dialect,
    refusals_in_the_4x_dialect,
    whether_a_key_could_be_had,
}

const V2: &str = "/management/v2/environments/DEFAULT/apis";

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

async fn the_life_of_a_subscription_in_the_4x_dialect(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "subscription", "manual").await;
    let list = format!("{V2}/{}/subscriptions", last(&api));
    let configuration = json!({"entrypointId": "webhook", "entrypointConfiguration": {"callbackUrl": "https://x", "headers": []}});
    let sent = json!({"applicationId": application, "planId": plan, "consumerConfiguration": configuration});
    let answer = rest.post(&list, &sent).await.is(201);
    let created = answer.json();
    let id = created["id"].as_str().unwrap();
    let of_organization = list.replace("/v2/", "/v2/organizations/DEFAULT/");
    assert_eq!(answer.header("location"), format!("http://management.example{of_organization}/{id}"));
    assert_eq!(created["consumerConfiguration"], configuration);
    assert_eq!((&created["status"], &created["plan"]), (&json!("ACCEPTED"), &json!({"id": plan})));
    assert!(created["createdAt"].as_str().unwrap().ends_with('Z'), "{created}");
    let url = format!("{list}/{id}");
    assert_eq!(rest.get(&format!("{of_organization}/{id}")).await.is(200).json(), created);
    let expanded = rest.get(&format!("{url}?expands=plan,application,subscribedBy")).await.is(200).json();
    assert_eq!(expanded["plan"]["security"], json!({"type": "SUBSCRIPTION"}));
    assert_eq!(expanded["application"]["name"], "app");
    assert_eq!(expanded["subscribedBy"]["displayName"], "admin");
    let page = rest.get(&format!("{list}?planIds={plan}&applicationIds={application}")).await.is(200).json();
    assert_eq!(page["data"], json!([created]));
    assert_eq!(page["pagination"]["totalCount"], 1);
    assert_eq!(rest.get(&format!("{list}?statuses=PENDING")).await.json()["data"], json!([]));

    let ending = json!({"endingAt": "2999-12-31T23:59:59Z", "metadata": {"a": "b"}});
    let changed = rest.put(&url, &ending).await.is(200).json();
    assert_eq!(
        (&changed["endingAt"], &changed["metadata"]),
        (&json!("2999-12-31T23:59:59.000Z"), &json!({"a": "b"}))
    );
    assert_eq!(rest.act(&format!("{url}/_pause")).await.is(200).json()["status"], "PAUSED");
    assert_eq!(rest.act(&format!("{url}/_resume")).await.is(200).json()["status"], "ACCEPTED");
    assert_eq!(
        rest.act(&format!("{url}/_resumeFailure")).await.is(400).json()["technicalCode"],
        "subscription.notPaused"
    );
    let other = rest.plan_of(&api, "subscription", "auto").await;
    let moved = rest.post(&format!("{url}/_transfer"), &json!({"planId": other})).await.is(200).json();
    assert_eq!(moved["plan"]["id"], json!(other));
    assert_eq!(rest.act(&format!("{url}/_close")).await.is(200).json()["status"], "CLOSED");
}

async fn keys_in_the_4x_dialect(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "manual").await;
    let ask = async || {
        let path = format!("{}/{application}/subscriptions?plan={plan}", super::APPLICATIONS);
        let asked = rest.act(&path).await.is(201).json();
        format!("{V2}/{}/subscriptions/{}", last(&api), asked["id"].as_str().unwrap())
    };
    let rejected =
        rest.post(&format!("{}/_reject", ask().await), &json!({"reason": "no"})).await.is(200).json();
    assert_eq!((&rejected["status"], &rejected["publisherMessage"]), (&json!("REJECTED"), &json!("no")));
    let url = ask().await;
    rest.act(&format!("{url}/_accept")).await.is(400);
    rest.post(&format!("{url}/_accept"), &json!({"customApiKey": "my-first-key"})).await.is(200);
    let first = rest.get(&format!("{url}/api-keys")).await.is(200).json();
    assert_eq!(
        (&first["data"][0]["key"], &first["pagination"]["totalCount"]),
        (&json!("my-first-key"), &json!(1))
    );
    let renewed = rest.post(&format!("{url}/api-keys/_renew"), &json!({})).await.is(200).json();
    let key = format!("{url}/api-keys/{}", renewed["id"].as_str().unwrap());
    let expiring = rest.put(&key, &json!({"expireAt": "2999-01-01T00:00:00Z"})).await.is(200).json();
    assert_eq!(expiring["expireAt"], "2999-01-01T00:00:00.000Z");
    assert_eq!(rest.act(&format!("{key}/_revoke")).await.is(200).json()["revoked"], true);
    assert_eq!(rest.act(&format!("{key}/_reactivate")).await.is(200).json()["revoked"], false);
    let second = rest.get(&format!("{url}/api-keys?page=2&perPage=1")).await.is(200).json();
    assert_eq!(second["data"][0]["key"], "my-first-key");
}

async fn refusals_in_the_4x_dialect(rest: Rest) {
    let api = rest.api("/a").await;
    let list = format!("{V2}/{}/subscriptions", last(&api));
    let unknown = rest.get(&format!("{list}/nope")).await.is(404);
    let expected = json!({"httpStatus": 404, "message": "Subscription [nope] can not be found.",
        "parameters": {"subscription": "nope"}, "technicalCode": "subscription.notFound"});
    assert_eq!(unknown.json(), expected);
    let missing: Value = rest.post(&list, &json!({})).await.is(400).json();
    assert_eq!(missing["details"][0]["location"], "applicationId");
    rest.call("GET", &list, &[("authorization", "")], "").await.is(401);
    let nowhere = list.replace("environments/DEFAULT", "environments/nope");
    assert_eq!(rest.get(&nowhere).await.is(404).json()["technicalCode"], "environment.notFound");
}

async fn whether_a_key_could_be_had(rest: Rest) {
    let (api, other_api) = (rest.api("/a").await, rest.api("/b").await);
    let (application, other) = (rest.application(None).await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let path = format!("{api}/subscriptions?application={application}&plan={plan}&customApiKey=taken-key");
    rest.act(&path).await.is(201);
    for (api, application, key, expected) in [
        (&api, &application, "taken-key", false),
        (&api, &other, "taken-key", false),
        (&other_api, &application, "taken-key", true),
        (&other_api, &other, "taken-key", false),
        (&api, &other, "another-key", true),
        (&api, &other, "short", false),
    ] {
        let path = format!("{api}/subscriptions/_canCreate?key={key}&application={application}");
        assert_eq!(rest.get(&path).await.is(200).json(), json!(expected), "{path}");
        let path = format!("{V2}/{}/subscriptions/_verify", last(api));
        let body = json!({"applicationId": application, "apiKey": key});
        assert_eq!(rest.post(&path, &body).await.is(200).json(), json!({"ok": expected}), "{body}");
    }
    rest.get(&format!("{api}/subscriptions/_canCreate?key=x")).await.is(400);
}
