//! What the management plane is made of: one value, made once, shared by every handler.

use crate::auth::Verifier;
use crate::clock::Clock;
use crate::db::Db;
use crate::seal::{SealKey, Sealer};
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The application.
#[derive(Debug)]
pub struct App {
    pub db: Db,
    pub clock: Clock,
    /// Cancelled when the process is going to stop: long answers end early.
    pub shutdown: CancellationToken,
    pub(crate) verifier: Verifier,
    pub(crate) sealer: Sealer,
}

/// The application as handlers get it.
#[derive(Debug, Clone)]
pub struct AppState(pub Arc<App>);

impl AppState {
    /// Puts the parts together. No I/O.
    pub fn new(db: Db, clock: Clock, seal_key: Option<&SealKey>, shutdown: CancellationToken) -> AppState {
        AppState(Arc::new(App {
            db,
            clock,
            shutdown,
            verifier: Verifier::new(),
            sealer: Sealer::new(seal_key),
        }))
    }
}

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}
