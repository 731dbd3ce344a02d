//! Choice among the endpoints of a group.

use definition::api::LoadBalancerType;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shares requests out over endpoints by their weights. Secondary endpoints are left out by whoever builds it.
pub(crate) struct Balancer {
    kind: LoadBalancerType,
    weights: Vec<u64>,
    turn: AtomicU64,
}

impl Balancer {
    pub(crate) fn new(kind: LoadBalancerType, weights: impl IntoIterator<Item = u32>) -> Self {
        Balancer { kind, weights: weights.into_iter().map(u64::from).collect(), turn: AtomicU64::new(0) }
    }

    /// The index of the next endpoint; `None` when there is none that may be chosen.
    pub(crate) fn next(&self) -> Option<usize> {
        let equal = self.weights.len() as u64;
        let total = self.weights.iter().sum();
        match self.kind {
            LoadBalancerType::RoundRobin => self.in_turn(equal).and_then(|at| usize::try_from(at).ok()),
            LoadBalancerType::Random => by_chance(equal).and_then(|at| usize::try_from(at).ok()),
            LoadBalancerType::WeightedRoundRobin => self.at(self.in_turn(total)?),
            LoadBalancerType::WeightedRandom => self.at(by_chance(total)?),
        }
    }

    fn in_turn(&self, places: u64) -> Option<u64> {
        self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(places)
    }

    /// The endpoint at a place, when each takes as many places as it weighs.
    fn at(&self, mut place: u64) -> Option<usize> {
        self.weights.iter().position(|weight| match place.checked_sub(*weight) {
            Some(rest) => {
                place = rest;
                false
            }
            None => true,
        })
    }
}

fn by_chance(places: u64) -> Option<u64> {
    (places > 0).then(|| rand::random_range(0..places))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(kind: LoadBalancerType, weights: [u32; 3]) -> [usize; 3] {
        let balancer = Balancer::new(kind, weights);
        let mut counts = [0; 3];
        for _ in 0..6000 {
            counts[balancer.next().unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn requests_are_shared_out_as_the_kind_says() {
        assert_eq!(counts(LoadBalancerType::RoundRobin, [1, 2, 3]), [2000, 2000, 2000]);
        assert_eq!(counts(LoadBalancerType::WeightedRoundRobin, [1, 0, 2]), [2000, 0, 4000]);
        let weighted = counts(LoadBalancerType::WeightedRandom, [1, 0, 2]);
        assert!(weighted[1] == 0 && (1500..2500).contains(&weighted[0]), "{weighted:?}");
        let random = counts(LoadBalancerType::Random, [9, 0, 0]);
        assert!(random.iter().all(|count| (1500..2500).contains(count)), "{random:?}");
    }

    #[test]
    fn without_endpoints_there_is_no_choice() {
        for kind in LoadBalancerType::ALL {
            assert_eq!(Balancer::new(*kind, []).next(), None);
        }
        assert_eq!(Balancer::new(LoadBalancerType::WeightedRandom, [0]).next(), None);
    }
}
