//! The first five minutes: what `tidegate dev` prints works as printed, and the README's tour works as written.

use crate::harness::client::{Answer, Client, http};
use crate::harness::ports::{free_port, free_port_with};
use crate::harness::process::Process;
use crate::harness::services::folder;
use crate::harness::stack::tidegate;
use crate::harness::streams::Sse;
use crate::harness::wait::{SOON, until};
use serde_json::{Value, json};
use std::path::Path;

/// The documented bootstrap server means the demo Kafka here.
const README: &str = include_str!("../../README.md");

/// `dev` puts the node port of a plane this much above its own.
const NODE_PORT_OFFSET: u16 = 10_000;

struct Dev {
    process: Process,
    client: Client,
    gateway: String,
}

impl Dev {
    async fn start(folder: &Path) -> Dev {
        Dev::start_with(folder, &[]).await
    }

    async fn start_with(folder: &Path, settings: &[(&str, String)]) -> Dev {
        let (rest, gateway) = (free_port_with(NODE_PORT_OFFSET), free_port_with(NODE_PORT_OFFSET));
        let sync = free_port();
        let mut process = tidegate("dev", folder);
        process.env("TIDEGATE_REST_LISTEN", format!("127.0.0.1:{rest}"));
        process.env("TIDEGATE_SYNC_LISTEN", format!("127.0.0.1:{sync}"));
        process.env("TIDEGATE_GATEWAY_LISTEN", format!("127.0.0.1:{gateway}"));
        settings.iter().for_each(|(name, value)| process.env(name, value.as_str()));
        process.start();
        let mut dev =
            Dev { process, client: Client::new(rest), gateway: format!("http://127.0.0.1:{gateway}") };
        let log = dev.process.log();
        // The log holds earlier starts too, on other ports.
        let line = format!("curl -N -H 'Accept: text/event-stream' {}/hello", dev.gateway);
        let printed = async || std::fs::read_to_string(&log).is_ok_and(|text| text.contains(&line));
        dev.process.ready("it says that it is running", printed).await;
        dev
    }

    /// The line printed last that begins like this.
    fn printed(&self, beginning: &str) -> String {
        let output = self.process.output();
        let line = output.lines().rev().map(str::trim).find(|line| line.starts_with(beginning));
        line.unwrap_or_else(|| panic!("no line begins with {beginning:?}:\n{output}")).to_owned()
    }

    async fn served(&self, path: &str) {
        let url = format!("{}{path}", self.gateway);
        until(&format!("the gateway to serve {path}"), SOON, async || {
            let text = http().delete(&url).send().await.ok()?.text().await.ok()?;
            (!text.contains("No context-path")).then_some(())
        })
        .await;
    }
}

fn url(line: &str) -> &str {
    line.split(' ').find(|word| word.starts_with("http://")).expect("the line names a URL")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_printed_lines_work_as_printed_and_again_after_a_restart() {
    let folder = folder("dev");
    for round in 0..2 {
        let mut dev = Dev::start(&folder).await;
        dev.served("/hello").await;
        let (listen, send) = (dev.printed("curl -N"), dev.printed("curl -i -X POST"));
        let mut sse = Sse::open(url(&listen), &[]).await;
        let body = send.split('\'').nth(1).expect("the line holds a body");
        // "From now on" begins when the fetch has found the topic's end, hence the repetition.
        let message = until("an event", SOON, async || {
            let sent = http().post(url(&send)).body(body.to_owned()).send().await.expect("an answer");
            Answer::read(sent).await.expect(202, "the printed POST");
            sse.quiet_for(std::time::Duration::from_millis(500)).await
        });
        assert_eq!(message.await.data, body);
        let list =
            http().get(url(&dev.printed("curl -s -u"))).basic_auth("admin", Some("admin")).send().await;
        let list = Answer::read(list.expect("an answer")).await.expect(200, "the printed list").json();
        assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "round {round}: {list}");
        dev.process.stop().await;
    }
}

/// The document of the README's first call that creates an API.
fn documented() -> Value {
    let (_, call) = README.split_once("curl -s -u admin:admin $P -d '").expect("the README creates an API");
    let (document, _) = call.split_once('\'').expect("the document ends");
    serde_json::from_str(document).expect("the README's document is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_of_the_readme_works() {
    let mut dev = Dev::start(&folder("dev")).await;
    let api = dev.client.create_api(&documented()).await;
    dev.client.create_keyless_plan(&api).await;
    dev.client.start(&api).await;
    dev.served("/shop/orders").await;
    let url = format!("{}/shop/orders", dev.gateway);
    let sent = http().post(&url).body("{\"order\":1}").send().await.expect("an answer");
    Answer::read(sent).await.expect(202, "POST");
    let request =
        http().get(&url).header("Accept", "application/json").header("X-Gravitee-Client-Identifier", "shop");
    let page = Answer::read(request.send().await.expect("an answer")).await.expect(200, "GET").json();
    assert_eq!(page, json!({ "items": [{ "content": "{\"order\":1}" }] }));
    let deployments =
        dev.client.get(&format!("/v4/apis/{api}/deployments")).await.expect(200, "deployments").json();
    assert_eq!(deployments["data"].as_array().map(Vec::len), Some(1), "{deployments}");
    dev.client.get("/instances").await.expect(200, "instances");
    dev.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_can_be_looked_up_after_a_restart() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder("dev");
    let mut dev = Dev::start(&folder).await;
    let api = dev.client.create_api(&documented()).await;
    let id =
        |answer: Answer| answer.expect(201, "a creation").json()["id"].as_str().expect("an id").to_owned();
    let plan =
        json!({"name": "Keys", "description": "", "status": "published", "security": {"type": "api-key"}});
    let plan = id(dev.client.post(&format!("/v4/apis/{api}/plans"), Some(&plan)).await);
    let application =
        id(dev.client.post("/applications", Some(&json!({"name": "Shop", "description": ""}))).await);
    let path = format!("/v4/apis/{api}/subscriptions?application={application}&plan={plan}");
    let subscription = id(dev.client.post(&path, None).await);
    let keys = format!("/v4/apis/{api}/subscriptions/{subscription}/apikeys");
    let before = dev.client.get(&keys).await.expect(200, "the keys").json();
    assert!(before[0]["key"].is_string(), "{before}");
    dev.process.stop().await;

    let file = folder.join(".tidegate/seal.key");
    let mode = std::fs::metadata(&file).expect("dev keeps its seal key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut dev = Dev::start(&folder).await;
    assert_eq!(dev.client.get(&keys).await.expect(200, "the keys").json(), before);
    dev.process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_told_in_one_line() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = taken.local_addr().expect("an address");
    let mut process = tidegate("gateway", &folder("taken"));
    process.env("TIDEGATE_MANAGEMENT", "http://127.0.0.1:9");
    process.env("TIDEGATE_SYNC_TOKEN", "0123456789abcdef");
    process.env("TIDEGATE_NODE_LISTEN", "127.0.0.1:0");
    process.env("TIDEGATE_GATEWAY_LISTEN", address.to_string());
    process.env("RUST_BACKTRACE", "1");
    process.start();
    let status = until("the gateway to give up", SOON, async || process.exited()).await;
    assert_eq!(status, "exit status: 1");
    let output = process.output();
    let told: Vec<&str> = output.lines().filter(|line| line.starts_with("tidegate: ")).collect();
    let [line] = told[..] else { panic!("{output}") };
    assert!(line.contains(&format!("cannot listen on {address}")) && line.contains("in use"), "{line}");
    assert!(!output.contains("backtrace"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_address_of_dev_can_be_chosen() {
    let node = free_port();
    let mut dev =
        Dev::start_with(&folder("dev"), &[("TIDEGATE_NODE_LISTEN", format!("127.0.0.1:{node}"))]).await;
    let answer = http().get(format!("http://127.0.0.1:{node}/health")).send().await.expect("an answer");
    Answer::read(answer).await.expect(200, "health");
    dev.process.stop().await;
}
