//! Choice among the endpoints of a group that are available.
//!
//! Who is available changes seldom and is asked for with every request, so the members are an immutable snapshot with
//! the counters of the choice beside them; a change of members starts the counters anew.

use arc_swap::ArcSwap;
use definition::api::LoadBalancerType;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Shares requests out over the endpoints of a group.
pub(crate) struct Balancer {
    kind: LoadBalancerType,
    members: ArcSwap<Members>,
}

/// One endpoint that may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its index among the endpoints of the group.
    pub(crate) index: usize,
    /// 0 counts as 1.
    pub(crate) weight: u32,
}

#[derive(Default)]
struct Members {
    members: Vec<Member>,
    /// Round robin: the next place.
    turn: AtomicUsize,
    /// Of the weighted kinds.
    round: Mutex<Round>,
}

/// One round of a weighted choice: each member is chosen as often as it weighs, then the next round begins.
#[derive(Default)]
struct Round {
    /// What each member may still be chosen.
    remaining: Vec<u64>,
    total: u64,
    place: usize,
}

impl Balancer {
    pub(crate) fn new(kind: LoadBalancerType, members: Vec<Member>) -> Self {
        let balancer = Balancer { kind, members: ArcSwap::default() };
        balancer.set_members(members);
        balancer
    }

    /// Whether weights count.
    pub(crate) fn is_weighted(&self) -> bool {
        matches!(self.kind, LoadBalancerType::WeightedRoundRobin | LoadBalancerType::WeightedRandom)
    }

    /// Replaces the members and begins anew; equal members change nothing.
    pub(crate) fn set_members(&self, members: Vec<Member>) {
        if self.members.load().members != members {
            self.members.store(Members { members, ..Members::default() }.into());
        }
    }

    /// The index of the next endpoint; `None` when there is none.
    pub(crate) fn next(&self) -> Option<usize> {
        let members = self.members.load();
        let count = members.members.len();
        let place = match (count, self.kind) {
            (0, _) => return None,
            (1, _) => 0,
            (_, LoadBalancerType::RoundRobin) => members.turn.fetch_add(1, Ordering::Relaxed) % count,
            (_, LoadBalancerType::Random) => rand::random_range(0..count),
            (_, LoadBalancerType::WeightedRoundRobin) => members.round(Round::in_turn),
            (_, LoadBalancerType::WeightedRandom) => members.round(Round::by_chance),
        };
        members.members.get(place).map(|member| member.index)
    }

    /// The next endpoint that is another one than `index`, else `None`.
    pub(crate) fn next_other(&self, index: usize) -> Option<usize> {
        let members = self.members.load();
        let others = members.members.iter().filter(|member| member.index != index);
        let other = others.clone().next().map(|member| member.index);
        // The balancer's own choice goes first; one that insists on the same endpoint is overruled.
        (0..members.members.len()).find_map(|_| self.next().filter(|next| *next != index)).or(other)
    }
}

impl Members {
    fn round(&self, choose: fn(&mut Round) -> usize) -> usize {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if round.total == 0 {
            round.remaining = self.members.iter().map(|member| u64::from(member.weight.max(1))).collect();
            round.total = round.remaining.iter().sum();
        }
        let place = choose(&mut round);
        round.take(place);
        place
    }
}

impl Round {
    /// The next place of the circle that may still be chosen.
    fn in_turn(&mut self) -> usize {
        let count = self.remaining.len();
        let places = (0..count).map(|step| (self.place + step) % count);
        let place = places.into_iter().find(|place| self.remaining.get(*place).is_some_and(|left| *left > 0));
        let place = place.unwrap_or_default();
        self.place = (place + 1) % count.max(1);
        place
    }

    fn by_chance(&mut self) -> usize {
        let mut drawn = rand::random_range(0..self.total.max(1));
        let place = self.remaining.iter().position(|left| match drawn.checked_sub(*left) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        place.unwrap_or_default()
    }

    fn take(&mut self, place: usize) {
        if let Some(left) = self.remaining.get_mut(place).filter(|left| **left > 0) {
            *left -= 1;
            self.total -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pretty_assertions::assert_eq;

    fn balancer(kind: LoadBalancerType, weights: &[u32]) -> Balancer {
        Balancer::new(kind, members(weights))
    }

    fn members(weights: &[u32]) -> Vec<Member> {
        weights.iter().enumerate().map(|(index, weight)| Member { index, weight: *weight }).collect()
    }

    fn sequence(balancer: &Balancer, length: usize) -> Vec<usize> {
        (0..length).filter_map(|_| balancer.next()).collect()
    }

    fn counts(kind: LoadBalancerType, weights: &[u32], choices: usize) -> Vec<usize> {
        let mut counts = vec![0; weights.len()];
        for chosen in sequence(&balancer(kind, weights), choices) {
            counts[chosen] += 1;
        }
        counts
    }

    #[test]
    fn kinds_in_turn_have_one_sequence() {
        let check = |kind, weights: &[u32], expected: &[usize]| {
            assert_eq!(sequence(&balancer(kind, weights), expected.len()), expected, "{kind} {weights:?}");
        };
        check(LoadBalancerType::RoundRobin, &[1, 9, 0], &[0, 1, 2, 0, 1, 2]);
        check(LoadBalancerType::WeightedRoundRobin, &[3, 1, 2], &[0, 1, 2, 0, 2, 0, 1, 2, 0, 2, 0, 0]);
        check(LoadBalancerType::WeightedRoundRobin, &[1, 0], &[0, 1, 0, 1]);
    }

    #[test]
    fn weighted_chance_is_exact_in_every_round() {
        assert_eq!(counts(LoadBalancerType::WeightedRandom, &[5, 0, 2], 8 * 100), [500, 100, 200]);
        assert_eq!(counts(LoadBalancerType::WeightedRoundRobin, &[5, 0, 2], 8 * 100), [500, 100, 200]);
        let random = counts(LoadBalancerType::Random, &[9, 0, 0], 6000);
        assert!(random.iter().all(|count| (1500..2500).contains(count)), "{random:?}");
    }

    #[test]
    fn a_change_of_members_begins_anew_and_no_change_does_not() {
        let balancer = balancer(LoadBalancerType::RoundRobin, &[1, 1, 1]);
        assert_eq!(sequence(&balancer, 2), [0, 1]);
        balancer.set_members(members(&[1, 1, 1]));
        assert_eq!(balancer.next(), Some(2));
        balancer.set_members(members(&[1, 1, 1]).split_off(1));
        assert_eq!(sequence(&balancer, 3), [1, 2, 1]);
    }

    #[test]
    fn without_endpoints_there_is_no_choice() {
        for kind in LoadBalancerType::ALL {
            assert_eq!(balancer(*kind, &[]).next(), None);
            assert_eq!(balancer(*kind, &[]).next_other(0), None);
        }
    }

    #[test]
    fn another_endpoint_is_another_one_when_there_is_one() {
        for kind in LoadBalancerType::ALL {
            let balancer = balancer(*kind, &[1_000, 1]);
            assert!((0..10).all(|_| balancer.next_other(0) == Some(1)), "{kind}");
            assert!((0..10).all(|_| balancer.next_other(1) == Some(0)), "{kind}");
            assert_eq!(Balancer::new(*kind, members(&[1])).next_other(0), None);
        }
    }
}
