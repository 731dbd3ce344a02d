//! The few calls to the management API that a measurement needs.

use crate::definitions;
use anyhow::Context;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// User that the stack creates.
const USER: &str = "admin";

/// A client with credentials.
pub(crate) struct Management {
    client: Client,
    environment: String,
    password: String,
}

impl Management {
    pub(crate) fn new(rest: SocketAddr, password: &str) -> Self {
        let environment = format!("http://{rest}/management/organizations/DEFAULT/environments/DEFAULT");
        Self { client: Client::new(), environment, password: password.to_owned() }
    }

    /// Creates, opens and starts an API; returns its id and its definition as it was stored.
    pub(crate) async fn publish(&self, definition: &Value) -> anyhow::Result<(String, Value)> {
        let stored = self.call(Method::POST, "/v4/apis", Some(definition)).await?;
        let id = stored["id"].as_str().context("the created API has no id")?.to_owned();
        self.call(Method::POST, &format!("/v4/apis/{id}/plans"), Some(&definitions::open_plan())).await?;
        self.call(Method::POST, &format!("/v4/apis/{id}?action=start"), None).await?;
        Ok((id, stored))
    }

    /// Creates and starts an API that asks for a key; returns a key.
    pub(crate) async fn publish_keyed(&self, definition: &Value) -> anyhow::Result<String> {
        let id = |stored: &Value| Ok::<_, anyhow::Error>(stored["id"].as_str().context("no id")?.to_owned());
        let api = id(&self.call(Method::POST, "/v4/apis", Some(definition)).await?)?;
        let plan = id(&self
            .call(Method::POST, &format!("/v4/apis/{api}/plans"), Some(&definitions::key_plan()))
            .await?)?;
        let application = json!({ "name": format!("Bench {api}"), "description": "Benchmark" });
        let application = id(&self.call(Method::POST, "/applications", Some(&application)).await?)?;
        let subscribe = format!("/v4/apis/{api}/subscriptions?application={application}&plan={plan}");
        let subscription = id(&self.call(Method::POST, &subscribe, None).await?)?;
        let keys = self
            .call(Method::GET, &format!("/v4/apis/{api}/subscriptions/{subscription}/apikeys"), None)
            .await?;
        let key = keys[0]["key"].as_str().context("the subscription has no key")?.to_owned();
        self.call(Method::POST, &format!("/v4/apis/{api}?action=start"), None).await?;
        Ok(key)
    }

    /// Replaces the definition; gateways keep the deployed one.
    pub(crate) async fn update(&self, id: &str, definition: &Value) -> anyhow::Result<()> {
        self.call(Method::PUT, &format!("/v4/apis/{id}"), Some(definition)).await.map(drop)
    }

    /// Deploys the stored definition.
    pub(crate) async fn deploy(&self, id: &str) -> anyhow::Result<()> {
        self.call(Method::POST, &format!("/v4/apis/{id}/deploy"), None).await.map(drop)
    }

    /// One call below the environment; an answer other than 2xx is an error with its body. An empty answer is `null`.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.environment);
        let mut request = self.client.request(method.clone(), &url).basic_auth(USER, Some(&self.password));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.with_context(|| format!("{method} {url}"))?;
        let status = response.status();
        let text = response.text().await?;
        anyhow::ensure!(status.is_success(), "{method} {url} answered {status}: {text}");
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }
}
