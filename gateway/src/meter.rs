//! What the data path counts. Handles are looked up when an API is built, so that counting is one atomic addition.

use http::StatusCode;
use metrics::{Counter, Gauge, counter, gauge};
use std::sync::Arc;

/// Answers by API, entrypoint and status.
const REQUESTS: &str = "tidegate_gateway_requests_total";
/// Messages by API, entrypoint and direction (`publish`: accepted by the endpoint, `subscribe`: taken for a client).
const MESSAGES: &str = "tidegate_gateway_messages_total";
/// Clients that receive a stream, by API and entrypoint.
const OPEN_STREAMS: &str = "tidegate_gateway_open_streams";

/// Meters of one entrypoint of one API.
pub(crate) struct EntrypointMeter {
    api: Arc<str>,
    entrypoint: String,
    ok: Counter,
    accepted: Counter,
    /// Messages that the endpoint confirmed.
    pub(crate) published: Counter,
    /// Messages that were framed for a client.
    pub(crate) subscribed: Counter,
    open: Gauge,
}

impl EntrypointMeter {
    pub(crate) fn new(api: &Arc<str>, entrypoint: &str) -> Self {
        let labels = [("api", api.to_string()), ("entrypoint", entrypoint.to_owned())];
        let with = |name, value: &str| {
            let [api, entrypoint] = labels.clone();
            [api, entrypoint, (name, value.to_owned())]
        };
        EntrypointMeter {
            api: Arc::clone(api),
            entrypoint: entrypoint.to_owned(),
            ok: counter!(REQUESTS, &with("status", "200")),
            accepted: counter!(REQUESTS, &with("status", "202")),
            published: counter!(MESSAGES, &with("direction", "publish")),
            subscribed: counter!(MESSAGES, &with("direction", "subscribe")),
            open: gauge!(OPEN_STREAMS, &labels),
        }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        match status {
            StatusCode::OK => self.ok.increment(1),
            StatusCode::ACCEPTED => self.accepted.increment(1),
            status => {
                let (api, entrypoint) = (self.api.to_string(), self.entrypoint.clone());
                let status = status.as_str().to_owned();
                counter!(REQUESTS, "api" => api, "entrypoint" => entrypoint, "status" => status).increment(1);
            }
        }
    }

    /// Counts a stream for as long as the guard lives.
    pub(crate) fn open(&self) -> OpenStream {
        self.open.increment(1);
        OpenStream(self.open.clone())
    }
}

/// One open stream in the gauge.
pub(crate) struct OpenStream(Gauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
