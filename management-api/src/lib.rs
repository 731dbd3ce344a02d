//! The management plane: REST, the store, the deploy log and the sync server that streams deployments to gateways.

pub mod db;
pub mod deploy_log;
pub mod scope;
pub mod sync;
