//! Cross-origin rules of an API: what browsers ask before a request, and what they must find in an answer before a
//! page of another origin may read it.

use super::respond;
use bytes::Bytes;
use definition::api::Cors;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use regex::{Regex, RegexBuilder};

/// Longest origin that is looked at, bytes: host names have 253 at most.
const ORIGIN_MAX_BYTES: usize = 512;

/// The rules of one API, compiled.
pub(crate) struct CorsRules {
    origins: Vec<Origin>,
    rules: Cors,
}

enum Origin {
    Any,
    Exact(String),
    Pattern(Regex),
}

impl CorsRules {
    /// `None`: the rules are off. Errors: an origin is a regular expression that cannot be compiled.
    pub(crate) fn new(rules: &Cors) -> Result<Option<Self>, regex::Error> {
        if !rules.enabled {
            return Ok(None);
        }
        let compile = |origin: &String| match origin.as_str() {
            "*" => Ok(Origin::Any),
            text if text.contains(['{', '(', '[', '*']) => {
                let whole = format!("^(?:{text})$");
                RegexBuilder::new(&whole).case_insensitive(true).build().map(Origin::Pattern)
            }
            text => Ok(Origin::Exact(text.to_owned())),
        };
        let origins = rules.allow_origin.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Some(CorsRules { origins, rules: rules.clone() }))
    }

    /// The answer to a preflight; `None` when the request is none. It comes before security: browsers send no
    /// credentials with it.
    pub(crate) fn preflight(&self, head: &Parts) -> Option<Response<Bytes>> {
        let method = head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if head.method != Method::OPTIONS || !head.headers.contains_key(ORIGIN) {
            return None;
        }
        let Some(origin) = head.headers.get(ORIGIN).filter(|origin| self.allows_origin(origin)) else {
            return Some(respond::empty(StatusCode::BAD_REQUEST));
        };
        let allowed = self.allows_method(method) && self.allows_headers(&head.headers);
        let status = if allowed { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        let mut response = respond::empty(status);
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(VARY, HeaderValue::from_static("Origin"));
        if allowed {
            self.credentials(headers);
            list(headers, ACCESS_CONTROL_ALLOW_METHODS, &self.rules.allow_methods);
            list(headers, ACCESS_CONTROL_ALLOW_HEADERS, &self.rules.allow_headers);
            if self.rules.max_age >= 0 {
                headers.insert(ACCESS_CONTROL_MAX_AGE, self.rules.max_age.into());
            }
        }
        Some(response)
    }

    /// Whether the flows of the API see preflights too.
    pub(crate) fn runs_policies(&self) -> bool {
        self.rules.run_policies
    }

    /// Adds what lets a page of an allowed origin read the answer.
    pub(crate) fn write(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        response.append(VARY, HeaderValue::from_static("Origin"));
        // What a backend says about origins is not what this API allows.
        for name in
            [ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_EXPOSE_HEADERS]
        {
            response.remove(name);
        }
        if let Some(origin) = origin.filter(|origin| self.allows_origin(origin)) {
            response.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            self.credentials(response);
            list(response, ACCESS_CONTROL_EXPOSE_HEADERS, &self.rules.expose_headers);
        }
    }

    fn allows_origin(&self, value: &HeaderValue) -> bool {
        let Some(origin) = value.to_str().ok().filter(|_| value.len() <= ORIGIN_MAX_BYTES) else {
            return false;
        };
        self.origins.iter().any(|rule| match rule {
            Origin::Any => true,
            Origin::Exact(text) => text.eq_ignore_ascii_case(origin),
            Origin::Pattern(pattern) => pattern.is_match(origin),
        })
    }

    fn allows_method(&self, method: &HeaderValue) -> bool {
        let asked = method.as_bytes();
        self.rules
            .allow_methods
            .iter()
            .any(|known| known == "*" || known.as_bytes().eq_ignore_ascii_case(asked))
    }

    fn allows_headers(&self, request: &HeaderMap) -> bool {
        let known = &self.rules.allow_headers;
        if known.is_empty() || known.iter().any(|name| name == "*") {
            return true;
        }
        let lists = request.get_all(ACCESS_CONTROL_REQUEST_HEADERS).iter();
        let mut asked = lists.flat_map(|list| list.to_str().unwrap_or("\u{0}").split(',')).map(str::trim);
        asked.all(|name| name.is_empty() || known.iter().any(|known| known.eq_ignore_ascii_case(name)))
    }

    fn credentials(&self, headers: &mut HeaderMap) {
        if self.rules.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

fn list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if let (false, Ok(value)) = (values.is_empty(), HeaderValue::from_str(&values.join(", "))) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(origins: &[&str]) -> CorsRules {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let cors = Cors {
            enabled: true,
            allow_credentials: true,
            allow_origin: texts(origins),
            allow_headers: texts(&["x-foo"]),
            allow_methods: texts(&["POST", "GET"]),
            expose_headers: texts(&["x-gravitee-client-identifier"]),
            max_age: 30,
            run_policies: false,
        };
        CorsRules::new(&cors).unwrap().unwrap()
    }

    /// Status and headers of a preflight, in text.
    fn preflight(origins: &[&str], origin: &str, method: &str, headers: &str) -> String {
        let request = http::Request::builder()
            .method("OPTIONS")
            .header(ORIGIN, origin)
            .header(ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(ACCESS_CONTROL_REQUEST_HEADERS, headers);
        let head = request.body(()).unwrap().into_parts().0;
        let response = rules(origins).preflight(&head).unwrap();
        let found =
            |name: HeaderName| response.headers().get(name).map_or("-", |v| v.to_str().unwrap()).to_owned();
        let names = [
            ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_ALLOW_METHODS,
            ACCESS_CONTROL_ALLOW_HEADERS,
            ACCESS_CONTROL_MAX_AGE,
        ];
        format!("{} {}", response.status().as_u16(), names.map(found).join(" | "))
    }

    #[test]
    fn a_preflight_is_answered_by_the_rules() {
        let open = &["*"];
        assert_eq!(
            preflight(open, "https://a.example", "GET", "X-Foo"),
            "200 https://a.example | POST, GET | x-foo | 30"
        );
        assert_eq!(preflight(open, "https://a.example", "PUT", ""), "400 https://a.example | - | - | -");
        assert_eq!(
            preflight(open, "https://a.example", "GET", "x-foo, x-bar"),
            "400 https://a.example | - | - | -"
        );
        assert_eq!(preflight(&["https://b.example"], "https://a.example", "GET", ""), "400 - | - | - | -");
        assert_eq!(
            preflight(&["https://A.example"], "https://a.example", "GET", ""),
            "200 https://a.example | POST, GET | x-foo | 30"
        );
        let pattern = &["https://[a-z]+\\.example"];
        assert_eq!(
            preflight(pattern, "https://shop.example", "GET", ""),
            "200 https://shop.example | POST, GET | x-foo | 30"
        );
        assert_eq!(preflight(pattern, "https://shop.example.evil.org", "GET", ""), "400 - | - | - | -");
    }

    #[test]
    fn only_allowed_origins_may_read_an_answer() {
        let read = |origin: &str| {
            let mut response = HeaderMap::new();
            let origin = HeaderValue::from_str(origin).unwrap();
            rules(&["https://a.example"]).write(Some(&origin), &mut response);
            let mut lines: Vec<_> =
                response.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
            lines.sort();
            lines.join("\n")
        };
        let allowed = "access-control-allow-credentials: true\naccess-control-allow-origin: https://a.example\n\
                       access-control-expose-headers: x-gravitee-client-identifier\nvary: Origin";
        assert_eq!(read("https://a.example"), allowed);
        assert_eq!(read("https://b.example"), "vary: Origin");
    }
}
