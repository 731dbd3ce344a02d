//! Subscriptions: both sides' resources, their life, what is refused, and what closes them.

use super::{APPLICATIONS, Rest, on_both_engines, store};
use crate::subscriptions::ended::close_ended;
use chrono::Utc;
use serde_json::{Value, json};

on_both_engines! {
    a_subscription_as_printed,
    the_life_of_a_subscription,
    a_manual_plan_waits_for_the_publisher,
    what_cannot_be_subscribed_to,
    token_plans_need_a_client_identifier,
    push_configurations_in_both_shapes,
    the_publisher_changes_what_is_accepted,
    the_consumer_changes_its_own,
    moving_to_another_plan,
    closing_a_plan_closes_its_subscriptions,
    lists_filter,
    the_export_is_a_table,
    what_has_ended_is_closed_once,
    of_two_at_once_one_subscribes,
    changes_from_every_side_at_once_leave_one_truth,
    every_change_leaves_its_audit_rows,
}

fn last(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

fn webhook() -> Value {
    json!({"configuration": {"entrypointId": "webhook", "callbackUrl": "https://example.com/hook",
        "headers": [{"name": "X-A", "value": "b"}]}, "metadata": {"feature": "demo-filter"}})
}

async fn a_subscription_as_printed(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "subscription", "manual").await;
    let path = format!("{api}/subscriptions?application={application}&plan={plan}");
    let answer = rest.post(&path, &webhook()).await.is(201);
    let created = answer.json();
    let url = format!("{api}/subscriptions/{}", created["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), format!("http://management.example{url}"));
    assert_eq!(created["plan"], json!({"id": plan, "name": "subscription", "security": "subscription"}));
    assert_eq!(created["application"]["id"], json!(application));
    assert_eq!(created["application"]["apiKeyMode"], "UNSPECIFIED");
    assert_eq!((&created["status"], &created["consumerStatus"]), (&json!("ACCEPTED"), &json!("STARTED")));
    assert_eq!(created["metadata"], json!({"feature": "demo-filter"}));
    assert!(created.get("configuration").is_none() && created.get("closed_at").is_none());
    assert_eq!(
        created["processed_by"], created["subscribed_by"]["id"],
        "the publisher acts, also when manual"
    );
    assert_eq!(created["starting_at"], created["created_at"]);
    assert_eq!(rest.get(&url).await.is(200).json(), created);
    let own = format!("{APPLICATIONS}/{application}/subscriptions/{}", last(&url));
    let own = rest.get(&own).await.is(200).json();
    assert_eq!(own["api"]["name"], "Mock");
    assert!(own.get("application").is_none());
    for unknown in [
        format!("{api}/subscriptions/nope"),
        format!("{}/subscriptions/{}", rest.api("/b").await, last(&url)),
    ] {
        assert_eq!(rest.get(&unknown).await.refusal(), "404 subscription.notFound");
        let paused = rest.act(&format!("{unknown}/status?status=PAUSED")).await;
        assert_eq!(paused.refusal(), "404 subscription.notFound");
    }
}

async fn the_life_of_a_subscription(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let url = rest.subscription(&api, &plan, &application).await;
    let status = async |status: &str| rest.act(&format!("{url}/status?status={status}")).await;
    assert_eq!(rest.get(&url).await.json()["processed_by"], "system");
    assert_eq!(
        rest.post(&format!("{url}/_process"), &json!({})).await.refusal(),
        "400 subscription.processed"
    );
    assert_eq!(status("RESUMED").await.refusal(), "400 subscription.notPaused");
    let paused = status("paused").await.is(200).json();
    assert!(paused["status"] == "PAUSED" && paused["paused_at"].is_i64(), "{paused}");
    let again = status("PAUSED").await;
    assert_eq!(again.refusal(), "400 subscription.notPausable");
    assert_eq!(again.json()["parameters"], json!({"subscription": last(&url), "status": "PAUSED"}));
    let resumed = status("RESUMED").await.is(200).json();
    assert!(resumed["status"] == "ACCEPTED" && resumed.get("paused_at").is_none(), "{resumed}");
    let closed = status("Closed").await.is(200).json();
    assert!(closed["status"] == "CLOSED" && closed["closed_at"].is_i64(), "{closed}");
    let again = status("CLOSED").await;
    assert_eq!(again.refusal(), "400 subscription.closed");
    assert_eq!(again.json()["parameters"]["status"], "CLOSED");
    status("X").await.is(400);
    rest.subscription(&api, &plan, &application).await;
}

async fn a_manual_plan_waits_for_the_publisher(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "manual").await;
    let ask = format!("{APPLICATIONS}/{application}/subscriptions?plan={plan}");
    let asked = rest.post(&ask, &json!({"request": "please"})).await.is(201).json();
    assert_eq!((&asked["status"], &asked["request"]), (&json!("PENDING"), &json!("please")));
    assert!(asked.get("processed_at").is_none() && asked.get("starting_at").is_none());
    assert_eq!(rest.post(&ask, &json!({})).await.refusal(), "400 plan.subscribed");
    assert_eq!(rest.wanted().await, Vec::<String>::new());
    let url = format!("{api}/subscriptions/{}", asked["id"].as_str().unwrap());
    assert_eq!(rest.get(&format!("{url}/apikeys")).await.json(), json!([]));
    let accept =
        json!({"accepted": true, "reason": "welcome", "customApiKey": "chosen-by-me", "starting_at": 5});
    let accepted = rest.post(&format!("{url}/_process"), &accept).await.is(200).json();
    assert_eq!((&accepted["status"], &accepted["reason"]), (&json!("ACCEPTED"), &json!("welcome")));
    assert_eq!(accepted["starting_at"], 5);
    assert_eq!(rest.get(&format!("{url}/apikeys")).await.json()[0]["key"], "chosen-by-me");
    assert_eq!(rest.wanted().await.len(), 2);

    let other = rest.application(None).await;
    let ask = format!("{APPLICATIONS}/{other}/subscriptions?plan={plan}");
    let asked = rest.act(&ask).await.is(201).json();
    let url = format!("{api}/subscriptions/{}", asked["id"].as_str().unwrap());
    let listed = async |of: String| rest.get(&of).await.json()["data"].as_array().unwrap().len();
    assert_eq!(
        listed(format!("{APPLICATIONS}/{other}/subscriptions")).await,
        1,
        "the consumer sees what waits"
    );
    assert_eq!(listed(format!("{api}/subscriptions?application={other}")).await, 0);
    let rejected = rest.post(&format!("{url}/_process"), &json!({"reason": "no"})).await.is(200).json();
    assert_eq!((&rejected["status"], &rejected["reason"]), (&json!("REJECTED"), &json!("no")));
    assert!(rejected["closed_at"].is_i64() && rejected.get("starting_at").is_none());
    let asked = rest.act(&ask).await.is(201).json();
    let closed = rest
        .act(&format!("{api}/subscriptions/{}/status?status=CLOSED", asked["id"].as_str().unwrap()))
        .await;
    assert_eq!(closed.is(200).json()["status"], "REJECTED", "a pending one was never used");
}

async fn what_cannot_be_subscribed_to(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let subscribe = async |application: &str, plan: &str| {
        rest.act(&format!("{api}/subscriptions?application={application}&plan={plan}")).await
    };
    let key_less = rest.plan(&api, "published").await;
    let refused = subscribe(&application, last(&key_less)).await;
    assert_eq!(refused.refusal(), "400 plan.notSubscribable");
    assert!(refused.json().get("parameters").is_none());
    let staging = json!({"name": "s", "description": "d", "security": {"type": "api-key"}});
    let staging = rest.post(&format!("{api}/plans"), &staging).await.is(201).json()["id"].clone();
    let staging = staging.as_str().unwrap();
    assert_eq!(subscribe(&application, staging).await.refusal(), "400 plan.notPublished");
    rest.act(&format!("{api}/plans/{staging}/_publish")).await.is(200);
    rest.act(&format!("{api}/plans/{staging}/_deprecate")).await.is(200);
    assert_eq!(subscribe(&application, staging).await.refusal(), "400 plan.notSubscribable");
    rest.act(&format!("{api}/plans/{staging}/_close")).await.is(200);
    let closed = subscribe(&application, staging).await;
    assert_eq!(closed.refusal(), "400 plan.closed");
    assert_eq!(closed.json()["parameters"], json!({"plan": staging}));

    let plan = rest.plan_of(&api, "api-key", "auto").await;
    assert_eq!(subscribe("nope", &plan).await.refusal(), "404 application.notFound");
    assert_eq!(subscribe(&application, "nope").await.refusal(), "404 plan.notFound");
    assert_eq!(rest.act(&format!("{api}/subscriptions?plan={plan}")).await.refusal(), "400 data.invalid");
    subscribe(&application, &plan).await.is(201);
    let again = subscribe(&application, &plan).await;
    assert_eq!(again.refusal(), "400 plan.subscribed");
    assert_eq!(again.json()["parameters"], json!({"plan": plan}));

    let strict = json!({"name": "c", "description": "d", "status": "published", "security": {"type": "api-key"},
        "commentRequired": true, "commentMessage": "who are you?", "generalConditions": "page"});
    let strict = rest.post(&format!("{api}/plans"), &strict).await.is(201).json()["id"].clone();
    let ask = format!("{APPLICATIONS}/{application}/subscriptions?plan={}", strict.as_str().unwrap());
    assert_eq!(rest.act(&ask).await.refusal(), "400 plan.general_conditions_accept");
    let accepted = json!({"generalConditionsAccepted": true});
    let refused = rest.post(&ask, &accepted).await;
    assert!(refused.refusal() == "400 -" && refused.text.contains("who are you?"), "{}", refused.text);
    rest.post(&ask, &json!({"generalConditionsAccepted": true, "request": "me"})).await.is(201);
}

async fn token_plans_need_a_client_identifier(rest: Rest) {
    let api = rest.api("/a").await;
    let (jwt, oauth2) = (rest.plan_of(&api, "jwt", "auto").await, rest.plan_of(&api, "oauth2", "auto").await);
    let anonymous = rest.application(None).await;
    let path =
        |application: &str, plan: &str| format!("{api}/subscriptions?application={application}&plan={plan}");
    assert_eq!(rest.act(&path(&anonymous, &jwt)).await.refusal(), "400 plan.notSubscribable");
    let application = rest.application(Some("client-1")).await;
    let created = rest.act(&path(&application, &jwt)).await.is(201).json();
    assert_eq!(created["client_id"], "client-1");
    let second = rest.act(&path(&application, &oauth2)).await;
    assert_eq!(second.refusal(), "400 plan.otherOAuth2OrJWTSubscribed");
}

async fn push_configurations_in_both_shapes(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "subscription", "auto").await;
    let path = format!("{api}/subscriptions?application={application}&plan={plan}");
    for (configuration, refusal) in [
        (json!(null), "400 subscription.entrypoint.missing"),
        (json!({"callbackUrl": "https://x"}), "400 subscription.entrypoint.missing"),
        (json!({"entrypointId": "nope"}), "404 plugin.notFound"),
        (json!({"entrypointId": "webhook"}), "400 data.invalid"),
        (json!({"entrypointId": "webhook", "callbackUrl": "ftp://x"}), "400 data.invalid"),
    ] {
        let answer = rest.post(&path, &json!({"configuration": configuration})).await;
        assert_eq!(answer.refusal(), refusal, "{configuration}");
    }
    let nested = json!({"consumerConfiguration": {"entrypointId": "webhook", "channel": "/orders",
        "entrypointConfiguration": {"callbackUrl": "https://example.com/hook",
            "auth": {"type": "token", "token": {"value": "hush"}}}}});
    let created = rest.post(&path, &nested).await.is(201);
    assert!(!created.text.contains("hush"), "{}", created.text);
    assert_eq!(rest.post(&path, &nested).await.refusal(), "400 plan.subscribed");
    rest.post(&path, &webhook()).await.is(201);
    let list = rest.get(&format!("{api}/subscriptions?plan={plan}")).await.is(200);
    assert!(!list.text.contains("hush"), "{}", list.text);
    let listed: Value =
        serde_json::from_str(list.json()["data"][1]["configuration"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&listed["callbackUrl"], &listed["channel"]),
        (&json!("https://example.com/hook"), &json!("/orders"))
    );
    let wanted = rest.wanted().await;
    assert!(
        wanted.iter().any(|body| body.contains("hush"))
            && wanted.iter().all(|body| body.contains("\"push\":true"))
    );
    // What was shown, sent back, keeps the secret.
    let url = format!("{api}/subscriptions/{}", created.json()["id"].as_str().unwrap());
    rest.put(&url, &json!({"configuration": listed, "metadata": {"a": 1}})).await.is(200);
    assert!(rest.wanted().await.iter().any(|body| body.contains("hush") && body.contains(r#""a":"1""#)));
}

async fn the_publisher_changes_what_is_accepted(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let url = rest.subscription(&api, &plan, &application).await;
    let changed = json!({"id": last(&url), "ending_at": 9_999_999_999_999_i64, "metadata": {"k": "v"}});
    let changed = rest.put(&url, &changed).await.is(200).json();
    assert!(changed.get("starting_at").is_none(), "an absent start is cleared");
    assert_eq!(
        (&changed["ending_at"], &changed["metadata"]),
        (&json!(9_999_999_999_999_i64), &json!({"k": "v"}))
    );
    assert!(rest.wanted().await[0].contains(r#""endingAtMs":9999999999999"#));
    assert_eq!(rest.put(&url, &json!({"id": "other"})).await.refusal(), "400 data.invalid");
    rest.act(&format!("{url}/status?status=PAUSED")).await.is(200);
    assert_eq!(rest.put(&url, &json!({})).await.refusal(), "400 subscription.notUpdatable");
}

async fn the_consumer_changes_its_own(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    for (validation, expected) in [("auto", "ACCEPTED"), ("manual", "PENDING")] {
        let plan = rest.plan_of(&api, "subscription", validation).await;
        let path = format!("{api}/subscriptions?application={application}&plan={plan}");
        let id = rest.post(&path, &webhook()).await.is(201).json()["id"].clone();
        let own = format!("{APPLICATIONS}/{application}/subscriptions/{}", id.as_str().unwrap());
        let stop =
            async |status: &str| rest.act(&format!("{own}/_changeConsumerStatus?status={status}")).await;
        assert_eq!(stop("STARTED").await.refusal(), "400 subscription.notPaused");
        let stopped = stop("stopped").await.is(200).json();
        assert!(
            stopped["consumerStatus"] == "STOPPED" && stopped["consumer_paused_at"].is_i64(),
            "{stopped}"
        );
        assert_eq!(stop("STOPPED").await.refusal(), "400 subscription.notPausable");
        assert!(rest.wanted().await.iter().any(|body| body.contains(r#""consumerStatus":"STOPPED""#)));
        stop("STARTED").await.is(200);
        stop("X").await.is(400);
        let moved =
            json!({"configuration": {"entrypointId": "webhook", "callbackUrl": "https://example.com/new"}});
        let changed = rest.put(&own, &moved).await.is(200).json();
        assert_eq!(changed["status"], expected);
        let foreign = format!("{APPLICATIONS}/{}/subscriptions/{}", rest.application(None).await, last(&own));
        assert_eq!(rest.get(&foreign).await.refusal(), "403 forbidden");
        let closed = rest.call("DELETE", &own, &[], "").await.is(200).json();
        assert_eq!(closed["status"], if expected == "PENDING" { "REJECTED" } else { "CLOSED" });
        assert_eq!(rest.put(&own, &moved).await.refusal(), "400 subscription.notUpdatable");
    }
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let url = rest.subscription(&api, &plan, &application).await;
    let own = format!("{APPLICATIONS}/{application}/subscriptions/{}", last(&url));
    let refused = rest.act(&format!("{own}/_changeConsumerStatus?status=STOPPED")).await;
    assert_eq!(refused.refusal(), "400 subscription.consumerStatusNotUpdatable");
}

async fn moving_to_another_plan(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let (from, to) =
        (rest.plan_of(&api, "api-key", "auto").await, rest.plan_of(&api, "api-key", "auto").await);
    let jwt = rest.plan_of(&api, "jwt", "auto").await;
    let url = rest.subscription(&api, &from, &application).await;
    let transfer = async |plan: &str| rest.post(&format!("{url}/_transfer"), &json!({"plan": plan})).await;
    for refused in [&jwt, &from] {
        let answer = transfer(refused).await;
        assert_eq!(answer.refusal(), "400 plan.transferNotAllowed");
        assert_eq!(answer.json()["parameters"], json!({"plan": refused}));
    }
    assert_eq!(transfer("nope").await.refusal(), "404 plan.notFound");
    assert_eq!(transfer(&to).await.is(200).json()["plan"]["id"], json!(to));
    assert!(rest.wanted().await[0].contains(&to));
    rest.subscription(&api, &from, &application).await;
    assert_eq!(transfer(&from).await.refusal(), "400 plan.subscribed");
}

async fn closing_a_plan_closes_its_subscriptions(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let (plan, kept) =
        (rest.plan_of(&api, "api-key", "manual").await, rest.plan_of(&api, "api-key", "auto").await);
    let url = rest.subscription(&api, &plan, &application).await;
    let other = rest.application(None).await;
    let ask = format!("{APPLICATIONS}/{other}/subscriptions?plan={plan}");
    let pending = rest.act(&ask).await.is(201).json()["id"].clone();
    let stays = rest.subscription(&api, &kept, &application).await;
    let delete = rest.call("DELETE", &format!("{api}/plans/{plan}"), &[], "").await;
    assert_eq!(delete.refusal(), "400 plan.notDeletable");
    rest.act(&format!("{api}/plans/{plan}/_close")).await.is(200);
    let closed = rest.get(&url).await.json();
    assert!(closed["status"] == "CLOSED" && closed["closed_at"].is_i64(), "{closed}");
    let pending = format!("{api}/subscriptions/{}", pending.as_str().unwrap());
    assert_eq!(rest.get(&pending).await.json()["status"], "REJECTED");
    assert_eq!(rest.get(&stays).await.json()["status"], "ACCEPTED");
    assert_eq!(rest.wanted().await.len(), 2, "the subscription that stays, and its key");
    rest.call("DELETE", &format!("{api}/plans/{plan}"), &[], "").await.is(204);
}

async fn lists_filter(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let empty = rest.get(&format!("{api}/subscriptions")).await.is(200).json();
    let position = json!({"current": 1, "size": 0, "per_page": 20, "total_pages": 0, "total_elements": 0});
    assert_eq!(empty, json!({"data": [], "metadata": {}, "page": position}));
    let (one, two) =
        (rest.plan_of(&api, "api-key", "auto").await, rest.plan_of(&api, "api-key", "auto").await);
    let first = rest.subscription(&api, &one, &application).await;
    rest.subscription(&api, &two, &application).await;
    rest.act(&format!("{first}/status?status=CLOSED")).await.is(200);
    let own = format!("{APPLICATIONS}/{application}/subscriptions");
    for (list, query, count) in [
        (format!("{api}/subscriptions"), "".to_owned(), 1),
        (format!("{api}/subscriptions"), "status=closed,ACCEPTED".to_owned(), 2),
        (format!("{api}/subscriptions"), format!("plan={one}"), 0),
        (format!("{api}/subscriptions"), format!("plan={one},{two}&status=CLOSED"), 1),
        (format!("{api}/subscriptions"), "application=nope".to_owned(), 0),
        (own.clone(), format!("api={}", last(&api)), 1),
        (own.clone(), format!("api={one}"), 0),
        (own.clone(), "status=ACCEPTED,CLOSED&size=1&page=2".to_owned(), 1),
    ] {
        let found = rest.get(&format!("{list}?{query}")).await.is(200).json();
        assert_eq!(found["data"].as_array().unwrap().len(), count, "{list}?{query}: {found}");
    }
    for list in [format!("{api}/subscriptions"), own] {
        let refused = rest.get(&format!("{list}?status=ACCEPTED,nope")).await;
        assert_eq!(refused.refusal(), "400 data.invalid");
        assert!(refused.text.contains("nope"), "{}", refused.text);
    }
    let list = rest.get(&format!("{api}/subscriptions")).await.json();
    assert_eq!(list["metadata"][&two], json!({"name": "api-key", "securityType": "API_KEY"}));
    assert_eq!(list["metadata"][&application], json!({"name": "app"}));
    let item = &list["data"][0];
    assert_eq!([&item["plan"], &item["application"]], [&json!(two), &json!(application)]);
    assert!(item.get("keys").is_none() && item.get("security").is_none());
}

async fn the_export_is_a_table(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    rest.subscription(&api, &plan, &application).await;
    let answer = rest.get(&format!("{api}/subscriptions/export")).await.is(200);
    assert_eq!(answer.header("content-type"), "text/csv");
    let lines: Vec<&str> = answer.text.lines().collect();
    assert_eq!(lines[0], "Plan;Application;Creation date;Process date;Start date;End date;Status");
    assert!(lines[1].starts_with("api-key;app;20") && lines[1].ends_with(";;ACCEPTED"), "{}", lines[1]);
    assert_eq!(lines.len(), 2);
}

async fn what_has_ended_is_closed_once(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let (one, two) =
        (rest.plan_of(&api, "api-key", "auto").await, rest.plan_of(&api, "api-key", "auto").await);
    let ended = rest.subscription(&api, &one, &application).await;
    let lasting = rest.subscription(&api, &two, &application).await;
    let now = Utc::now().timestamp_millis();
    rest.put(&ended, &json!({"ending_at": now - 1})).await.is(200);
    rest.put(&lasting, &json!({"ending_at": now + 3_600_000})).await.is(200);
    assert_eq!(rest.get(&ended).await.json()["status"], "ACCEPTED");
    let (first, second) = tokio::join!(close_ended(&rest.app), close_ended(&rest.app));
    assert_eq!(first.unwrap() + second.unwrap(), 1, "two nodes at the same time close it once");
    let closed = rest.get(&ended).await.json();
    assert!(closed["status"] == "CLOSED" && closed["closed_at"].is_i64(), "{closed}");
    assert_eq!(rest.get(&lasting).await.json()["status"], "ACCEPTED");
    assert_eq!(rest.wanted().await.len(), 2);
    let by = store::texts(&rest.db, "select actor from audit where action = 'subscription.close'").await;
    assert_eq!(by, ["system"]);
}

async fn every_change_leaves_its_audit_rows(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let url = rest.subscription(&api, &plan, &application).await;
    rest.act(&format!("{url}/apikeys/_renew")).await.is(201);
    rest.act(&format!("{url}/status?status=PAUSED")).await.is(200);
    rest.act(&format!("{url}/status?status=PAUSED")).await.is(400);
    rest.call("DELETE", &format!("{APPLICATIONS}/{application}"), &[], "").await.is(204);
    let rows =
        store::texts(&rest.db, "select action from audit where subject_kind <> 'api' order by id").await;
    assert_eq!(
        rows,
        [
            "application.create",
            "plan.create",
            "subscription.create",
            "api-key.renew",
            "subscription.pause",
            "application.archive",
            "subscription.close"
        ]
    );
}

async fn of_two_at_once_one_subscribes(rest: Rest) {
    let (api, application) = (rest.api("/a").await, rest.application(None).await);
    let plan = rest.plan_of(&api, "api-key", "auto").await;
    let path = format!("{api}/subscriptions?application={application}&plan={plan}");
    let (one, two) = tokio::join!(rest.act(&path), rest.act(&path));
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 400], "{one:?} {two:?}");
    assert_eq!(rest.wanted().await.len(), 2);
}

/// Archiving holds an application and then its APIs; closing a plan holds the API; both meet renewals. Nobody waits in a
/// circle, and in the end nothing is left on gateways.
async fn changes_from_every_side_at_once_leave_one_truth(rest: Rest) {
    let application = rest.application(None).await;
    let mut places = Vec::new();
    for path in ["/a", "/b", "/c"] {
        let api = rest.api(path).await;
        let plan = rest.plan_of(&api, "api-key", "auto").await;
        places
            .push((rest.subscription(&api, &plan, &application).await, format!("{api}/plans/{plan}/_close")));
    }
    let renewals = places.iter().map(|(subscription, _)| format!("{subscription}/apikeys/_renew"));
    let closings = places.iter().map(|(_, close)| close.clone());
    let paths: Vec<String> = renewals.chain(closings).collect();
    let archive = format!("{APPLICATIONS}/{application}");
    let all = futures::future::join_all(paths.iter().map(|path| rest.act(path)));
    let (answers, archived) = tokio::join!(all, rest.call("DELETE", &archive, &[], ""));
    archived.is(204);
    for answer in answers {
        assert!([200, 201, 400].contains(&answer.status.as_u16()), "{answer:?}");
    }
    assert_eq!(rest.wanted().await, Vec::<String>::new());
    for (subscription, _) in &places {
        assert_eq!(rest.get(subscription).await.json()["status"], "CLOSED");
        let keys = rest.get(&format!("{subscription}/apikeys")).await.json();
        assert!(keys.as_array().unwrap().iter().all(|key| key["revoked"] == true), "{keys}");
    }
}
