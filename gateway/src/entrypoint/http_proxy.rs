//! Entrypoint `http-proxy`: takes every request, whatever it is, and passes it on as it is.

use super::Handler;
use crate::endpoint::Shared;
use definition::api::Settings;
use definition::violation::Violation;

/// Builds the entrypoint, which has no settings.
pub(crate) fn build(_settings: &Settings, _shared: &Shared) -> Result<Handler, Vec<Violation>> {
    Ok(Handler::Proxy)
}
