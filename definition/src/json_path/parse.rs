//! Reads JSON paths.

use super::{Condition, Function, FunctionName, JsonPathError, Literal, Operand, Path, Relation, Step};
use std::marker::PhantomData;
use std::sync::Arc;

/// Greatest path, bytes.
const PATH_MAX_BYTES: usize = 2048;

/// Greatest nesting of filters, levels.
const NESTING_MAX: usize = 16;

pub(super) fn path<L: Literal>(text: &str) -> Result<Path<L>, JsonPathError> {
    if text.len() > PATH_MAX_BYTES {
        return Err(JsonPathError(format!("the JSON path is longer than {PATH_MAX_BYTES} bytes")));
    }
    let mut reader = Reader::<L>::new(text);
    reader.spaces();
    // `a.b` means `$.a.b`.
    let path = if reader.takes("$") || reader.takes("@") {
        reader.path()?
    } else {
        let dotted = format!(".{}", text.trim_start());
        let mut inner = Reader::<L>::new(&dotted);
        let path = inner.path()?;
        inner.end()?;
        return Ok(path);
    };
    reader.end()?;
    Ok(path)
}

struct Reader<'t, L> {
    text: &'t str,
    at: usize,
    depth: usize,
    literals: PhantomData<L>,
}

impl<'t, L: Literal> Reader<'t, L> {
    fn new(text: &'t str) -> Self {
        Reader { text, at: 0, depth: 0, literals: PhantomData }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn refused(&self, wanted: &str) -> JsonPathError {
        let position = self.text.get(..self.at).map_or(0, |before| before.chars().count());
        JsonPathError(format!("the JSON path is not valid at character {position}: expected {wanted}"))
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    /// The symbol with white space around it.
    fn takes_spaced(&mut self, symbol: &str) -> bool {
        self.spaces();
        let found = self.takes(symbol);
        if found {
            self.spaces();
        }
        found
    }

    fn require(&mut self, symbol: &str) -> Result<(), JsonPathError> {
        if self.takes_spaced(symbol) { Ok(()) } else { Err(self.refused(&format!("`{symbol}`"))) }
    }

    fn end(&mut self) -> Result<(), JsonPathError> {
        self.spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(self.refused("`.`, `[` or the end")) }
    }

    fn name(&mut self) -> Option<&'t str> {
        let rest = self.rest();
        let stops = |c: char| c.is_whitespace() || ".[]()=!<>&|,'\"*?@~".contains(c);
        let length = rest.find(stops).unwrap_or(rest.len());
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    /// Behind `$` or `@`.
    fn path(&mut self) -> Result<Path<L>, JsonPathError> {
        let mut path = Path { steps: Vec::new(), functions: Vec::new() };
        loop {
            let scans = self.takes("..");
            let dotted = scans || self.takes(".");
            if self.rest().starts_with('[') {
                path.steps.extend(scans.then_some(Step::Scan));
                let step = self.brackets()?;
                path.steps.push(step);
            } else if !dotted {
                return Ok(path);
            } else if self.takes("*") {
                path.steps.extend(scans.then_some(Step::Scan));
                path.steps.push(Step::All);
            } else {
                let name = self.name().ok_or_else(|| self.refused("a name"))?;
                if self.takes("(") {
                    let function = self.function(name)?;
                    path.functions.push(function);
                    continue;
                }
                path.steps.extend(scans.then_some(Step::Scan));
                path.steps.push(Step::Names(vec![name.into()]));
            }
            if !path.functions.is_empty() {
                return Err(self.refused("nothing behind a function but another function"));
            }
        }
    }

    fn function(&mut self, name: &str) -> Result<Function<L>, JsonPathError> {
        let name = FunctionName::from_spelling(name).ok_or_else(|| self.refused("a function that exists"))?;
        let mut arguments = Vec::new();
        self.spaces();
        if self.takes(")") {
            return Ok(Function { name, arguments });
        }
        loop {
            arguments.push(self.nested(Self::operand)?);
            if self.takes_spaced(")") {
                return Ok(Function { name, arguments });
            }
            self.require(",")?;
        }
    }

    fn brackets(&mut self) -> Result<Step<L>, JsonPathError> {
        self.require("[")?;
        if self.takes("*") {
            self.require_close()?;
            return Ok(Step::All);
        }
        if self.takes("?") {
            self.require("(")?;
            let condition = self.nested(Self::condition)?;
            self.require(")")?;
            self.require_close()?;
            return Ok(Step::Filter(condition));
        }
        if self.rest().starts_with(['\'', '"']) {
            let mut names = vec![self.quoted()?];
            while self.takes_spaced(",") {
                names.push(self.quoted()?);
            }
            self.require_close()?;
            return Ok(Step::Names(names));
        }
        let first = self.integer();
        if self.takes_spaced(":") {
            let end = self.integer();
            self.require_close()?;
            return Ok(Step::Slice(first, end));
        }
        let mut places = vec![first.ok_or_else(|| self.refused("a name in quotes, a number, `*` or `?(`"))?];
        while self.takes_spaced(",") {
            places.push(self.integer().ok_or_else(|| self.refused("a number"))?);
        }
        self.require_close()?;
        Ok(Step::Places(places))
    }

    /// White space behind the bracket is not part of a path.
    fn require_close(&mut self) -> Result<(), JsonPathError> {
        self.spaces();
        if self.takes("]") { Ok(()) } else { Err(self.refused("`]`")) }
    }

    fn integer(&mut self) -> Option<i64> {
        let rest = self.rest();
        let digits = rest.strip_prefix('-').unwrap_or(rest);
        let length = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        let end = rest.len() - digits.len() + length;
        let value = rest[..end].parse().ok()?;
        self.at += end;
        Some(value)
    }

    /// A text in quotes of either kind, with backslashes.
    fn quoted(&mut self) -> Result<Arc<str>, JsonPathError> {
        let mut characters = self.rest().char_indices();
        let Some((_, quote @ ('\'' | '"'))) = characters.next() else {
            return Err(self.refused("a text in quotes"));
        };
        let mut text = String::new();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.push(other),
                    None => break,
                },
                _ if character == quote => {
                    self.at += at + 1;
                    return Ok(text.into());
                }
                _ => text.push(character),
            }
        }
        Err(self.refused("a closing quote"))
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, JsonPathError>,
    ) -> Result<T, JsonPathError> {
        if self.depth >= NESTING_MAX {
            return Err(self.refused("less nesting"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn condition(&mut self) -> Result<Condition<L>, JsonPathError> {
        let mut any = vec![self.all_of()?];
        while self.takes_spaced("||") {
            any.push(self.all_of()?);
        }
        Ok(if any.len() == 1 { any.remove(0) } else { Condition::Any(any) })
    }

    fn all_of(&mut self) -> Result<Condition<L>, JsonPathError> {
        let mut all = vec![self.single()?];
        while self.takes_spaced("&&") {
            all.push(self.single()?);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Condition::All(all) })
    }

    fn single(&mut self) -> Result<Condition<L>, JsonPathError> {
        if self.takes_spaced("!") {
            return Ok(Condition::Not(Box::new(self.nested(Self::single)?)));
        }
        if self.takes_spaced("(") {
            let inner = self.nested(Self::condition)?;
            self.require(")")?;
            return Ok(inner);
        }
        let left = self.operand()?;
        self.spaces();
        let Some(relation) = self.relation() else {
            let Operand::Path { .. } = left else { return Err(self.refused("a comparison")) };
            return Ok(Condition::Exists(left));
        };
        self.spaces();
        let right = self.operand()?;
        Ok(Condition::Compare(left, relation, right))
    }

    fn relation(&mut self) -> Option<Relation> {
        for (symbol, relation) in Relation::SYMBOLS {
            if self.takes(symbol) {
                return Some(*relation);
            }
        }
        let before = self.at;
        let found = self.name().and_then(Relation::from_word);
        if found.is_none() {
            self.at = before;
        }
        found
    }

    fn operand(&mut self) -> Result<Operand<L>, JsonPathError> {
        self.spaces();
        for (sign, from_root) in [("$", true), ("@", false)] {
            if self.takes(sign) {
                let path = self.nested(Self::path)?;
                return Ok(Operand::Path { from_root, path });
            }
        }
        if self.rest().starts_with(['\'', '"']) {
            return Ok(Operand::Value(L::text(&self.quoted()?)));
        }
        if self.takes("/") {
            return self.pattern();
        }
        if self.takes_spaced("[") {
            return self.list();
        }
        let rest = self.rest();
        let length = rest.find(|c: char| c.is_whitespace() || ",)]&|=<>!".contains(c)).unwrap_or(rest.len());
        let literal = L::parse(&rest[..length]).ok_or_else(|| self.refused("a value or a path"))?;
        self.at += length;
        Ok(Operand::Value(literal))
    }

    /// `['a', 1]`, behind its bracket.
    fn list(&mut self) -> Result<Operand<L>, JsonPathError> {
        let mut items = Vec::new();
        if self.takes_spaced("]") {
            return Ok(Operand::Value(L::list(items)));
        }
        loop {
            let Operand::Value(item) = self.nested(Self::operand)? else {
                return Err(self.refused("a list of values"));
            };
            items.push(item);
            if self.takes_spaced("]") {
                return Ok(Operand::Value(L::list(items)));
            }
            self.require(",")?;
        }
    }

    /// `/pattern/flags`, behind its slash.
    fn pattern(&mut self) -> Result<Operand<L>, JsonPathError> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.find(|c: char| {
            let ends = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| self.refused("a closing `/`"))?;
        self.at += end + 1;
        let flags: String =
            self.name().unwrap_or_default().chars().filter(|flag| "imsx".contains(*flag)).collect();
        let source = rest[..end].replace("\\/", "/");
        let pattern = if flags.is_empty() { source } else { format!("(?{flags}){source}") };
        Ok(Operand::Pattern(pattern))
    }
}
