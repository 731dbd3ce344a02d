//! Paths of flows: segments with `:parameters`, matched against what follows the context path.

use definition::api::PathOperator;
use percent_encoding::percent_decode_str;
use regex::Regex;

/// What a parameter matches: everything that may stand in a segment.
const PARAMETER: &str = r"[a-zA-Z0-9\-._~%!$&'()*+ ,;=:@|]+";

/// A compiled path. Segments other than parameters are regular expressions, as authors of definitions know them.
#[derive(Debug)]
pub(crate) enum PathPattern {
    /// Matches every path from its start.
    Root,
    Compiled {
        /// Selects flows: full match, or match at the start.
        whole: Regex,
        start: Regex,
        /// Captures parameters; segment-aligned. `None` without parameters.
        parameters: Option<(Regex, Vec<String>)>,
    },
}

impl PathPattern {
    /// Compiles a path for selection and for its parameters.
    pub(crate) fn new(path: &str, operator: PathOperator) -> Result<Self, regex::Error> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        if segments.is_empty() {
            return Ok(PathPattern::Root);
        }
        let mut source = String::new();
        for segment in &segments {
            source.push('/');
            source.push_str(if segment.starts_with(':') { PARAMETER } else { segment });
        }
        let names: Vec<String> =
            segments.iter().filter_map(|segment| segment.strip_prefix(':')).map(str::to_owned).collect();
        let parameters = match names.is_empty() {
            true => None,
            false => Some((Regex::new(&capturing(&segments, operator))?, names)),
        };
        Ok(PathPattern::Compiled {
            whole: Regex::new(&format!("^(?:{source})/?$"))?,
            start: Regex::new(&format!("^(?:{source})"))?,
            parameters,
        })
    }

    /// Whether a path is selected.
    pub(crate) fn matches(&self, path_info: &str, operator: PathOperator) -> bool {
        match (self, operator) {
            (PathPattern::Root, PathOperator::StartsWith) => true,
            (PathPattern::Root, PathOperator::Equals) => matches!(path_info, "" | "/"),
            (PathPattern::Compiled { start, .. }, PathOperator::StartsWith) => start.is_match(path_info),
            (PathPattern::Compiled { whole, .. }, PathOperator::Equals) => whole.is_match(path_info),
        }
    }

    /// Whether it captures anything.
    pub(crate) fn has_parameters(&self) -> bool {
        matches!(self, PathPattern::Compiled { parameters: Some(_), .. })
    }

    /// The parameters in a path, by name.
    pub(crate) fn parameters(&self, path_info: &str) -> Vec<(String, String)> {
        let PathPattern::Compiled { parameters: Some((pattern, names)), .. } = self else {
            return Vec::new();
        };
        let Some(captures) = pattern.captures(path_info) else { return Vec::new() };
        let values = captures.iter().skip(1).flatten();
        let decoded = values.map(|value| percent_decode_str(value.as_str()).decode_utf8_lossy().into_owned());
        names.iter().cloned().zip(decoded).collect()
    }
}

/// Groups of a segment's own expression do not count: only those of parameters are captured.
fn capturing(segments: &[&str], operator: PathOperator) -> String {
    let mut source = String::from("^");
    for segment in segments {
        source.push('/');
        match segment.starts_with(':') {
            true => source.push_str(&format!("({PARAMETER})")),
            false => source.push_str(&segment.replace('(', "(?:").replace("(?:?", "(?")),
        }
    }
    source.push_str(match operator {
        PathOperator::Equals => "/?$",
        PathOperator::StartsWith => "(?:/.*)?$",
    });
    source
}

/// Other ways in which a backend may read a path: decoded, without dots, doubled slashes and parameters of segments.
/// None for a path that has nothing to read otherwise, which nearly all are.
pub(crate) fn readings(path: &str) -> Vec<String> {
    let plain = !path.contains(['%', ';', '\\']) && !path.contains("//") && !path.contains("/.");
    if plain {
        return Vec::new();
    }
    let decoded = percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    [false, true]
        .into_iter()
        .map(|without_parameters| {
            let segments = segments(&decoded, without_parameters);
            segments.iter().fold(String::new(), |path, segment| path + "/" + segment)
        })
        .collect()
}

/// The segments of a path, without what dots and doubled slashes take away.
pub(crate) fn segments(path: &str, without_parameters: bool) -> Vec<String> {
    let mut segments: Vec<String> = Vec::new();
    let mut slash_at_end = false;
    for segment in path.split('/') {
        let segment =
            if without_parameters { segment.split(';').next().unwrap_or_default() } else { segment };
        slash_at_end = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment.to_owned()),
        }
    }
    if slash_at_end {
        segments.push(String::new());
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;
    use definition::api::PathOperator::{Equals, StartsWith};

    #[test]
    fn paths_are_selected_whole_or_at_their_start() {
        let check = |path: &str, operator, path_info: &str, expected: bool| {
            let pattern = PathPattern::new(path, operator).unwrap();
            assert_eq!(pattern.matches(path_info, operator), expected, "{path} {operator} {path_info}");
        };
        for (path, operator, path_info, expected) in [
            ("/", StartsWith, "", true),
            ("/", StartsWith, "/x", true),
            ("/", Equals, "/", true),
            ("/", Equals, "", true),
            ("/", Equals, "/x", false),
            ("/foo", StartsWith, "/foobar", true),
            ("/foo", StartsWith, "/x/foo", false),
            ("/foo", Equals, "/foo/", true),
            ("/foo", Equals, "/foobar", false),
            ("/foo", Equals, "/Foo", false),
            ("/a/:id/b", Equals, "/a/1%202/b", true),
            ("/a/:id/b", Equals, "/a/1/2/b", false),
            ("/v[0-9]+/x", Equals, "/v12/x", true),
        ] {
            check(path, operator, path_info, expected);
        }
    }

    #[test]
    fn a_path_is_read_as_a_backend_may_read_it() {
        let check = |path: &str, expected: &[&str]| assert_eq!(readings(path), expected, "{path}");
        check("/admin/x", &[]);
        check("", &[]);
        check("//admin/x", &["/admin/x", "/admin/x"]);
        check("/x/../admin/x", &["/admin/x", "/admin/x"]);
        check("/%61dmin/./x", &["/admin/x", "/admin/x"]);
        check("/admin;v=1/x", &["/admin;v=1/x", "/admin/x"]);
        check("/a%2Fb/", &["/a/b/", "/a/b/"]);
    }

    #[test]
    fn parameters_are_decoded_and_end_with_their_segment() {
        let parameters = |path: &str, operator, path_info: &str| {
            let found = PathPattern::new(path, operator).unwrap().parameters(path_info);
            found.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(parameters("/a/:id/:name", Equals, "/a/1%202/x"), "id=1 2 name=x");
        assert_eq!(parameters("/a/:id", StartsWith, "/a/1/more"), "id=1");
        assert_eq!(parameters("/a/:id", Equals, "/a/1/more"), "");
        assert_eq!(parameters("/(a|b)/:id", Equals, "/b/1"), "id=1");
        assert_eq!(parameters("/a", Equals, "/a"), "");
    }
}
