//! Clients of a gateway that come back: they read one destination at one level and write down everything they get.

use crate::harness::receiver::Receiver;
use crate::harness::stack::Gateway;
use crate::harness::streams::{CLIENT, Sse, Ws};
use crate::harness::wait::be_slow;
use definition::api::Qos;
use definition::connector;
use definition::qos::{EndpointKind, EntrypointKind, cell};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Pause before a reader comes back, as a browser makes one.
pub(crate) const COME_BACK: Duration = Duration::from_millis(500);
/// Entrypoints that readers use, the most wanted first.
const ENTRYPOINTS: [EntrypointKind; 3] =
    [EntrypointKind::Sse, EntrypointKind::WebSocket, EntrypointKind::Webhook];

/// A level and the entrypoint that is used to read at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) qos: Qos,
    pub(crate) entrypoint: EntrypointKind,
}

impl Way {
    /// Path of the API that serves it.
    pub(crate) fn path(self) -> String {
        format!("/{}", self.qos)
    }

    /// Whether the client calls the gateway; otherwise the gateway calls it.
    pub(crate) fn is_stream(self) -> bool {
        self.entrypoint != EntrypointKind::Webhook
    }
}

/// One way per level that readers can have over an endpoint; the matrix decides.
pub(crate) fn ways(endpoint: &str) -> Vec<Way> {
    let spec = connector::endpoint(endpoint).available();
    let spec = spec.unwrap_or_else(|| panic!("{endpoint} is no endpoint of this build"));
    let kind: EndpointKind = spec.kind.expect("a broker has levels");
    let way = |qos: &Qos| {
        let entrypoint = ENTRYPOINTS.into_iter().find(|entrypoint| cell(*entrypoint, kind).contains(qos));
        entrypoint.map(|entrypoint| Way { qos: *qos, entrypoint })
    };
    Qos::ALL.iter().filter_map(way).collect()
}

/// One open stream of either kind.
#[expect(clippy::large_enum_variant, reason = "a test has few of them")]
pub(crate) enum Stream {
    Sse(Sse),
    Ws(Ws),
}

impl Stream {
    /// `None` when the gateway is away or does not serve the API now.
    pub(crate) async fn open(target: &Target) -> Option<Stream> {
        match target.way.entrypoint {
            EntrypointKind::Sse => {
                Sse::open_if_served(&target.http, &[(CLIENT, &target.identifier)]).await.map(Stream::Sse)
            }
            EntrypointKind::WebSocket => {
                Ws::try_open(&format!("{}?{CLIENT}={}", target.ws, target.identifier)).await.map(Stream::Ws)
            }
            EntrypointKind::HttpGet | EntrypointKind::HttpPost | EntrypointKind::Webhook => {
                panic!("{} is no stream", target.way.entrypoint)
            }
        }
    }

    /// The payload of the next message; `None` when the stream has ended. Errors and farewells are no messages.
    pub(crate) async fn next(&mut self) -> Option<String> {
        match self {
            Stream::Ws(socket) => socket.whenever().await,
            Stream::Sse(sse) => loop {
                let event = sse.whenever().await?;
                if event.event == "message" {
                    return Some(event.data);
                }
            },
        }
    }
}

/// Where a reader goes and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) way: Way,
    pub(crate) identifier: String,
    http: String,
    ws: String,
}

impl Target {
    pub(crate) fn new(gateway: &Gateway, way: Way, identifier: &str) -> Target {
        let path = way.path();
        Target { way, identifier: identifier.to_owned(), http: gateway.http(&path), ws: gateway.ws(&path) }
    }
}

/// A reader that opens its stream again whenever it ends, until it is told to leave; or one that is called.
pub(crate) struct Reader {
    pub(crate) target: Target,
    seen: Arc<Mutex<Vec<String>>>,
    task: Option<JoinHandle<()>>,
    callback: Option<Receiver>,
}

impl Reader {
    /// Begins to read.
    pub(crate) fn start(target: Target) -> Reader {
        let mut reader = Reader { target, seen: Arc::default(), task: None, callback: None };
        reader.come_back();
        reader
    }

    /// Is called, once somebody has subscribed what is answered: its URL.
    pub(crate) async fn listen(target: Target) -> (Reader, String) {
        let callback = Receiver::start().await;
        let (seen, url) = (callback.bodies(), callback.url());
        (Reader { target, seen, task: None, callback: Some(callback) }, url)
    }

    /// Reads again after [`Reader::leave`], with the same identifier.
    pub(crate) fn come_back(&mut self) {
        match &self.callback {
            Some(callback) => callback.answer(200),
            None => self.read(None),
        }
    }

    /// Reads on from a stream that is open already.
    pub(crate) fn go_on(&mut self, stream: Stream) {
        self.read(Some(stream));
    }

    fn read(&mut self, mut open: Option<Stream>) {
        let (target, seen) = (self.target.clone(), Arc::clone(&self.seen));
        self.task = Some(tokio::spawn(async move {
            loop {
                let stream = match open.take() {
                    Some(stream) => Some(stream),
                    None => Stream::open(&target).await,
                };
                if let Some(mut stream) = stream {
                    while let Some(payload) = stream.next().await {
                        seen.lock().unwrap_or_else(PoisonError::into_inner).push(payload);
                    }
                }
                be_slow(COME_BACK).await;
            }
        }));
    }

    /// Closes the stream and stays away; or takes nothing, when it is called.
    pub(crate) async fn leave(&mut self) {
        if let Some(callback) = &self.callback {
            callback.answer(503);
        }
        if let Some(task) = self.task.take() {
            task.abort();
            // The error says that the task was aborted.
            drop(task.await);
        }
    }

    /// Everything it got so far, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Begins its record anew.
    pub(crate) fn forget(&self) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Adds what the same client got by other means.
    pub(crate) fn also_got(&self, payloads: Vec<String>) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).extend(payloads);
    }

    pub(crate) fn qos(&self) -> Qos {
        self.target.way.qos
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
