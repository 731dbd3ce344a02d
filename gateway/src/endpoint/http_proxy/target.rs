//! Where a call goes: the backend's address, and the path and query there.
//!
//! A path is passed on as the client wrote it. It is refused when its `..` segments, however they are encoded, would
//! climb above the path that the API's author gave: what lies there was never published.

use definition::connector::http_proxy::target_url;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use std::sync::Arc;

/// Who is connected to. Connections are pooled by it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) tls: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

/// An absolute target, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) origin: Arc<Origin>,
    /// Host with the port, unless it is the scheme's own.
    pub(super) authority: HeaderValue,
    /// Scheme `grpc` or `grpcs`.
    pub(super) grpc: bool,
    path: String,
    query: Option<String>,
}

/// One call's place at a backend.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(super) origin: Arc<Origin>,
    pub(super) authority: HeaderValue,
    pub(super) grpc: bool,
    /// In the form of a request line.
    pub(super) path_and_query: String,
}

/// The path leaves the part of the backend that the API publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Climbs;

impl Target {
    /// Reads an absolute URL. Errors say what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Target, &'static str> {
        let (scheme, url) = target_url(text)?;
        let host = url.host_str().unwrap_or_default();
        let tls = url.scheme() == "https";
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let origin = Origin {
            tls,
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 }),
        };
        Ok(Target {
            origin: Arc::new(origin),
            authority: HeaderValue::try_from(authority).map_err(|_| "is no URL that can be read")?,
            grpc: scheme.starts_with("grpc"),
            path: url.path().to_owned(),
            query: url.query().filter(|query| !query.is_empty()).map(str::to_owned),
        })
    }

    /// The place of a call below this target. `path`: with a leading slash, or empty.
    pub(super) fn below(&self, path: &str, query: Option<&str>) -> Result<Place, Climbs> {
        let (path, own) = path.split_once('?').map_or((path, None), |(path, own)| (path, Some(own)));
        if climbs(path) {
            return Err(Climbs);
        }
        let base = if path.is_empty() { self.path.as_str() } else { self.path.trim_end_matches('/') };
        let queries = [self.query.as_deref(), own, query];
        let room =
            base.len() + path.len() + queries.iter().flatten().map(|query| query.len() + 1).sum::<usize>();
        let mut line = String::with_capacity(room + 1);
        line.push_str(base);
        if !path.is_empty() && !path.starts_with('/') {
            line.push('/');
        }
        line.push_str(path);
        let mut separator = '?';
        for query in queries.into_iter().flatten().filter(|query| !query.is_empty()) {
            line.push(separator);
            line.push_str(query);
            separator = '&';
        }
        Ok(Place {
            origin: Arc::clone(&self.origin),
            authority: self.authority.clone(),
            grpc: self.grpc,
            path_and_query: line,
        })
    }
}

/// Whether a path goes above where it starts, for a backend that decodes it, or reads `\` as `/`, or cuts path
/// parameters (`;…`) off.
fn climbs(path: &str) -> bool {
    // Almost no path has anything to decode or two dots.
    if !path.contains("..") && !path.contains('%') {
        return false;
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut depth = 0_usize;
    for segment in decoded.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default().trim() {
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            "" | "." => {}
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(target: &str, path: &str, query: Option<&str>) -> String {
        match Target::parse(target).unwrap().below(path, query) {
            Ok(place) => place.path_and_query,
            Err(Climbs) => "climbs".to_owned(),
        }
    }

    #[test]
    fn a_target_names_its_origin() {
        let check = |text: &str, tls, host: &str, port, authority: &str, grpc| {
            let target = Target::parse(text).unwrap();
            let origin = Origin { tls, host: host.to_owned(), port };
            assert_eq!((&*target.origin, target.authority.to_str().unwrap()), (&origin, authority), "{text}");
            assert_eq!(target.grpc, grpc, "{text}");
        };
        check("http://h", false, "h", 80, "h", false);
        check("https://H:8443/x", true, "h", 8443, "h:8443", false);
        check("ws://h:80", false, "h", 80, "h", false);
        check("wss://h", true, "h", 443, "h", false);
        check("grpc://h:50051", false, "h", 50051, "h:50051", true);
        check("grpcs://[::1]:1", true, "::1", 1, "[::1]:1", true);
    }

    #[test]
    fn paths_are_appended_and_queries_merged() {
        let check = |target, path, query, expected: &str| {
            assert_eq!(place(target, path, query), expected, "{target} {path}");
        };
        check("http://h", "", None, "/");
        check("http://h/", "/x", None, "/x");
        check("http://h/base", "", None, "/base");
        check("http://h/base/", "", None, "/base/");
        check("http://h/base", "/", None, "/base/");
        check("http://h/base/", "/x/", None, "/base/x/");
        check("http://h/base?k=1", "/x", Some("a=b"), "/base/x?k=1&a=b");
        check("http://h/base", "/x", Some("a=b&a=c"), "/base/x?a=b&a=c");
        check("http://h/base", "/x", Some(""), "/base/x");
        check("http://h/base", "x?own=1", Some("a=b"), "/base/x?own=1&a=b");
        check("http://h", "/a%20b//c;p=1", None, "/a%20b//c;p=1");
    }

    #[test]
    fn a_path_never_climbs_above_the_target() {
        for path in [
            "/..",
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/%2E./x",
            "/a/%2e%2e/%2e%2e/x",
            "/..%2fx",
            "/..%5cx",
            "/..\\x",
            "/..;p=1/x",
            "/%2e%2e%3bp/x",
            "/a/..%2f..%2fx",
            "/./../x",
            "//../x",
        ] {
            assert_eq!(place("http://h/base", path, None), "climbs", "{path}");
        }
        for path in ["/a/../b", "/...", "/..a", "/a..", "/a/b/../../c", "/%252e%252e/x", "/a%2f..%2fb"] {
            assert_eq!(place("http://h/base", path, None), format!("/base{path}"));
        }
    }
}
