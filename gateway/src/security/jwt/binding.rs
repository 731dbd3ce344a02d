//! Tokens that are bound to a client certificate (RFC 8705): `cnf` holds the certificate's thumbprint.

use crate::call::Call;
use crate::http::query;
use crate::security::claims::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use definition::security::jwt::Confirmation;
use sha2::{Digest as _, Sha256};

/// Whether the token belongs to the certificate that a proxy in front of this gateway has seen.
pub(super) fn fits(rules: &Confirmation, call: &Call, claims: &Claims) -> bool {
    let thumbprint = &rules.certificate_bound_thumbprint;
    if !thumbprint.enabled {
        return true;
    }
    let bound_to = claims.get("cnf").and_then(|cnf| cnf.get("x5t#S256")).and_then(|value| value.as_str());
    let Some(bound_to) = bound_to else { return rules.ignore_missing };
    let header = call.request.head.headers.get(thumbprint.header_name.as_str());
    let certificate = header.and_then(|value| value.to_str().ok()).and_then(certificate);
    certificate
        .is_some_and(|der| URL_SAFE_NO_PAD.encode(Sha256::digest(der)) == bound_to.trim_end_matches('='))
}

/// DER of a certificate in PEM, percent-encoded or not, or in bare base64.
fn certificate(header: &str) -> Option<Vec<u8>> {
    let text = if header.contains('%') { query::percent_decoded(header) } else { header.to_owned() };
    let body = match text.split_once("-----BEGIN CERTIFICATE-----") {
        Some((_, rest)) => rest.split("-----END").next().unwrap_or_default().to_owned(),
        None => text,
    };
    let packed: String = body.split_whitespace().collect();
    STANDARD.decode(packed).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(header: Option<&str>, claims: serde_json::Value, ignore_missing: bool) -> bool {
        let rules: Confirmation = serde_json::from_value(json!({"ignoreMissing": ignore_missing,
            "certificateBoundThumbprint": {"enabled": true, "extractCertificateFromHeader": true}}))
        .unwrap();
        let headers: Vec<_> = header.map(|value| ("ssl-client-cert", value)).into_iter().collect();
        fits(&rules, &Call::sample("GET /ctx", &headers, ""), claims.as_object().unwrap())
    }

    #[test]
    fn the_thumbprint_is_that_of_the_certificate() {
        let bound = json!({"cnf": {"x5t#S256": URL_SAFE_NO_PAD.encode(Sha256::digest(b"certificate+?"))}});
        let bare = STANDARD.encode(b"certificate+?");
        let pem = format!("-----BEGIN CERTIFICATE----- {bare} -----END CERTIFICATE-----");
        let body = bare.replace('+', "%2B").replace('=', "%3D");
        let encoded = format!("-----BEGIN CERTIFICATE-----%0A{body}%0A-----END CERTIFICATE-----%0A");
        for header in [&bare, &pem, &encoded] {
            assert!(check(Some(header), bound.clone(), false), "{header}");
        }
        for header in [None, Some("AAAA"), Some("?")] {
            assert!(!check(header, bound.clone(), true), "{header:?}");
        }
        assert!(!check(Some(&bare), json!({}), false) && check(Some(&bare), json!({}), true));
    }
}
