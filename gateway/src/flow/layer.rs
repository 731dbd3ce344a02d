//! What stands between the request flows and the endpoint of a proxy API: policies that answer themselves, ask again or
//! watch put a layer there while their step runs.

use crate::call::Call;
use crate::failure::Failure;
use async_trait::async_trait;
use std::sync::Arc;

/// One layer. It fills `call.response`, by asking what lies below or otherwise.
#[async_trait]
pub(crate) trait Layer: Send + Sync {
    async fn invoke(&self, call: &mut Call, next: Next<'_>) -> Result<(), Failure>;
}

/// What answers when all layers let the call through.
#[async_trait]
pub(crate) trait Invoker: Send + Sync {
    async fn invoke(&self, call: &mut Call) -> Result<(), Failure>;

    /// The same, for calls that outlive the one that it was made for.
    fn detach(&self) -> Arc<dyn Invoker>;
}

/// What lies below a layer. It may be asked more than once; whoever does sees to the request's body.
#[derive(Clone, Copy)]
pub(crate) struct Next<'a> {
    layers: &'a [Arc<dyn Layer>],
    invoker: &'a dyn Invoker,
}

impl<'a> Next<'a> {
    pub(crate) fn new(layers: &'a [Arc<dyn Layer>], invoker: &'a dyn Invoker) -> Self {
        Next { layers, invoker }
    }

    /// What lies below all layers, for calls that outlive this one.
    pub(crate) fn backend(self) -> Arc<dyn Invoker> {
        self.invoker.detach()
    }

    /// Asks the next layer, at last the endpoint.
    pub(crate) async fn run(self, call: &mut Call) -> Result<(), Failure> {
        match self.layers.split_first() {
            Some((layer, layers)) => layer.invoke(call, Next { layers, invoker: self.invoker }).await,
            None => self.invoker.invoke(call).await,
        }
    }
}
