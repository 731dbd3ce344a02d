//! What the policies that count requests have in common: `rate-limit`, `quota` and `spike-arrest`.
//!
//! They differ in the units of their periods, in their defaults and in the name of the object that holds the rule.

use crate::expression::{Needs, Template};
use crate::token::tokens;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

tokens! {
    /// What happens to requests while the shared store of counters cannot be reached.
    #[derive(Default)]
    pub enum ErrorStrategy {
        /// They pass, uncounted. The label is misspelt in every document of the field.
        #[default]
        Pass = "FALLBACK_PASS_TROUGH" | "FALLBACK_PASS_THROUGH",
        /// They are refused.
        Block = "BLOCK_ON_INTERNAL_ERROR",
    }
}

tokens! {
    /// Units of short periods.
    #[derive(Default)]
    pub enum ShortUnit {
        #[default]
        Seconds = "SECONDS",
        Minutes = "MINUTES",
    }
}

tokens! {
    /// Units of long periods.
    #[derive(Default)]
    pub enum LongUnit {
        Hours = "HOURS",
        Days = "DAYS",
        Weeks = "WEEKS",
        #[default]
        Months = "MONTHS",
    }
}

tokens! {
    /// Units of all periods.
    pub enum Unit {
        Seconds = "SECONDS",
        Minutes = "MINUTES",
        Hours = "HOURS",
        Days = "DAYS",
        Weeks = "WEEKS",
        Months = "MONTHS",
    }
}

impl From<ShortUnit> for Unit {
    fn from(unit: ShortUnit) -> Unit {
        match unit {
            ShortUnit::Seconds => Unit::Seconds,
            ShortUnit::Minutes => Unit::Minutes,
        }
    }
}

impl From<LongUnit> for Unit {
    fn from(unit: LongUnit) -> Unit {
        match unit {
            LongUnit::Hours => Unit::Hours,
            LongUnit::Days => Unit::Days,
            LongUnit::Weeks => Unit::Weeks,
            LongUnit::Months => Unit::Months,
        }
    }
}

/// How many requests are let through in which time, and whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(bound(deserialize = "U: Deserialize<'de> + Default"))]
#[schemars(bound = "U: JsonSchema + Default + Serialize")]
pub struct Rule<U> {
    /// Greatest number of requests in a period; 0: `dynamicLimit` says.
    #[serde(default)]
    #[schemars(range(max = 1_000_000_000_000_u64))]
    pub limit: u64,
    /// Greatest number of requests in a period, evaluated for each request; used when `limit` is 0.
    #[serde(default)]
    pub dynamic_limit: Option<Template>,
    /// Length of the period. It begins with its first request.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub period_time: u64,
    /// Unit of the period.
    #[serde(default)]
    pub period_time_unit: U,
    /// Length of the period, evaluated for each request, in the smallest unit of this policy.
    #[serde(default)]
    pub dynamic_period_time: Option<Template>,
    /// Requests with the same value are counted together, within a plan and subscription.
    #[serde(default)]
    pub key: Option<Template>,
    /// Whether `key` alone decides, across plans, subscriptions and APIs.
    #[serde(default)]
    pub use_key_only: bool,
}

fn one() -> u64 {
    1
}

impl<U: Into<Unit>> Rule<U> {
    /// The rule in the units of all policies. Blank expressions are none.
    pub fn general(self) -> Rule<Unit> {
        let given =
            |template: Option<Template>| template.filter(|template| !template.source().trim().is_empty());
        Rule {
            limit: self.limit,
            dynamic_limit: given(self.dynamic_limit),
            period_time: self.period_time,
            period_time_unit: self.period_time_unit.into(),
            dynamic_period_time: given(self.dynamic_period_time),
            key: given(self.key),
            use_key_only: self.use_key_only,
        }
    }
}

impl<U> Rule<U> {
    /// What its expressions read.
    pub fn needs(&self) -> Needs {
        let templates = [&self.dynamic_limit, &self.dynamic_period_time, &self.key];
        templates.into_iter().flatten().fold(Needs::default(), |needs, template| needs | template.needs())
    }
}
