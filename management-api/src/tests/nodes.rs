//! Deployments, gateways and the catalogue.

use super::{APIS, Rest, editable, on_both_engines};
use serde_json::{Value, json};

on_both_engines! {
    deployments_are_listed_latest_first,
    waiting_ends_without_gateways,
    without_gateways_the_list_is_empty,
    the_catalogue_tells_what_this_version_runs,
}

const ENVIRONMENT: &str = "/management/organizations/DEFAULT/environments/DEFAULT";

async fn deployments_are_listed_latest_first(rest: Rest) {
    let api = rest.api("/a").await;
    assert_eq!(rest.get(&format!("{api}/deployments")).await.is(200).json()["data"], json!([]));
    let started = rest.act(&format!("{api}?action=start")).await.is(204);
    let first = started.header("x-tidegate-deployment").to_owned();
    let mut edited = editable(&rest, &api).await;
    edited["name"] = json!("Edited");
    rest.put(&api, &edited).await.is(200);
    let label = json!({"deploymentLabel": "v2"});
    let deployed = rest.post(&format!("{api}/deploy"), &label).await.is(200);
    let second = deployed.header("x-tidegate-deployment").to_owned();

    let page = rest.get(&format!("{api}/deployments/")).await.is(200).json();
    let ids: Vec<&str> =
        page["data"].as_array().unwrap().iter().filter_map(|item| item["id"].as_str()).collect();
    assert_eq!(ids, [&second, &first]);
    assert_eq!(page["pagination"]["totalCount"], 2);
    let latest = &page["data"][0];
    assert_eq!(latest["operation"], "publish");
    assert_eq!(latest["deploymentLabel"], "v2");
    assert_eq!(latest["actor"], "admin");
    assert_eq!(latest["state"], "NO_NODES", "nothing serves it, which is no success");
    assert_eq!(page["data"][1]["supersededBy"], latest["revision"]);
    assert_eq!(rest.get(&format!("{api}/deployments/{second}")).await.is(200).json(), *latest);

    let other = rest.api("/b").await;
    for path in [format!("{other}/deployments/{first}"), format!("{api}/deployments/nope")] {
        assert_eq!(rest.get(&path).await.refusal(), "404 deployment.notFound");
    }
    assert_eq!(rest.get(&format!("{APIS}/nope/deployments")).await.refusal(), "404 api.notFound");
}

async fn waiting_ends_without_gateways(rest: Rest) {
    let api = rest.api("/a").await;
    let started = rest.act(&format!("{api}?action=start")).await.is(204);
    let deployment = format!("{api}/deployments/{}", started.header("x-tidegate-deployment"));
    let waited = rest.get(&format!("{deployment}?wait=250ms&until=converged")).await.is(200).json();
    assert_eq!(waited["state"], "NO_NODES");
    for query in ["wait=forever", "wait=61s", "until=tomorrow"] {
        assert_eq!(rest.get(&format!("{deployment}?{query}")).await.refusal(), "400 data.invalid");
    }
}

async fn without_gateways_the_list_is_empty(rest: Rest) {
    let page = rest.get(&format!("{ENVIRONMENT}/instances")).await.is(200).json();
    assert_eq!(page, json!({"data": [], "pagination": {}, "links": {}}));
    assert_eq!(rest.get(&format!("{ENVIRONMENT}/instances/nope")).await.refusal(), "404 instance.notFound");
}

async fn the_catalogue_tells_what_this_version_runs(rest: Rest) {
    let entrypoints = rest.get(&format!("{ENVIRONMENT}/v4/entrypoints")).await.is(200).json();
    let get = |list: &Value, id: &str| {
        list.as_array().unwrap().iter().find(|item| item["id"] == id).cloned().unwrap_or_default()
    };
    assert_eq!(
        get(&entrypoints, "http-get")["supportedQos"],
        json!(["auto", "at-most-once", "at-least-once"])
    );
    assert!(get(&entrypoints, "sse").get("schema").is_none());
    let query = "expand=schema&expand=icon&expand=subscriptionSchema";
    let endpoints = rest.get(&format!("{ENVIRONMENT}/v4/endpoints?{query}")).await.is(200).json();
    let kafka = get(&endpoints, "kafka");
    let alone = rest.get(&format!("{ENVIRONMENT}/v4/endpoints/kafka")).await.is(200).json();
    assert_eq!(alone["supportedModes"], kafka["supportedModes"]);
    let schema = rest.get(&format!("{ENVIRONMENT}/v4/endpoints/kafka/schema")).await.is(200).json();
    assert_eq!(serde_json::from_str::<Value>(kafka["schema"].as_str().unwrap()).unwrap(), schema);
    assert_eq!(schema["required"], json!(["bootstrapServers"]));
    let entrypoints = rest.get(&format!("{ENVIRONMENT}/v4/entrypoints?{query}")).await.is(200).json();
    let webhook = format!("{ENVIRONMENT}/v4/entrypoints/webhook/subscriptionSchema");
    let schema = rest.get(&webhook).await.is(200).json();
    assert_eq!(schema["properties"]["callbackUrl"]["type"], "string");
    let text = get(&entrypoints, "webhook")["subscriptionSchema"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), schema);
    assert!(get(&entrypoints, "sse").get("subscriptionSchema").is_none());
    rest.get(&format!("{ENVIRONMENT}/v4/entrypoints/sse/subscriptionSchema")).await.is(204);
    let unknown = rest.get(&format!("{ENVIRONMENT}/v4/entrypoints/kafka")).await;
    assert_eq!(unknown.refusal(), "404 plugin.notFound");
    rest.get(&format!("{ENVIRONMENT}/v4/entrypoints/sse/schema/")).await.is(200);
}
