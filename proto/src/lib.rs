//! Generated code of the management ⇄ gateway protocol (`tidegate/sync/v1/sync.proto`). No logic lives here.

/// Version 1 of the sync protocol.
pub mod sync {
    /// The only version so far.
    pub mod v1 {
        // The code below is made by the protobuf compiler, which does not follow the rules of this workspace.
        #![allow(clippy::all, clippy::wildcard_enum_match_arm, unreachable_pub, missing_docs)]
        tonic::include_proto!("tidegate.sync.v1");
    }
}
