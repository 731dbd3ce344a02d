//! Path patterns in the manner of Ant: `?` is a character, `*` a part of a segment, `**` any number of segments.

/// A pattern, in segments.
pub(super) struct AntPattern(Vec<Segment>);

enum Segment {
    /// Any number of segments.
    Any,
    One(Vec<char>),
}

impl AntPattern {
    /// Reads a pattern; a slash at its beginning makes no difference, doubled ones are one.
    pub(super) fn new(pattern: &str) -> Self {
        let mut texts: Vec<&str> = pattern.split('/').filter(|text| !text.is_empty()).collect();
        if pattern.ends_with('/') {
            texts.push("");
        }
        let segment =
            |text: &str| if text == "**" { Segment::Any } else { Segment::One(text.chars().collect()) };
        AntPattern(texts.into_iter().map(segment).collect())
    }

    /// Whether the segments of a path match.
    pub(super) fn matches(&self, path: &[String]) -> bool {
        // Row by row: whether the pattern so far matches the path's first segments. Long paths cost no more than that.
        let mut row = vec![false; path.len() + 1];
        row[0] = true;
        for segment in &self.0 {
            let mut next = vec![false; path.len() + 1];
            match segment {
                Segment::Any => {
                    let mut reached = false;
                    for (place, before) in row.iter().enumerate() {
                        reached |= before;
                        next[place] = reached;
                    }
                }
                Segment::One(glob) => {
                    for (place, text) in path.iter().enumerate() {
                        next[place + 1] = row[place] && glob_matches(glob, text);
                    }
                }
            }
            row = next;
        }
        row[path.len()]
    }
}

/// Matches a segment; the last star takes one character more whenever what follows it does not fit.
fn glob_matches(glob: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut place, mut star) = (0, 0, None);
    while place < text.len() {
        match glob.get(at) {
            Some('*') => {
                star = Some((at, place));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == text[place] => {
                at += 1;
                place += 1;
            }
            Some(_) | None => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                place = taken + 1;
            }
        }
    }
    glob[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_ant() {
        let check = |pattern: &str, path: &str, expected| {
            let segments: Vec<String> = path.split('/').skip(1).map(str::to_owned).collect();
            assert_eq!(AntPattern::new(pattern).matches(&segments), expected, "{pattern} {path}");
        };
        check("/a/b", "/a/b", true);
        check("a/b", "/a/b", true);
        check("/a/b", "/a/b/", false);
        check("/a/b/", "/a/b/", true);
        check("/a/?", "/a/b", true);
        check("/a/?", "/a/bc", false);
        check("/a/*", "/a/bc", true);
        check("/a/*", "/a", false);
        check("/a/*", "/a/b/c", false);
        check("/a/*.js*n", "/a/b.c.json", true);
        check("/a/*b*c", "/a/xbybzc", true);
        check("/a/*b*c", "/a/xbybzd", false);
        check("/**", "/", true);
        check("**", "/a/b", true);
        check("/a/**", "/a", true);
        check("/a/**/d", "/a/b/c/d", true);
        check("/a/**/d", "/a/d", true);
        check("/a/**/b/**/c", "/a/x/b/c", true);
        check("/a/**/b/**/c", "/a/x/c", false);
        check(&"**/a/".repeat(200), &"/a".repeat(2000), false);
    }
}
