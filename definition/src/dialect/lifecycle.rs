//! The publication state that an update may set.

use crate::api::LifecycleState;
use crate::reader::{Node, Stage};

/// Absent: the state stays.
pub(super) fn read(node: &Node<'_>, current: LifecycleState) -> LifecycleState {
    use LifecycleState as S;
    let Some(wanted) = node.token::<S>() else { return current };
    let reason = match (current, wanted) {
        (S::Deprecated, _) => Some("cannot be sent for a deprecated API, leave it out"),
        (current, wanted) if current == wanted => None,
        (S::Archived, _) => Some("cannot be changed, the API is archived"),
        (S::Unpublished, S::Created) => Some("cannot return to CREATED, the API was published once"),
        (S::Created | S::Published | S::Unpublished, _) => None,
    };
    if let Some(reason) = reason {
        let violation = node.violation("api.lifecycleState.invalid", reason);
        node.fail(Stage::Lifecycle, violation.parameter("lifecycleState", wanted.label()));
    }
    wanted
}
