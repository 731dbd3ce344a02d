//! Patterns that keys match, and paths that values are read from and written to.

use super::SpecError;

/// How deep look-ups may stand in one another.
const LOOKUP_DEPTH_MAX: usize = 8;

/// What a key must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern {
    Literal(String),
    /// Texts around stars; each star stands for one character or more. Two empty texts: any key.
    Star(Vec<String>),
    /// A key that is computed from keys that matched before.
    Computed(Vec<Part>),
}

/// A part of a computed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// `&(level,group)`: the key that matched so many levels up, or what one of its stars stood for.
    Reference {
        level: usize,
        group: usize,
    },
}

/// Where a value is written to or read from. Without steps: the document itself.
pub type Path = Vec<PathStep>;

/// One step of a path.
#[derive(Debug, Clone, PartialEq)]
pub enum PathStep {
    Member(Key),
    /// `[]`
    Append,
    /// `[3]`
    Index(usize),
    /// `[&1]`, `[@(1,n)]`
    IndexBy(Key),
    /// `[#2]`: how many keys have matched so many levels up.
    IndexCount(usize),
}

/// A name that is known when a document is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    Parts(Vec<Part>),
    Lookup(Box<Lookup>),
}

/// `@(level,path)`: a value of the document, so many levels up.
#[derive(Debug, Clone, PartialEq)]
pub struct Lookup {
    pub level: usize,
    pub path: Path,
}

impl Pattern {
    /// Reads a key of a specification, without alternatives.
    pub(super) fn parse(place: &str, text: &str) -> Result<Pattern, SpecError> {
        let (mut texts, mut parts) = (vec![String::new()], Vec::new());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '\\' => {
                    let escaped = rest.chars().next().unwrap_or('\\');
                    rest = rest.strip_prefix(escaped).unwrap_or(rest);
                    push(&mut texts, escaped);
                }
                '*' => texts.push(String::new()),
                '&' => {
                    let (level, group, after) = reference(place, rest)?;
                    rest = after;
                    parts.extend(texts.pop().filter(|text| !text.is_empty()).map(Part::Text));
                    texts.push(String::new());
                    parts.push(Part::Reference { level, group });
                }
                c => push(&mut texts, c),
            }
        }
        match (texts.len(), parts.is_empty()) {
            (1, true) => Ok(Pattern::Literal(texts.concat())),
            (1, false) => {
                parts.extend(texts.pop().filter(|text| !text.is_empty()).map(Part::Text));
                Ok(Pattern::Computed(parts))
            }
            (_, true) => Ok(Pattern::Star(texts)),
            (_, false) => Err(SpecError::new(place, format!("the key `{text}` mixes * and &"))),
        }
    }

    /// Patterns are tried from the narrowest to the widest.
    pub(super) fn rank(&self) -> (usize, std::cmp::Reverse<usize>) {
        let length = |texts: &[String]| texts.iter().map(String::len).sum();
        match self {
            Pattern::Literal(text) => (0, std::cmp::Reverse(text.len())),
            Pattern::Computed(_) => (1, std::cmp::Reverse(0)),
            Pattern::Star(texts) => match (texts.len(), length(texts)) {
                (2, 0) => (5, std::cmp::Reverse(0)),
                (2, length) => (4, std::cmp::Reverse(length)),
                (3, length) => (3, std::cmp::Reverse(length)),
                (_, length) => (2, std::cmp::Reverse(length)),
            },
        }
    }
}

fn push(texts: &mut [String], c: char) {
    if let Some(text) = texts.last_mut() {
        text.push(c);
    }
}

/// The alternatives of a key: `a|b`.
pub(super) fn alternatives(text: &str) -> impl Iterator<Item = &str> {
    text.split('|')
}

/// Level, group and what follows a `&` or `$`.
pub(super) fn reference<'t>(place: &str, text: &'t str) -> Result<(usize, usize, &'t str), SpecError> {
    let number = |text: &str| {
        let text = text.trim();
        if text.is_empty() {
            Ok(0)
        } else {
            text.parse().map_err(|_| SpecError::new(place, format!("`{text}` is no level")))
        }
    };
    if let Some(inner) = text.strip_prefix('(') {
        let (inner, rest) = inner
            .split_once(')')
            .ok_or_else(|| SpecError::new(place, "a reference needs its closing parenthesis"))?;
        let (level, group) = inner.split_once(',').unwrap_or((inner, ""));
        return Ok((number(level)?, number(group)?, rest));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Ok((number(&text[..digits])?, 0, &text[digits..]))
}

/// Reads `@`, `@(level,path)` or `@path`; the text begins behind the `@`.
pub(super) fn lookup(place: &str, text: &str, depth: usize) -> Result<Lookup, SpecError> {
    if depth > LOOKUP_DEPTH_MAX {
        return Err(SpecError::new(place, format!("look-ups are nested more than {LOOKUP_DEPTH_MAX} deep")));
    }
    let inner = match text.strip_prefix('(') {
        Some(inner) => inner.strip_suffix(')').ok_or_else(|| {
            SpecError::new(place, format!("`@{text}` needs its closing parenthesis at the end"))
        })?,
        None => text,
    };
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let (level, source) = match (digits, inner[digits..].strip_prefix(',')) {
        (0, _) => ("0", inner),
        (_, Some(source)) => (&inner[..digits], source),
        (_, None) if digits == inner.len() => (inner, ""),
        (_, None) => return Err(SpecError::new(place, format!("`@{text}` needs a comma behind its level"))),
    };
    let level = level.parse().map_err(|_| SpecError::new(place, format!("`{level}` is no level")))?;
    let path = read(place, source.trim(), depth)?;
    if path.contains(&PathStep::Append) {
        return Err(SpecError::new(place, "[] has no value to read, give an index"));
    }
    Ok(Lookup { level, path })
}

/// Reads a path in dot notation.
pub(super) fn parse(place: &str, text: &str) -> Result<Path, SpecError> {
    read(place, text, 0)
}

fn read(place: &str, text: &str, depth: usize) -> Result<Path, SpecError> {
    let (mut path, mut rest) = (Path::new(), text);
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let end = closing(after, '[', ']')
                .ok_or_else(|| SpecError::new(place, format!("`{text}` needs its closing bracket")))?;
            path.push(index(place, &after[..end], depth)?);
            rest = &after[end + 1..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        } else if let Some(after) = rest.strip_prefix('@') {
            let end = match after.strip_prefix('(') {
                Some(inner) => closing(inner, '(', ')').map(|end| end + 2),
                None => Some(after.find(['.', '[']).unwrap_or(after.len())),
            };
            let end =
                end.ok_or_else(|| SpecError::new(place, format!("`{text}` needs its closing parenthesis")))?;
            path.push(PathStep::Member(Key::Lookup(Box::new(lookup(place, &after[..end], depth + 1)?))));
            rest = &after[end..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        } else {
            let (parts, after) = member(place, rest)?;
            path.push(PathStep::Member(Key::Parts(parts)));
            rest = after;
        }
    }
    Ok(path)
}

/// The byte of the bracket that closes what was opened before the text.
fn closing(text: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if c == close && depth == 0 {
            return Some(at);
        }
        depth = match c {
            c if c == open => depth + 1,
            c if c == close => depth - 1,
            _ => depth,
        };
    }
    None
}

fn index(place: &str, text: &str, depth: usize) -> Result<PathStep, SpecError> {
    let whole = |(level, group, rest): (usize, usize, &str)| match rest {
        "" => Ok((level, group)),
        _ => Err(SpecError::new(place, format!("`[{text}]` is no index"))),
    };
    if text.is_empty() {
        Ok(PathStep::Append)
    } else if let Some(rest) = text.strip_prefix('#') {
        Ok(PathStep::IndexCount(whole(reference(place, rest)?)?.0))
    } else if let Some(rest) = text.strip_prefix('&') {
        let (level, group) = whole(reference(place, rest)?)?;
        Ok(PathStep::IndexBy(Key::Parts(vec![Part::Reference { level, group }])))
    } else if let Some(rest) = text.strip_prefix('@') {
        Ok(PathStep::IndexBy(Key::Lookup(Box::new(lookup(place, rest, depth + 1)?))))
    } else {
        text.parse()
            .map(PathStep::Index)
            .map_err(|_| SpecError::new(place, format!("`[{text}]` is no index")))
    }
}

/// A member's name up to the next step.
fn member<'t>(place: &str, text: &'t str) -> Result<(Vec<Part>, &'t str), SpecError> {
    let (mut parts, mut name, mut rest) = (Vec::new(), String::new(), text);
    if let Some(after) = rest.strip_prefix('$') {
        let (level, group, after) = reference(place, after)?;
        parts.push(Part::Reference { level, group });
        rest = after;
    }
    while let Some(c) = rest.chars().next() {
        if c == '[' {
            break;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '.' => break,
            '\\' => {
                let escaped = rest.chars().next().unwrap_or('\\');
                rest = rest.strip_prefix(escaped).unwrap_or(rest);
                name.push(escaped);
            }
            '*' => {
                return Err(SpecError::new(
                    place,
                    format!("the path `{text}` must not hold *, write \\\\* or &"),
                ));
            }
            '&' => {
                let (level, group, after) = reference(place, rest)?;
                rest = after;
                if !name.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut name)));
                }
                parts.push(Part::Reference { level, group });
            }
            c => name.push(c),
        }
    }
    if !name.is_empty() || parts.is_empty() {
        parts.push(Part::Text(name));
    }
    Ok((parts, rest))
}
