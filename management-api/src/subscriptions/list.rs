//! Lists of subscriptions: filters in, pages in the beta's envelope out.

use super::view::list_item;
use super::{SubscriptionRecord, store};
use crate::api_keys;
use crate::apis;
use crate::app::AppState;
use crate::applications;
use crate::error::Result;
use crate::extract::tokens;
use crate::page::Page;
use crate::plans;
use crate::scope::Scope;
use definition::consumer::api_key_hash;
use definition::subscription::SubscriptionStatus;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use utoipa::IntoParams;
use uuid::Uuid;

/// Items per page when nothing is asked for.
pub(super) const SIZE_DEFAULT: i64 = 20;

/// The filters of the API's side. Read by hand, because clients repeat parameters.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters")]
pub(crate) struct ApiFilterParams {
    /// Ids of plans, separated by commas.
    plan: Option<String>,
    /// Ids of applications, separated by commas.
    application: Option<String>,
    /// Statuses, separated by commas.
    #[param(default = "ACCEPTED", example = "ACCEPTED,PENDING")]
    status: Option<String>,
    /// The subscriptions of this API key.
    api_key: Option<String>,
    /// `keys`, `security`; may be repeated.
    expand: Option<String>,
}

/// The filters of the application's side.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes the parameters")]
pub(crate) struct ApplicationFilterParams {
    /// Ids of plans, separated by commas.
    plan: Option<String>,
    /// Ids of APIs, separated by commas.
    api: Option<String>,
    /// Statuses, separated by commas. Absent: those that are not over.
    #[param(default = "PENDING,ACCEPTED,PAUSED", example = "ACCEPTED,PENDING")]
    status: Option<String>,
    /// The subscriptions of this API key.
    api_key: Option<String>,
    /// `keys`, `security`; may be repeated.
    expand: Option<String>,
}

/// Query parameters as they were sent.
pub(crate) type Pairs = Vec<(String, String)>;

/// Which subscriptions are meant. An absent list does not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) apis: Option<Vec<Uuid>>,
    pub(crate) plans: Option<Vec<Uuid>>,
    pub(crate) applications: Option<Vec<Uuid>>,
    pub(crate) statuses: Vec<SubscriptionStatus>,
    pub(crate) key_hash: Option<String>,
}

/// What to add to each item.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Expand {
    keys: bool,
    security: bool,
}

/// How a dialect calls its filters.
pub(crate) struct FilterNames {
    pub(crate) apis: &'static str,
    pub(crate) plans: &'static str,
    pub(crate) applications: &'static str,
    pub(crate) statuses: &'static str,
    pub(crate) key: &'static str,
}

const BETA: FilterNames = FilterNames {
    apis: "api",
    plans: "plan",
    applications: "application",
    statuses: "status",
    key: "api_key",
};

/// What the publisher sees who names no status.
pub(crate) const OF_PUBLISHERS: &[SubscriptionStatus] = &[SubscriptionStatus::Accepted];

/// What the consumer sees who names no status: also what waits for the publisher.
pub(crate) const OF_CONSUMERS: &[SubscriptionStatus] =
    &[SubscriptionStatus::Pending, SubscriptionStatus::Accepted, SubscriptionStatus::Paused];

impl Filter {
    /// Reads the beta's parameters. `usual`: the statuses when none is named.
    pub(crate) fn read(pairs: &Pairs, usual: &[SubscriptionStatus]) -> Result<Filter> {
        Filter::named(pairs, &BETA, usual)
    }

    /// Reads the parameters. Ids that do not exist match nothing; statuses that do not exist are refused.
    pub(crate) fn named(pairs: &Pairs, names: &FilterNames, usual: &[SubscriptionStatus]) -> Result<Filter> {
        let ids = |name| values(pairs, name).map(|ids| ids.iter().filter_map(|id| id.parse().ok()).collect());
        let statuses =
            values(pairs, names.statuses).map(|labels| tokens(names.statuses, &labels)).transpose()?;
        let key = pairs.iter().find(|(name, value)| name == names.key && !value.is_empty());
        Ok(Filter {
            apis: ids(names.apis),
            plans: ids(names.plans),
            applications: ids(names.applications),
            statuses: statuses.unwrap_or_else(|| usual.to_vec()),
            key_hash: key.map(|(_, key)| api_key_hash(key)),
        })
    }
}

impl Expand {
    pub(crate) fn read(pairs: &Pairs) -> Expand {
        let wanted = values(pairs, "expand").unwrap_or_default();
        let has = |name: &str| wanted.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
        Expand { keys: has("keys"), security: has("security") }
    }
}

/// The values of a parameter, comma-separated or repeated. `None`: it is absent or empty.
pub(super) fn values(pairs: &Pairs, name: &str) -> Option<Vec<String>> {
    let of_name = pairs.iter().filter(|(key, _)| key == name).flat_map(|(_, value)| value.split(','));
    let values: Vec<String> =
        of_name.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    if values.is_empty() { None } else { Some(values) }
}

/// One page as `{data, metadata, page}`; `metadata` names what the ids in `data` mean.
pub(super) async fn page(
    app: &AppState,
    scope: &Scope,
    filter: &Filter,
    expand: Expand,
    page: Page,
) -> Result<Value> {
    let (found, total) = store::list(&app.db, scope, filter, page).await?;
    let mut names = Names::default();
    let mut data = Vec::with_capacity(found.len());
    for subscription in &found {
        names.learn(app, scope, subscription).await?;
        let keys = match expand.keys {
            true => Some(api_keys::store::of_subscription(&app.db, subscription.id).await?),
            false => None,
        };
        let plan = names.plans.get(&subscription.plan_id).filter(|_| expand.security);
        data.push(list_item(app, subscription, keys.as_deref(), plan)?);
    }
    let size = data.len();
    Ok(json!({
        "data": data,
        "metadata": names.metadata,
        "page": {
            "current": page.number,
            "size": size,
            "per_page": page.size,
            "total_pages": (total + page.size - 1) / page.size,
            "total_elements": total,
        },
    }))
}

/// What the ids of a page mean; each is looked up once.
#[derive(Default)]
struct Names {
    metadata: Map<String, Value>,
    plans: HashMap<Uuid, plans::PlanRecord>,
}

impl Names {
    async fn learn(
        &mut self,
        app: &AppState,
        scope: &Scope,
        subscription: &SubscriptionRecord,
    ) -> Result<()> {
        let application = subscription.application_id;
        if !self.metadata.contains_key(&application.to_string())
            && let Some(found) = applications::store::find(&app.db, scope, application).await?
        {
            self.metadata.insert(application.to_string(), json!({"name": found.definition.name}));
        }
        let api = subscription.api_id;
        if !self.metadata.contains_key(&api.to_string())
            && let Some(found) = apis::store::find(&app.db, scope, api).await?
        {
            for plan in plans::store::list(&app.db, &found).await? {
                self.plans.insert(plan.id, plan);
            }
            self.metadata.insert(api.to_string(), json!({"name": found.definition.name}));
        }
        if let Some(plan) = self.plans.get(&subscription.plan_id) {
            let security = plan.definition.security.security_type.label().to_uppercase().replace('-', "_");
            let named = json!({"securityType": security, "name": plan.definition.name});
            self.metadata.insert(plan.id.to_string(), named);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&str, &str)]) -> Pairs {
        query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn filters() {
        let filter = Filter::read(&pairs(&[]), OF_PUBLISHERS).unwrap();
        assert_eq!(filter, Filter { statuses: vec![SubscriptionStatus::Accepted], ..Filter::default() });
        let id = Uuid::new_v4();
        let query = [
            ("plan", &*format!("{id},nope")),
            ("status", "closed, PENDING"),
            ("application", "nope"),
            ("api_key", "abc"),
        ];
        let filter = Filter::read(&pairs(&query), OF_CONSUMERS).unwrap();
        assert_eq!(filter.plans, Some(vec![id]));
        assert_eq!(filter.applications, Some(Vec::new()), "an unknown id matches nothing");
        assert_eq!(filter.statuses, [SubscriptionStatus::Closed, SubscriptionStatus::Pending]);
        assert_eq!(filter.key_hash, Some(api_key_hash("abc")));
        let expand = Expand::read(&pairs(&[("expand", "KEYS"), ("expand", "security")]));
        assert!(expand.keys && expand.security);
    }
}
