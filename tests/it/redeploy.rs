//! Changing what runs: only the clients of the changed API may notice, and every gateway follows.

use crate::harness::client::{Answer, http};
use crate::harness::definitions::{all_entrypoints, api, mock};
use crate::harness::posts::Posts;
use crate::harness::stack::{Gateway, Stack, Store};
use crate::harness::streams::{Sse, Ws};
use crate::harness::wait::{SOON, until};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Pace of the mock sources here.
const TICK: Duration = Duration::from_millis(20);

fn ticking(path: &str, content: &str) -> Value {
    api(path, &all_entrypoints(), &mock(content, 20, None))
}

/// Changes what the API's source says and deploys it.
async fn redeploy(stack: &Stack, api: &str, content: &str) -> Answer {
    stack
        .client
        .change_api(api, |body| {
            body["endpointGroups"][0]["endpoints"][0]["configuration"]["messageContent"] = json!(content);
        })
        .await;
    stack.client.deploy(api).await
}

/// Waits until the gateway gives `content` at `path`.
async fn gives(gateway: &Gateway, path: &str, content: &str) {
    let url = gateway.http(&format!("{path}?limit=1"));
    until(&format!("{} to give {content:?}", gateway.process.name), SOON, async || {
        let answer = http().get(&url).header("Accept", "application/json").send().await.ok()?;
        let page: Value = serde_json::from_str(&answer.text().await.ok()?).ok()?;
        (page["items"][0]["content"] == content).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_another_api_notice_nothing() {
    let stack = Stack::start(Store::Postgres, 2).await;
    let changing = stack.serve("/changing", &ticking("/changing", "old")).await;
    stack.serve("/steady", &ticking("/steady", "steady")).await;
    let opened = Instant::now();
    let mut steady = Vec::new();
    for gateway in &stack.gateways {
        steady.push(Sse::open(&gateway.http("/steady"), &[]).await);
    }
    let mut socket = Ws::open(&stack.gateways[0].ws("/steady")).await;
    let posts = Posts::start(&stack.gateways[0].http("/steady"), "", 2);

    for round in 0..5 {
        let mut watcher = Sse::open(&stack.gateways[0].http("/changing"), &[]).await;
        let content = format!("new-{round}");
        redeploy(&stack, &changing, &content).await;
        for gateway in &stack.gateways {
            gives(gateway, "/changing", &content).await;
        }
        let mut last = watcher.next().await.expect("an event");
        while let Some(event) = watcher.next().await {
            last = event;
        }
        assert_eq!(last.event, "goaway", "a client of the changed API is told to reconnect");
    }

    let accepted = posts.accepted();
    until("more posts to be accepted", SOON, async || (posts.accepted() > accepted + 50).then_some(())).await;
    let statuses = posts.statuses();
    assert_eq!(
        statuses.keys().copied().collect::<Vec<_>>(),
        [202],
        "no request of the other API failed: {statuses:?}"
    );
    posts.stop().await;
    for sse in &mut steady {
        sse.unbroken(0, opened, TICK).await;
    }
    assert_eq!(socket.message().await, "steady");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redeployment_of_the_same_closes_nothing() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let same = stack.serve("/same", &ticking("/same", "same")).await;
    let opened = Instant::now();
    let mut sse = Sse::open(&stack.gateways[0].http("/same"), &[]).await;
    for _ in 0..5 {
        stack.client.deploy(&same).await;
    }
    // Whatever is deployed afterwards proves that the five were applied before.
    stack.serve("/after", &ticking("/after", "after")).await;
    sse.unbroken(0, opened, TICK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_of_a_changed_api_are_told_to_come_back() {
    let stack = Stack::start(Store::Sqlite, 1).await;
    let changing = stack.serve("/ws", &ticking("/ws", "old")).await;
    let mut ws = Ws::open(&stack.gateways[0].ws("/ws")).await;
    assert_eq!(ws.message().await, "old");
    redeploy(&stack, &changing, "new").await;
    assert_eq!(u16::from(ws.closed().await.code), 1012);
    let mut again = Ws::open(&stack.gateways[0].ws("/ws")).await;
    assert_eq!(again.message().await, "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_serve_the_same_and_say_so() {
    let mut stack = Stack::start(Store::Postgres, 2).await;
    let api = stack.serve("/both", &ticking("/both", "one")).await;
    let deployed = redeploy(&stack, &api, "two").await;
    let deployment = deployed.header("x-tidegate-deployment").to_owned();
    let path = format!("/v4/apis/{api}/deployments/{deployment}?wait=30s&until=converged");
    let status = stack.client.get(&path).await.expect(200, "the deployment").json();
    assert_eq!((&status["state"], &status["nodes"]["active"]), (&json!("CONVERGED"), &json!(2)), "{status}");
    for gateway in &stack.gateways {
        gives(gateway, "/both", "two").await;
    }
    let nodes = stack.client.get("/instances").await.expect(200, "instances").json();
    let count = nodes["data"].as_array().or(nodes["content"].as_array()).map(Vec::len);
    assert_eq!(count, Some(2), "{nodes}");

    stack.gateways[0].process.kill().await;
    redeploy(&stack, &api, "three").await;
    gives(&stack.gateways[1], "/both", "three").await;
    stack.gateways[0].restart().await;
    gives(&stack.gateways[0], "/both", "three").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_is_gone_and_its_path_is_free() {
    let stack = Stack::start(Store::Sqlite, 2).await;
    let first = stack.serve("/reused", &ticking("/reused", "first")).await;
    stack.client.stop(&first).await;
    for gateway in &stack.gateways {
        gateway.serves("/reused", false).await;
    }
    let path = format!("/v4/apis/{first}?closePlans=true");
    stack.client.call(reqwest::Method::DELETE, &path, None).await.expect(204, "delete");
    stack.serve("/reused", &ticking("/reused", "second")).await;
    for gateway in &stack.gateways {
        gives(gateway, "/reused", "second").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_asked_to_end_says_goodbye() {
    let mut stack = Stack::start(Store::Sqlite, 1).await;
    stack.serve("/bye", &ticking("/bye", "tick")).await;
    let mut sse = Sse::open(&stack.gateways[0].http("/bye"), &[]).await;
    sse.message().await;
    let ws = Ws::open(&stack.gateways[0].ws("/bye")).await;
    let ending = stack.gateways[0].process.stop();
    let farewells = async {
        let mut last = None;
        while let Some(event) = sse.next().await {
            last = Some(event.event);
        }
        (last, u16::from(ws.closed().await.code))
    };
    let ((), farewells) = tokio::join!(ending, farewells);
    assert_eq!(farewells, (Some("goaway".to_owned()), 1001));
}
