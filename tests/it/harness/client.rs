//! A user of the management API: basic authentication, JSON, and the answer's body in every failure text.

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// The one HTTP client of all tests: making one reads every certificate of the machine. It keeps no connection, because a
/// connection belongs to the runtime of the test that opened it.
pub(crate) fn http() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
        reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client without special wishes")
    });
    &CLIENT
}

/// Everything a test looks at in an answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(answer: reqwest::Response) -> Answer {
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text =
            answer.text().await.unwrap_or_else(|error| panic!("the body of a {status} is cut off: {error}"));
        Answer { status, headers, text }
    }

    /// The body as JSON; fails showing it when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}), status {}: {:?}", self.status, self.text))
    }

    /// Fails showing the body unless the status is the wanted one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16, what: &str) -> Answer {
        assert_eq!(self.status.as_u16(), status, "{what}: {}", self.text);
        self
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A client of one management node, signed in as its administrator.
pub(crate) struct Client {
    base: String,
}

impl Client {
    pub(crate) fn new(port: u16) -> Client {
        let base = format!("http://127.0.0.1:{port}/management/organizations/DEFAULT/environments/DEFAULT");
        Client { base }
    }

    /// `path` is below the environment, for instance `/v4/apis`.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request =
            http().request(method.clone(), format!("{}{path}", self.base)).basic_auth("admin", Some("admin"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer =
            request.send().await.unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"));
        Answer::read(answer).await
    }

    /// Sends bytes as they are, for bodies that are no JSON.
    pub(crate) async fn post_raw(&self, path: &str, content_type: &str, body: Vec<u8>) -> Answer {
        let request = http().post(format!("{}{path}", self.base)).basic_auth("admin", Some("admin"));
        let answer = request.header("content-type", content_type).body(body).send().await;
        Answer::read(answer.unwrap_or_else(|error| panic!("POST {path}: no answer: {error}"))).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Answer {
        self.call(Method::POST, path, body).await
    }

    /// The new API's id.
    pub(crate) async fn create_api(&self, definition: &Value) -> String {
        let created = self.post("/v4/apis", Some(definition)).await.expect(201, "create the API").json();
        created["id"].as_str().unwrap_or_else(|| panic!("no id in {created}")).to_owned()
    }

    pub(crate) async fn get_api(&self, api: &str) -> Value {
        self.get(&format!("/v4/apis/{api}")).await.expect(200, "get the API").json()
    }

    /// Reads the API, lets `change` edit it and writes it back. The answer to the update.
    pub(crate) async fn change_api(&self, api: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut definition = self.get_api(api).await;
        change(&mut definition);
        let answer = self.call(Method::PUT, &format!("/v4/apis/{api}"), Some(&definition)).await;
        answer.expect(200, "update the API").json()
    }

    /// A published plan without security. Its id.
    pub(crate) async fn create_keyless_plan(&self, api: &str) -> String {
        let plan = json!({ "name": "open", "description": "for everyone", "status": "PUBLISHED",
            "characteristics": [], "security": { "type": "key-less" } });
        let answer =
            self.post(&format!("/v4/apis/{api}/plans"), Some(&plan)).await.expect(201, "create the plan");
        answer.json()["id"].as_str().expect("a plan has an id").to_owned()
    }

    pub(crate) async fn start(&self, api: &str) {
        self.post(&format!("/v4/apis/{api}?action=START"), None).await.expect(204, "start the API");
    }

    pub(crate) async fn stop(&self, api: &str) {
        self.post(&format!("/v4/apis/{api}?action=STOP"), None).await.expect(204, "stop the API");
    }

    /// The answer to the deployment.
    pub(crate) async fn deploy(&self, api: &str) -> Answer {
        self.post(&format!("/v4/apis/{api}/deploy"), None).await.expect(200, "deploy the API")
    }

    /// The status of the last deployment.
    pub(crate) async fn deployment(&self, api: &str) -> Value {
        let path = format!("/v4/apis/{api}/deployments");
        let list = self.get(&path).await.expect(200, "deployments").json();
        let id = list["data"][0]["id"].as_str().unwrap_or_else(|| panic!("no deployment in {list}"));
        self.get(&format!("{path}/{id}")).await.expect(200, "the deployment").json()
    }
}
