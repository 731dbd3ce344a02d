//! Refused documents, and a store that is gone.

use super::{APIS, Rest, document, on_both_engines};
use crate::db::Db;
use serde_json::{Value, json};

on_both_engines! {
    every_violation_is_listed_and_the_first_one_decides,
    an_unknown_connector_is_not_found,
    secrets_never_come_back,
    a_store_that_is_gone_is_a_passing_failure,
}

async fn every_violation_is_listed_and_the_first_one_decides(rest: Rest) {
    let mut wrong = document("/a");
    wrong["name"] = json!(" ");
    wrong["listeners"][0]["entrypoints"][0]["qos"] = json!("sometimes");
    wrong["endpointGroups"][0]["endpoints"][0]["configuration"]["messageCount"] = json!("many");
    let answer = rest.post(APIS, &wrong).await.is(400);
    let body = answer.json();
    let paths: Vec<&str> =
        body["details"].as_array().unwrap().iter().filter_map(|detail| detail["path"].as_str()).collect();
    assert_eq!(paths[0], "name");
    assert!(paths.contains(&"listeners[0].entrypoints[0].qos"), "{paths:?}");
    assert!(paths.contains(&"endpointGroups[0].endpoints[0].configuration.messageCount"), "{paths:?}");
    assert_eq!(body["message"], body["details"][0]["message"]);
    assert_eq!(body["details"][0]["location"], "name");
    assert!(
        body["details"]
            .as_array()
            .unwrap()
            .iter()
            .all(|detail| !detail["message"].as_str().unwrap().is_empty())
    );
}

async fn an_unknown_connector_is_not_found(rest: Rest) {
    let mut wrong = document("/a");
    wrong["listeners"][0]["entrypoints"][0]["type"] = json!("nope");
    let answer = rest.post(APIS, &wrong).await;
    assert_eq!(answer.refusal(), "404 plugin.notFound");
    assert_eq!(answer.json()["parameters"], json!({"plugin": "nope"}));
}

async fn secrets_never_come_back(rest: Rest) {
    let mut sent = document("/a");
    let jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"hunter2\";";
    sent["endpointGroups"][0] = json!({"name": "g", "type": "kafka", "endpoints": [{"name": "e", "type": "kafka",
        "configuration": {"bootstrapServers": "kafka:9092", "topics": ["t"],
            "security": {"protocol": "PLAINTEXT", "sasl": {"saslMechanism": "PLAIN", "saslJaasConfig": jaas}}}}]});
    let answer = rest.post(APIS, &sent).await;
    assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    if answer.status == 201 {
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let shown: Value = rest.get(&format!("{APIS}/{id}")).await.is(200).json();
        assert!(!shown.to_string().contains("hunter2"));
        rest.put(&format!("{APIS}/{id}"), &shown).await.is(200);
    }
}

async fn a_store_that_is_gone_is_a_passing_failure(rest: Rest) {
    rest.get(APIS).await.is(200);
    match &rest.db {
        Db::Postgres(pool) => pool.close().await,
        Db::Sqlite(pool) => pool.close().await,
    }
    let answer = rest.get(APIS).await.is(503);
    assert_eq!(answer.header("retry-after"), "2");
    assert!(!answer.text.contains("pool"), "{}", answer.text);
}
