//! The endpoint groups of a deployed API, and the choice among them.

use super::balancer::{Balancer, Member};
use crate::endpoint::Backend;
use crate::health::{Check, Health};
use definition::connector::Mode;
use definition::qos::EndpointKind;
use std::sync::Arc;

/// All groups, in the order of the definition.
#[derive(Default)]
pub(crate) struct Groups(pub(crate) Vec<DeployedGroup>);

pub(crate) struct DeployedGroup {
    pub(crate) name: String,
    pub(crate) kind: Option<EndpointKind>,
    /// False for one that only takes dead letters.
    pub(crate) delivers: bool,
    /// What all of its endpoints have switched on.
    pub(crate) modes: Vec<Mode>,
    /// Endpoints that serve while they are available.
    pub(crate) primary: Balancer,
    /// Endpoints that serve when no primary one is available.
    pub(crate) secondary: Balancer,
    /// In the order of the definition.
    pub(crate) endpoints: Vec<DeployedEndpoint>,
}

pub(crate) struct DeployedEndpoint {
    pub(crate) name: String,
    /// `group/endpoint`.
    pub(crate) full_name: Arc<str>,
    pub(crate) secondary: bool,
    pub(crate) weight: u32,
    pub(crate) backend: Backend,
    pub(crate) health: Health,
    /// Without one the endpoint is always available.
    pub(crate) check: Option<Check>,
}

/// An endpoint that was chosen for one call.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) group: &'a DeployedGroup,
    pub(crate) endpoint: &'a DeployedEndpoint,
    /// Among the endpoints of the group.
    index: usize,
}

impl Groups {
    /// An endpoint of the first group that has one and serves all these modes. For an entrypoint that goes both ways a
    /// group that serves one of them is better than none.
    pub(crate) fn choose(&self, modes: &[Mode]) -> Option<Choice<'_>> {
        let delivering = || self.0.iter().filter(|group| group.delivers);
        let whole = delivering().filter(|group| modes.iter().all(|mode| group.modes.contains(mode)));
        let half = delivering().filter(|group| modes.iter().any(|mode| group.modes.contains(mode)));
        whole.chain(half).find_map(DeployedGroup::choose)
    }

    /// An endpoint of the group of this name, or the endpoint of this name. Nothing stands in for an endpoint that was
    /// named and is down.
    pub(crate) fn named(&self, name: &str) -> Option<Choice<'_>> {
        if let Some(group) = self.0.iter().find(|group| group.name == name) {
            return group.choose();
        }
        self.0.iter().find_map(|group| {
            let index = group.endpoints.iter().position(|endpoint| endpoint.name == name)?;
            group.at(index).filter(|choice| choice.endpoint.health.is_available())
        })
    }

    /// The endpoint of the same names, in another version of the API.
    pub(crate) fn find(&self, group: &str, endpoint: &str) -> Option<&DeployedEndpoint> {
        let group = self.0.iter().find(|known| known.name == group)?;
        group.endpoints.iter().find(|known| known.name == endpoint)
    }
}

impl DeployedGroup {
    pub(crate) fn new(
        name: String,
        kind: Option<EndpointKind>,
        modes: Vec<Mode>,
        balancer: definition::api::LoadBalancerType,
        endpoints: Vec<DeployedEndpoint>,
    ) -> Self {
        let (primary, secondary) = (Balancer::new(balancer, Vec::new()), Balancer::new(balancer, Vec::new()));
        let group = DeployedGroup { name, kind, delivers: true, modes, primary, secondary, endpoints };
        group.refresh();
        group
    }

    /// Tells the balancers who is available; to be called whenever that changed.
    pub(crate) fn refresh(&self) {
        for (secondary, balancer) in [(false, &self.primary), (true, &self.secondary)] {
            let endpoints = self.endpoints.iter().enumerate();
            let available = endpoints.filter(|(_, endpoint)| {
                endpoint.secondary == secondary && endpoint.health.is_available() && self.shares(endpoint)
            });
            balancer.set_members(
                available.map(|(index, endpoint)| Member { index, weight: endpoint.weight }).collect(),
            );
        }
    }

    /// Whether an endpoint gets traffic at all: a weight of 0 means none, where weights count and not all are 0.
    fn shares(&self, endpoint: &DeployedEndpoint) -> bool {
        let weighted = self.primary.is_weighted();
        let all_zero = || {
            let same = self.endpoints.iter().filter(|other| other.secondary == endpoint.secondary);
            same.map(|other| other.weight).max() == Some(0)
        };
        !weighted || endpoint.weight > 0 || all_zero()
    }

    fn choose(&self) -> Option<Choice<'_>> {
        self.at(self.primary.next().or_else(|| self.secondary.next())?)
    }

    fn at(&self, index: usize) -> Option<Choice<'_>> {
        Some(Choice { group: self, endpoint: self.endpoints.get(index)?, index })
    }
}

impl<'a> Choice<'a> {
    /// `group/endpoint`.
    pub(crate) fn name(&self) -> &'a Arc<str> {
        &self.endpoint.full_name
    }

    /// The same, or an available endpoint of the group that did not fail, when there is one.
    pub(crate) fn instead_of(self, failed: impl Fn(&str) -> bool) -> Choice<'a> {
        if !failed(self.name()) {
            return self;
        }
        let available =
            (0..self.group.endpoints.len()).filter_map(|index| self.group.at(index)).filter(|choice| {
                let endpoint = choice.endpoint;
                let open = endpoint.health.is_available() && choice.group.shares(endpoint);
                open && !failed(choice.name())
            });
        // Primary endpoints first.
        available.min_by_key(|choice| choice.endpoint.secondary).unwrap_or(self)
    }

    /// Another endpoint of the same group, when one is available.
    pub(crate) fn other(&self) -> Option<Choice<'a>> {
        let group = self.group;
        group.at(group.primary.next_other(self.index).or_else(|| group.secondary.next_other(self.index))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Shared, mock};
    use crate::health::Thresholds;
    use definition::api::LoadBalancerType;
    use pretty_assertions::assert_eq;

    const ONE: Thresholds = Thresholds { success: 1, failure: 1 };

    fn group(group: &str, endpoints: &[(&str, bool)], modes: &[Mode]) -> DeployedGroup {
        let endpoints = endpoints.iter().map(|(name, secondary)| DeployedEndpoint {
            name: (*name).to_owned(),
            full_name: format!("{group}/{name}").into(),
            secondary: *secondary,
            weight: 1,
            backend: mock::build(name, &serde_json::Map::new(), &Shared::default()).unwrap(),
            health: Health::default(),
            check: None,
        });
        let balancer = LoadBalancerType::RoundRobin;
        DeployedGroup::new(group.to_owned(), None, modes.to_vec(), balancer, endpoints.collect())
    }

    fn groups() -> Groups {
        Groups(vec![
            group("first", &[("a", false), ("b", false), ("spare", true)], &[Mode::Subscribe]),
            group("second", &[("c", false)], &[Mode::Publish, Mode::Subscribe]),
        ])
    }

    fn chosen(groups: &Groups, count: usize) -> String {
        let names = (0..count).map(|_| groups.choose(&[Mode::Subscribe]).map_or("-", |c| &c.endpoint.name));
        names.collect::<Vec<_>>().join(" ")
    }

    fn report(groups: &Groups, endpoint: usize, success: bool) {
        groups.0[0].endpoints[endpoint].health.report(success, ONE);
        groups.0[0].refresh();
    }

    #[test]
    fn secondary_endpoints_serve_when_no_primary_one_is_available() {
        let groups = groups();
        assert_eq!(chosen(&groups, 4), "a b a b");
        report(&groups, 0, false);
        assert_eq!(chosen(&groups, 3), "b b b");
        report(&groups, 1, false);
        assert_eq!(chosen(&groups, 2), "spare spare");
        report(&groups, 2, false);
        assert_eq!(chosen(&groups, 1), "c", "the next group that can");
        report(&groups, 1, true);
        assert_eq!(chosen(&groups, 2), "b b");
    }

    #[test]
    fn an_endpoint_without_weight_gets_nothing() {
        let weighted = |weights: &[u32]| {
            let mut group = group("g", &[("a", false), ("b", false)], &[Mode::Subscribe]);
            for (endpoint, weight) in group.endpoints.iter_mut().zip(weights) {
                endpoint.weight = *weight;
            }
            let kind = LoadBalancerType::WeightedRoundRobin;
            Groups(vec![DeployedGroup::new(group.name, None, group.modes, kind, group.endpoints)])
        };
        let drained = weighted(&[1, 0]);
        assert_eq!(chosen(&drained, 3), "a a a");
        let failed = |name: &str| name == "g/a";
        assert_eq!(drained.choose(&[Mode::Subscribe]).unwrap().instead_of(failed).name().as_ref(), "g/a");
        report(&drained, 0, false);
        assert_eq!(chosen(&drained, 1), "-", "not even when it is the last one");
        assert_eq!(chosen(&weighted(&[0, 0]), 4), "a b a b");
    }

    #[test]
    fn a_call_goes_elsewhere_than_where_it_got_no_answer() {
        let groups = groups();
        let after = |failed: &[&str]| {
            let failed = |name: &str| failed.contains(&name);
            let choose = || groups.choose(&[Mode::Subscribe]).unwrap().instead_of(failed).name();
            (0..4).map(|_| choose().as_ref()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(after(&[]), "first/a first/b first/a first/b");
        assert_eq!(after(&["first/a"]), "first/b first/b first/b first/b");
        assert_eq!(after(&["first/a", "first/b"]), "first/spare first/spare first/spare first/spare");
        assert_eq!(after(&["first/a", "first/b", "first/spare"]), "first/a first/b first/a first/b");
    }

    #[test]
    fn an_endpoint_that_is_down_has_no_stand_in_when_it_was_named() {
        let groups = groups();
        let name = |name: &str| groups.named(name).map(|choice| choice.endpoint.name.as_str());
        assert_eq!(
            (name("a"), name("spare"), name("second"), name("nobody")),
            (Some("a"), Some("spare"), Some("c"), None)
        );
        report(&groups, 0, false);
        assert_eq!((name("a"), name("first")), (None, Some("b")));
    }

    #[test]
    fn another_endpoint_is_one_of_the_same_group() {
        let groups = groups();
        let other = |name: &str| groups.named(name).and_then(|c| c.other()).map(|c| c.endpoint.name.as_str());
        assert_eq!((other("a"), other("b"), other("c")), (Some("b"), Some("a"), None));
        report(&groups, 1, false);
        assert_eq!(other("a"), Some("spare"), "primary endpoints are used up");
    }

    #[test]
    fn modes_decide_which_group_is_first() {
        let groups = groups();
        let first = |modes: &[Mode]| groups.choose(modes).map(|choice| choice.group.name.as_str());
        assert_eq!(first(&[Mode::Subscribe, Mode::Publish]), Some("second"));
        assert_eq!(first(&[Mode::Subscribe, Mode::Socket]), Some("first"), "half is better than none");
        assert_eq!(first(&[Mode::RequestResponse]), None);
    }
}
