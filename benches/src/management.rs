//! The few calls to the management API that a measurement needs.

use crate::definitions;
use anyhow::Context;
use reqwest::{Client, Method};
use serde_json::Value;
use std::net::SocketAddr;

/// User that the stack creates.
const USER: &str = "admin";

/// A client with credentials.
pub(crate) struct Management {
    client: Client,
    apis: String,
    password: String,
}

impl Management {
    pub(crate) fn new(rest: SocketAddr, password: &str) -> Self {
        let apis = format!("http://{rest}/management/organizations/DEFAULT/environments/DEFAULT/v4/apis");
        Self { client: Client::new(), apis, password: password.to_owned() }
    }

    /// Creates, opens and starts an API; returns its id and its definition as it was stored.
    pub(crate) async fn publish(&self, definition: &Value) -> anyhow::Result<(String, Value)> {
        let stored = self.call(Method::POST, "", Some(definition)).await?;
        let id = stored["id"].as_str().context("the created API has no id")?.to_owned();
        self.call(Method::POST, &format!("/{id}/plans"), Some(&definitions::open_plan())).await?;
        self.call(Method::POST, &format!("/{id}?action=start"), None).await?;
        Ok((id, stored))
    }

    /// Replaces the definition; gateways keep the deployed one.
    pub(crate) async fn update(&self, id: &str, definition: &Value) -> anyhow::Result<()> {
        self.call(Method::PUT, &format!("/{id}"), Some(definition)).await.map(drop)
    }

    /// Deploys the stored definition.
    pub(crate) async fn deploy(&self, id: &str) -> anyhow::Result<()> {
        self.call(Method::POST, &format!("/{id}/deploy"), None).await.map(drop)
    }

    /// One call; an answer other than 2xx is an error with its body. An empty answer is `null`.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.apis);
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
