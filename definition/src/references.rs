//! What flows and plans name among the resources of their API, and what plans need before they let anybody in.
//!
//! A plan is a document of its own and may be drafted before the API has what it names. Whoever puts a plan in force, or
//! changes the API under one, has both and checks them here: a gateway would refuse the whole API later.

use crate::api::{Flow, Resource, Settings, Step};
use crate::connector::settings::Part;
use crate::deployment::ApiDeployment;
use crate::expression::Template;
use crate::plan::{PlanSecurity, PlanSecurityType};
use crate::policy;
use crate::reader::{join, quote};
use crate::resource::{self, oauth2::Oauth2Server};
use crate::security;
use crate::violation::Violation;
use serde_json::Value;

/// Policy, member of its settings (a name or a list of names), type of the resource.
static REFERENCES: &[(&str, &str, &str)] = &[
    ("cache", "cacheName", resource::cache::SPEC.id),
    ("oauth2", "oauthResource", resource::oauth2::SPEC.id),
    ("policy-openid-userinfo", "oauthResource", resource::oauth2::SPEC.id),
    ("policy-basic-authentication", "authenticationProviders", resource::inline_users::SPEC.id),
];

/// Every resource that enabled steps name and the API does not have. `path`: that of the list of flows.
pub fn of_flows(path: &str, flows: &[Flow], resources: &[Resource]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, flow) in flows.iter().enumerate().filter(|(_, flow)| flow.enabled) {
        let phases = [
            ("request", &flow.request),
            ("response", &flow.response),
            ("subscribe", &flow.subscribe),
            ("publish", &flow.publish),
        ];
        for (phase, steps) in phases {
            let enabled = steps.iter().enumerate().filter(|(_, step)| step.enabled);
            for (place, step) in enabled {
                let path = format!("{path}[{index}].{phase}[{place}].configuration");
                violations.extend(of_step(&path, step, resources));
            }
        }
    }
    violations
}

fn of_step(path: &str, step: &Step, resources: &[Resource]) -> Vec<Violation> {
    let settings = step.configuration.iter();
    let named = settings.flat_map(|settings| {
        let own = REFERENCES.iter().filter(|(policy, _, _)| *policy == step.policy);
        own.flat_map(|(_, member, kind)| missing(path, settings, member, kind, resources))
    });
    named.chain(without_users(path, step, resources)).collect()
}

/// A server that is asked about users has to say where.
fn without_users(path: &str, step: &Step, resources: &[Resource]) -> Option<Violation> {
    let asks = step.policy == policy::openid_userinfo::SPEC.id;
    let name = step.configuration.as_ref().filter(|_| asks)?.get("oauthResource")?.as_str()?;
    let found = resources.iter().find(|other| other.enabled && other.name == name.trim())?;
    let server = Oauth2Server::parse(found.configuration.as_ref()?).ok()?;
    server.user_info_url().err().map(|_| {
        let message = format!(
            "#/oauthResource: the resource {} does not say where users are described; set its authorizationServerUrl, \
             or its userInfoEndpoint to an http or https URL",
            quote(name)
        );
        Violation::new(join(path, "oauthResource"), "data.invalid", message)
    })
}

/// What keeps a plan from being in force: its security is not complete, or names what the API does not have. Paths are
/// relative to the plan.
pub fn of_plan(security: &PlanSecurity, flows: &[Flow], resources: &[Resource]) -> Vec<Violation> {
    const PATH: &str = "security.configuration";
    let mut violations = match (&security.configuration, security.security_type) {
        (None, kind @ (PlanSecurityType::Jwt | PlanSecurityType::Oauth2)) => incomplete(PATH, kind),
        (Some(settings), PlanSecurityType::Oauth2) => {
            missing(PATH, settings, "oauthResource", resource::oauth2::SPEC.id, resources)
        }
        (Some(_), PlanSecurityType::Jwt)
        | (_, PlanSecurityType::KeyLess | PlanSecurityType::ApiKey | PlanSecurityType::Subscription) => {
            Vec::new()
        }
    };
    violations.extend(of_flows("flows", flows, resources));
    violations
}

/// Everything of a deployment that gateways would not find.
pub fn of_deployment(deployment: &ApiDeployment) -> Vec<Violation> {
    let resources = &deployment.resources;
    let mut violations = of_flows("flows", &deployment.flows, resources);
    for plan in &deployment.plans {
        violations.extend(in_plan(&plan.id, &plan.name, of_plan(&plan.security, &plan.flows, resources)));
    }
    violations
}

/// Violations of a plan, where the document is that of its API.
pub fn in_plan(id: &str, name: &str, violations: Vec<Violation>) -> impl Iterator<Item = Violation> {
    let (place, name) = (format!("plans[{id}]"), quote(name));
    violations.into_iter().map(move |violation| Violation {
        path: join(&place, &violation.path),
        message: format!("the plan {name}: {}", violation.message),
        ..violation
    })
}

/// Absent settings are a draft; what they lack is what complete ones would have to hold.
fn incomplete(path: &str, kind: PlanSecurityType) -> Vec<Violation> {
    let spec = security::security(kind);
    let violations = (spec.check)(&(spec.schema)().complete(Settings::new(), Part::Whole));
    let named = |violation: Violation| Violation {
        path: join(path, &violation.path),
        message: format!("a plan of the type {kind} without {path} lets nobody in; {}", violation.message),
        ..violation
    };
    violations.into_iter().map(named).collect()
}

fn missing(
    path: &str,
    settings: &Settings,
    member: &str,
    kind: &str,
    resources: &[Resource],
) -> Vec<Violation> {
    let names: Vec<(String, &str)> = match settings.get(member) {
        Some(Value::String(name)) => vec![(member.to_owned(), name)],
        Some(Value::Array(names)) => {
            let texts = names.iter().enumerate();
            texts.filter_map(|(i, name)| Some((format!("{member}[{i}]"), name.as_str()?))).collect()
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
    };
    let unknown =
        names.into_iter().filter(|(_, name)| is_constant(name) && !has(resources, name.trim(), kind));
    let violation = |(place, name): (String, &str)| {
        let found = resources.iter().find(|resource| resource.name == name.trim());
        let reason = match found {
            Some(resource) if resource.resource_type != kind => {
                format!("is of the type {}", resource.resource_type)
            }
            Some(_) => "is disabled".to_owned(),
            None => "does not exist".to_owned(),
        };
        let message = format!(
            "#/{place}: the resource {} {reason}; name an enabled resource of the type {kind} of this API",
            quote(name)
        );
        Violation::new(join(path, &place), "data.invalid", message)
    };
    unknown.map(violation).collect()
}

/// What an expression yields is known only per call.
fn is_constant(name: &str) -> bool {
    !name.trim().is_empty() && Template::parse(name).is_ok_and(|template| template.literal().is_some())
}

fn has(resources: &[Resource], name: &str, kind: &str) -> bool {
    resources.iter().any(|other| other.enabled && other.name == name && other.resource_type == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resources() -> Vec<Resource> {
        let resource = |name: &str, kind: &str, enabled: bool| Resource {
            name: name.to_owned(),
            resource_type: kind.to_owned(),
            configuration: None,
            enabled,
        };
        vec![
            resource("store", "cache", true),
            resource("server", "oauth2", true),
            resource("off", "oauth2", false),
        ]
    }

    fn lines(violations: &[Violation]) -> Vec<String> {
        violations.iter().map(|violation| format!("{} {}", violation.path, violation.message)).collect()
    }

    fn flows(policy: &str, configuration: &Value) -> Vec<Flow> {
        let step = json!({"name": "s", "enabled": true, "policy": policy, "configuration": configuration});
        serde_json::from_value(json!([{"enabled": true, "request": [step]}])).unwrap()
    }

    #[test]
    fn steps_name_resources_that_are_there() {
        let check = |policy: &str, configuration: Value, expected: &[&str]| {
            let found = of_flows("flows", &flows(policy, &configuration), &resources());
            assert_eq!(lines(&found), expected, "{policy} {configuration}");
        };
        check("cache", json!({"cacheName": "store"}), &[]);
        check("oauth2", json!({"oauthResource": "{#api.properties['server']}"}), &[]);
        check("mock", json!({"cacheName": "nothing"}), &[]);
        check(
            "oauth2",
            json!({"oauthResource": "off"}),
            &[
                "flows[0].request[0].configuration.oauthResource #/oauthResource: the resource \"off\" is disabled; \
               name an enabled resource of the type oauth2 of this API",
            ],
        );
        check(
            "policy-basic-authentication",
            json!({"authenticationProviders": ["store", "nobody"]}),
            &[
                "flows[0].request[0].configuration.authenticationProviders[0] #/authenticationProviders[0]: the \
                 resource \"store\" is of the type cache; name an enabled resource of the type \
                 auth-provider-inline-resource of this API",
                "flows[0].request[0].configuration.authenticationProviders[1] #/authenticationProviders[1]: the \
                 resource \"nobody\" does not exist; name an enabled resource of the type \
                 auth-provider-inline-resource of this API",
            ],
        );
    }

    #[test]
    fn a_server_that_is_asked_about_users_says_where() {
        let mut resources = resources();
        let check = |resources: &[Resource], configuration: Value| {
            of_flows("flows", &flows("policy-openid-userinfo", &configuration), resources).len()
        };
        let named = || json!({"oauthResource": "server"});
        let settings = json!({"introspectionEndpoint": "http://a.example/check"});
        resources[1].configuration = settings.as_object().cloned();
        assert_eq!(check(&resources, named()), 1);
        assert_eq!(check(&resources, json!({"oauthResource": "nobody"})), 1);
        let settings = json!({"authorizationServerUrl": "http://a.example"});
        resources[1].configuration = settings.as_object().cloned();
        assert_eq!(check(&resources, named()), 0);
    }

    #[test]
    fn what_is_disabled_names_nothing() {
        let mut flows = flows("cache", &json!({"cacheName": "nothing"}));
        assert_eq!(of_flows("flows", &flows, &resources()).len(), 1);
        flows[0].request[0].enabled = false;
        assert_eq!(of_flows("flows", &flows, &resources()), []);
    }

    #[test]
    fn a_plan_in_force_is_complete() {
        let check = |kind: &str, configuration: Value, expected: &[&str]| {
            let security = json!({"type": kind, "configuration": configuration});
            let found = of_plan(&serde_json::from_value(security).unwrap(), &[], &resources());
            assert_eq!(lines(&found), expected, "{kind} {configuration}");
        };
        check("api-key", Value::Null, &[]);
        check("oauth2", json!({"oauthResource": "server"}), &[]);
        check(
            "oauth2",
            Value::Null,
            &[
                "security.configuration.oauthResource a plan of the type oauth2 without security.configuration lets nobody in; \
               #: required key [oauthResource] not found, it must be set",
            ],
        );
        check(
            "jwt",
            Value::Null,
            &[
                "security.configuration.resolverParameter a plan of the type jwt without security.configuration lets \
               nobody in; #/resolverParameter: is required: the key, or the URL of the key set",
            ],
        );
        check(
            "oauth2",
            json!({"oauthResource": "store"}),
            &[
                "security.configuration.oauthResource #/oauthResource: the resource \"store\" is of the type cache; name \
               an enabled resource of the type oauth2 of this API",
            ],
        );
    }
}
