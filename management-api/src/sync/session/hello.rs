//! The first message of a session, checked: who connects, what it serves and what it can read.

use crate::sync::view::{Capabilities, NodeView, Territory};
use definition::digest::Digest;
use proto::sync::v1::{self, Refuse, RefuseCode};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The protocol generation that both sides must share; minor versions may differ.
pub(crate) const PROTO_MAJOR: u32 = 1;
/// Bytes of a node id, a tag, a host name or a build.
const NAME_MAX_BYTES: usize = 256;
/// Tags, environments or capabilities of one gateway.
const LIST_MAX: usize = 1_024;

/// A gateway that may have a session.
#[derive(Debug)]
pub(crate) struct Hello {
    pub(crate) node: String,
    pub(crate) process: String,
    pub(crate) incarnation: u64,
    pub(crate) build: String,
    pub(crate) hostname: String,
    pub(crate) port: u16,
    pub(crate) territory: Territory,
    pub(crate) view: NodeView,
    pub(crate) capabilities: Capabilities,
    /// What it holds, by the name of the environment.
    pub(crate) resume: BTreeMap<String, Resume>,
}

/// What a gateway holds of one environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) epoch: Uuid,
    pub(crate) revision: u64,
    pub(crate) digest: Digest,
    pub(crate) count: u32,
}

/// Checks a greeting, or says why the gateway cannot be served.
pub(crate) fn parse(hello: v1::Hello) -> Result<Hello, Refuse> {
    if hello.proto_major != PROTO_MAJOR {
        let message = format!(
            "the gateway speaks sync protocol {}.{}, management speaks {PROTO_MAJOR}.x: upgrade management first, \
             then the gateways",
            hello.proto_major, hello.proto_minor
        );
        return Err(refuse(RefuseCode::Skew, message, 30_000));
    }
    let names = [&hello.node_id, &hello.process_id, &hello.build, &hello.hostname];
    if hello.node_id.is_empty() || names.iter().any(|name| name.len() > NAME_MAX_BYTES) {
        let message = format!(
            "node id, process id, build and host name have at most {NAME_MAX_BYTES} bytes, and a node id is required"
        );
        return Err(refuse(RefuseCode::Identity, message, 30_000));
    }
    let lists =
        [hello.sharding_tags.len(), hello.environments.len(), hello.capabilities.len(), hello.resume.len()];
    if lists.into_iter().any(|length| length > LIST_MAX) {
        let message = format!("a gateway has at most {LIST_MAX} tags, environments and capabilities");
        return Err(refuse(RefuseCode::Identity, message, 30_000));
    }
    let capabilities: BTreeMap<String, (u32, u32)> = hello
        .capabilities
        .into_iter()
        .map(|capability| (capability.kind, (capability.schema_version_min, capability.schema_version_max)))
        .collect();
    Ok(Hello {
        node: hello.node_id,
        process: hello.process_id,
        incarnation: hello.incarnation,
        build: hello.build,
        hostname: hello.hostname,
        port: u16::try_from(hello.port).unwrap_or(0),
        territory: Territory { organization: hello.organization, environments: hello.environments },
        view: NodeView {
            tags: hello.sharding_tags.into_iter().collect(),
            kinds: capabilities.keys().cloned().collect(),
        },
        capabilities: Capabilities(capabilities),
        resume: hello.resume.into_iter().filter_map(resume).collect(),
    })
}

/// A resume point that does not parse is none: the gateway is asked for its inventory.
fn resume(point: v1::ResumePoint) -> Option<(String, Resume)> {
    let resume = Resume {
        epoch: Uuid::from_slice(&point.epoch).ok()?,
        revision: point.revision,
        digest: Digest::try_from(&point.held_digest[..]).ok()?,
        count: point.count,
    };
    Some((point.environment, resume))
}

/// A refusal with the pause that the gateway is asked to make.
pub(crate) fn refuse(code: RefuseCode, message: String, retry_after_ms: u32) -> Refuse {
    Refuse { code: code.into(), message, retry_after_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(hello: v1::Hello) -> Option<RefuseCode> {
        parse(hello).err().map(|refuse| refuse.code())
    }

    #[test]
    fn only_a_named_node_of_this_protocol_is_welcome() {
        let hello = v1::Hello { proto_major: PROTO_MAJOR, node_id: "n".to_owned(), ..v1::Hello::default() };
        assert_eq!(code(hello.clone()), None);
        assert_eq!(code(v1::Hello { proto_minor: 7, ..hello.clone() }), None);
        assert_eq!(code(v1::Hello { proto_major: 2, ..hello.clone() }), Some(RefuseCode::Skew));
        assert_eq!(code(v1::Hello { node_id: String::new(), ..hello.clone() }), Some(RefuseCode::Identity));
        assert_eq!(code(v1::Hello { build: "x".repeat(257), ..hello }), Some(RefuseCode::Identity));
    }
}
