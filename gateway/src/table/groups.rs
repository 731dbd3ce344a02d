//! The endpoint groups of a deployed API, and the choice among them.

use super::balancer::Balancer;
use crate::endpoint::Backend;
use definition::connector::Mode;
use definition::qos::EndpointKind;

/// All groups, in the order of the definition.
#[derive(Default)]
pub(crate) struct Groups(pub(crate) Vec<DeployedGroup>);

pub(crate) struct DeployedGroup {
    pub(crate) name: String,
    pub(crate) kind: Option<EndpointKind>,
    /// What all of its endpoints have switched on.
    pub(crate) modes: Vec<Mode>,
    pub(crate) balancer: Balancer,
    /// In the order of the balancer.
    pub(crate) endpoints: Vec<DeployedEndpoint>,
}

pub(crate) struct DeployedEndpoint {
    pub(crate) name: String,
    pub(crate) backend: Backend,
}

/// An endpoint that was chosen for one call.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) group: &'a DeployedGroup,
    pub(crate) endpoint: &'a DeployedEndpoint,
}

impl Groups {
    /// An endpoint of the first group that has one and serves all these modes. For an entrypoint that goes both ways a
    /// group that serves one of them is better than none.
    pub(crate) fn choose(&self, modes: &[Mode]) -> Option<Choice<'_>> {
        let whole = self.0.iter().filter(|group| modes.iter().all(|mode| group.modes.contains(mode)));
        let half = self.0.iter().filter(|group| modes.iter().any(|mode| group.modes.contains(mode)));
        whole.chain(half).find_map(DeployedGroup::choose)
    }

    /// An endpoint of this name, or one of the group of this name.
    pub(crate) fn named(&self, name: &str) -> Option<Choice<'_>> {
        let of_group = self.0.iter().find(|group| group.name == name).and_then(DeployedGroup::choose);
        of_group.or_else(|| {
            self.0.iter().find_map(|group| {
                let endpoint = group.endpoints.iter().find(|endpoint| endpoint.name == name)?;
                Some(Choice { group, endpoint })
            })
        })
    }
}

impl DeployedGroup {
    fn choose(&self) -> Option<Choice<'_>> {
        let endpoint = self.endpoints.get(self.balancer.next()?)?;
        Some(Choice { group: self, endpoint })
    }
}
