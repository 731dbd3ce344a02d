//! The OpenAPI document: a base with Tidegate's own words, and everything else from the handlers.

use crate::error::{Detail, Problem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Tag};

const SCHEME: &str = "basic";
const DESCRIPTION: &str = "Stores v4 API definitions and decides what gateways run.

Create an API, give it a plan, start it. A changed definition reaches gateways with the next `deploy`. Every path may \
end in a slash, and bodies need no content type. Press *Authorize* and enter the name and the password of a user.";

/// The document before the routes are added.
pub(crate) fn base() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Tidegate Management API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").build()))
        .build();
    let mut basic = Http::new(HttpAuthScheme::Basic);
    basic.description = Some("A user of this installation.".to_owned());
    let components = ComponentsBuilder::new()
        .security_scheme(SCHEME, SecurityScheme::Http(basic))
        .schema_from::<Problem>()
        .schema_from::<Detail>()
        .build();
    let tags = [
        "APIs",
        "Plans",
        "Subscriptions",
        "Applications",
        "Subscriptions (4.x)",
        "Deployments",
        "Gateways",
        "Connectors",
    ]
    .map(Tag::new);
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new(SCHEME, Vec::<String>::new())]))
        .tags(Some(tags))
        .build()
}

/// The whole document.
pub fn openapi() -> OpenApi {
    crate::router::routes().into_openapi()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn the_committed_document_is_what_the_handlers_say() {
        let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/management-api.json"));
        let actual = openapi().to_pretty_json().unwrap() + "\n";
        if update_requested() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &actual).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == actual, "run `make openapi` and commit the result");
    }

    #[test]
    fn every_answer_is_described_and_every_reference_leads_somewhere() {
        let document = serde_json::to_value(openapi()).unwrap();
        let operations =
            document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap());
        for (method, operation) in operations {
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(
                    response["description"].is_string(),
                    "{method} {} {status}",
                    operation["operationId"]
                );
            }
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn every_level_of_quality_is_spelled_out() {
        let document = serde_json::to_value(openapi()).unwrap();
        let levels = serde_json::json!(["none", "auto", "at-most-once", "at-least-once"]);
        assert_eq!(document["components"]["schemas"]["Qos"]["enum"], levels);
    }

    #[expect(clippy::disallowed_methods, reason = "a switch of this test, not of the product")]
    fn update_requested() -> bool {
        std::env::var_os("UPDATE_OPENAPI").is_some()
    }
}
