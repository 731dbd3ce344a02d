//! The routing table: which API serves a host and a path.
//!
//! A path serves itself and everything below it on segment boundaries; the longest one wins, and an API that names
//! the host wins over one that does not. Paths are compared as they were sent: no decoding, no collapsing.

use super::runtime::ApiRuntime;
use definition::api::Path;
use std::collections::HashMap;
use std::sync::Arc;

/// What is at a path.
#[derive(Clone)]
pub(crate) enum Route {
    Serving {
        api: Arc<ApiRuntime>,
        /// The path itself, with a slash at both ends.
        context_path: Arc<str>,
    },
    /// Deployed and refused, with nothing to serve instead.
    Rejected,
}

/// An immutable snapshot.
#[derive(Default)]
pub(crate) struct RouteTable {
    by_host: HashMap<String, Paths>,
    any_host: Paths,
}

#[derive(Default)]
struct Paths {
    /// Without the slash at the end.
    routes: HashMap<String, Route>,
    longest: usize,
}

impl RouteTable {
    /// Adds a route, and returns the one that was there.
    pub(crate) fn insert(&mut self, path: &Path, route: Route) -> Option<Route> {
        let paths = match &path.host {
            Some(host) => self.by_host.entry(without_port(host).to_ascii_lowercase()).or_default(),
            None => &mut self.any_host,
        };
        let key = path.path.trim_end_matches('/');
        paths.longest = paths.longest.max(key.len());
        paths.routes.insert(key.to_owned(), route)
    }

    /// The route of a request. `host` may carry a port.
    pub(crate) fn find(&self, host: Option<&str>, path: &str) -> Option<&Route> {
        let named = host.filter(|_| !self.by_host.is_empty()).and_then(|host| {
            let host = without_port(host);
            match self.by_host.get(host) {
                Some(paths) => Some(paths),
                None => self.by_host.get(&host.to_ascii_lowercase()),
            }
        });
        named.and_then(|paths| paths.find(path)).or_else(|| self.any_host.find(path))
    }
}

impl Paths {
    fn find(&self, path: &str) -> Option<&Route> {
        if !path.starts_with('/') {
            return None;
        }
        // Prefixes longer than every route are not even looked up: a path of slashes must not cost a hash each.
        let whole = (path.len() <= self.longest).then_some(path);
        let longest = path.len().min(self.longest + 1);
        let boundaries = path.as_bytes()[..longest].iter().enumerate().rev();
        let prefixes = boundaries.filter(|(_, byte)| **byte == b'/').map(|(end, _)| &path[..end]);
        whole.into_iter().chain(prefixes).find_map(|prefix| self.routes.get(prefix))
    }
}

/// `[::1]:80`, `[::1]`, `host:80`, `host`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(paths: &[(&str, &str)]) -> RouteTable {
        let mut table = RouteTable::default();
        for (host, path) in paths {
            let host = (!host.is_empty()).then(|| (*host).to_owned());
            let path = Path { host, path: (*path).to_owned(), override_access: false };
            let id = format!("{}{}", path.host.as_deref().unwrap_or_default(), path.path);
            let context_path = path.path.as_str().into();
            table.insert(&path, Route::Serving { api: Arc::new(ApiRuntime::empty(&id)), context_path });
        }
        table
    }

    fn check(table: &RouteTable, host: &str, path: &str, expected: &str) {
        let found = match table.find(Some(host), path) {
            Some(Route::Serving { api, .. }) => api.facts.id.to_string(),
            Some(Route::Rejected) => "rejected".to_owned(),
            None => "-".to_owned(),
        };
        assert_eq!(found, expected, "{host} {path}");
    }

    #[test]
    fn the_longest_path_wins_on_segment_boundaries() {
        let table = table(&[("", "/x/"), ("", "/x/y/"), ("", "/é/")]);
        for path in ["/x", "/x/", "/x/a/b", "/x//", "/x/yz", "/x/Y"] {
            check(&table, "h", path, "/x/");
        }
        for path in ["/x/y", "/x/y/", "/x/y/z", "/x/y//"] {
            check(&table, "h", path, "/x/y/");
        }
        for path in ["/xy", "/X", "//x", "/", "", "x", "*", "/%78", "/\u{e8}"] {
            check(&table, "h", path, "-");
        }
        check(&table, "h", "/é/a", "/é/");
        check(&table, "h", &"/".repeat(60_000), "-");
    }

    #[test]
    fn the_root_serves_what_nothing_else_does() {
        let table = table(&[("", "/"), ("", "/x/")]);
        check(&table, "h", "/", "/");
        check(&table, "h", "/y", "/");
        check(&table, "h", "//x", "/");
        check(&table, "h", "/x/1", "/x/");
        check(&table, "h", "*", "-");
    }

    #[test]
    fn a_named_host_goes_first_whatever_its_case_and_port() {
        let table = table(&[("Api.Example.com", "/x/"), ("", "/x/y/"), ("[::1]", "/v6/")]);
        for host in ["api.example.com", "API.EXAMPLE.COM:8082"] {
            check(&table, host, "/x/y/z", "Api.Example.com/x/");
        }
        check(&table, "other", "/x/y/z", "/x/y/");
        check(&table, "other", "/x", "-");
        check(&table, "[::1]:8082", "/v6", "[::1]/v6/");
        check(&table, "[::1]", "/v6", "[::1]/v6/");
    }
}
