//! Built-ins of texts and of single values.

use super::number::Number;
use super::value::Value;
use super::{RenderError, Run, describe};
use definition::freemarker::{Builtin, Expr};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What `?url` leaves as it is.
const URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Run<'_> {
    /// The value of `of?name(arguments)`.
    pub(super) fn builtin(
        &mut self,
        of: &Expr,
        name: Builtin,
        arguments: &[Expr],
    ) -> Result<Option<Value>, RenderError> {
        use Builtin as B;
        if let (true, Expr::Name(variable)) = (name.is_of_loop(), of) {
            return self.loop_place(variable, name).map(Some);
        }
        if name == B::HasContent {
            let value = match self.value(of) {
                Err(RenderError::Missing(_)) if matches!(of, Expr::Parentheses(_)) => None,
                other => other?,
            };
            return Ok(Some(Value::Bool(value.is_some_and(|value| self.has_content(&value)))));
        }
        let value = self.present(of)?;
        match name {
            B::Then => {
                let Value::Bool(truth) = value else {
                    return Err(value.unexpected(|| describe(of), "true or false"));
                };
                self.value(if truth { &arguments[0] } else { &arguments[1] })
            }
            B::Size
            | B::Keys
            | B::Values
            | B::Join
            | B::First
            | B::Last
            | B::Reverse
            | B::Sort
            | B::SortBy
            | B::SeqContains
            | B::SeqIndexOf
            | B::Min
            | B::Max => self.sequence(of, &value, name, arguments),
            B::IsString => Ok(Some(Value::Bool(matches!(value, Value::Text(_))))),
            B::IsNumber => Ok(Some(Value::Bool(matches!(value, Value::Number(_))))),
            B::IsBoolean => Ok(Some(Value::Bool(matches!(value, Value::Bool(_))))),
            B::IsSequence => Ok(Some(Value::Bool(matches!(value, Value::List(_))))),
            B::IsHash => Ok(Some(Value::Bool(value.kind() == "a hash"))),
            B::Abs | B::Int | B::Floor | B::Ceiling | B::Round => {
                let number = value.number(|| describe(of))?;
                Ok(Some(Value::Number(rounded(number, name))))
            }
            B::String => self.string(of, &value, arguments).map(Some),
            _ => {
                let text = value.text(|| describe(of))?;
                self.spend(text.len() / 64)?;
                self.text_builtin(&text, name, arguments)
            }
        }
    }

    fn has_content(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Text(text) => !text.is_empty(),
            Value::List(items) => !items.is_empty(),
            Value::Hash(hash) | Value::Headers(hash) => !hash.is_empty(),
            Value::Root(root) => !self.root_names(*root).is_empty(),
            Value::Number(_) | Value::Bool(_) => true,
        }
    }

    /// A truth as one of two texts, or any value as text.
    fn string(&mut self, of: &Expr, value: &Value, arguments: &[Expr]) -> Result<Value, RenderError> {
        match (value, arguments) {
            (Value::Bool(truth), [yes, no]) => self.present(if *truth { yes } else { no }),
            (_, []) => self.made(value.text(|| describe(of))?.into_owned()),
            _ => Err(RenderError::Other(
                "?string takes two texts for true and false, and formats nothing else",
            )),
        }
    }

    fn argument(&mut self, arguments: &[Expr], index: usize) -> Result<String, RenderError> {
        let Some(expr) = arguments.get(index) else { return Ok(String::new()) };
        Ok(self.present(expr)?.text(|| describe(expr))?.into_owned())
    }

    fn count(&mut self, expr: &Expr) -> Result<usize, RenderError> {
        let number = self.present(expr)?.number(|| describe(expr))?;
        let count = number.integer().and_then(|count| usize::try_from(count).ok());
        count.ok_or(RenderError::Other("a place in a text is a whole number from 0"))
    }

    fn text_builtin(
        &mut self,
        text: &str,
        name: Builtin,
        arguments: &[Expr],
    ) -> Result<Option<Value>, RenderError> {
        use Builtin as B;
        let first = match name {
            B::Substring | B::LeftPad | B::RightPad => String::new(),
            _ => self.argument(arguments, 0)?,
        };
        let place = |found: Option<usize>| {
            let place = found.map_or(-1, |at| i64::try_from(text[..at].chars().count()).unwrap_or(i64::MAX));
            Value::Number(Number::Integer(place))
        };
        let made = match name {
            B::Length => return Ok(Some(place(Some(text.len())))),
            B::Contains => return Ok(Some(Value::Bool(text.contains(&first)))),
            B::StartsWith => return Ok(Some(Value::Bool(text.starts_with(&first)))),
            B::EndsWith => return Ok(Some(Value::Bool(text.ends_with(&first)))),
            B::IndexOf => return Ok(Some(place(text.find(&first)))),
            B::LastIndexOf => return Ok(Some(place(text.rfind(&first)))),
            B::Number => {
                let number = Number::parse(text).ok_or(RenderError::Other("a text is no number"))?;
                return Ok(Some(Value::Number(number)));
            }
            B::Boolean => match text {
                "true" => return Ok(Some(Value::Bool(true))),
                "false" => return Ok(Some(Value::Bool(false))),
                _ => return Err(RenderError::Other("a text is neither true nor false")),
            },
            B::Eval => {
                let json = serde_json::from_str(text)
                    .map_err(|_| RenderError::Other("?eval reads JSON, and this is none"))?;
                self.spend(text.len() / 8)?;
                return Ok(Some(Value::of_json(&json)).filter(|value| !matches!(value, Value::Null)));
            }
            B::Split if first.is_empty() => {
                return Err(RenderError::Other("?split needs a text to split at"));
            }
            B::Split => {
                self.spend(text.matches(&first).count())?;
                return Ok(Some(Value::list_of(text.split(&first).map(Value::text_of))));
            }
            B::Replace => {
                let by = self.argument(arguments, 1)?;
                // Counted before it is made: each match may become as long as one likes.
                let matches = text.matches(&first).count();
                if matches.saturating_mul(by.len()) > super::TEXT_MAX_BYTES {
                    return Err(RenderError::Other("a text is larger than 10 MiB"));
                }
                text.replace(&first, &by)
            }
            B::Substring => self.substring(text, arguments)?,
            B::LeftPad | B::RightPad => self.padded(text, name == B::LeftPad, arguments)?,
            _ => changed(text, name, &first),
        };
        self.made(made).map(Some)
    }

    fn substring(&mut self, text: &str, arguments: &[Expr]) -> Result<String, RenderError> {
        let from = self.count(&arguments[0])?;
        let to = arguments.get(1).map(|to| self.count(to)).transpose()?;
        let letters: Vec<char> = text.chars().collect();
        let part = letters.get(from..to.unwrap_or(letters.len()));
        part.map(|part| part.iter().collect())
            .ok_or(RenderError::Other("?substring reaches outside of its text"))
    }

    fn padded(&mut self, text: &str, left: bool, arguments: &[Expr]) -> Result<String, RenderError> {
        let width = self.count(&arguments[0])?;
        let fill = if arguments.len() > 1 { self.argument(arguments, 1)? } else { " ".to_owned() };
        if fill.is_empty() || width > super::TEXT_MAX_BYTES {
            return Err(RenderError::Other("a text cannot be padded with this"));
        }
        self.spend(width / 64)?;
        let missing = width.saturating_sub(text.chars().count());
        let padding: String = fill.chars().cycle().take(missing).collect();
        Ok(if left { padding + text } else { text.to_owned() + &padding })
    }
}

fn rounded(number: Number, name: Builtin) -> Number {
    let Number::Real(real) = number else {
        let abs = name == Builtin::Abs;
        return if abs { number.with(number, |a, _| a.checked_abs(), |a, _| a.abs()) } else { number };
    };
    let real = match name {
        Builtin::Abs => return Number::Real(real.abs()),
        Builtin::Floor => real.floor(),
        Builtin::Ceiling => real.ceil(),
        Builtin::Round => (real + 0.5).floor(),
        _ => real.trunc(),
    };
    Number::Real(real).integer().map_or(Number::Real(real), Number::Integer)
}

/// Built-ins that make a text of a text.
fn changed(text: &str, name: Builtin, argument: &str) -> String {
    use Builtin as B;
    match name {
        B::UpperCase => text.to_uppercase(),
        B::LowerCase => text.to_lowercase(),
        B::CapFirst => first_letter(text, |first| first.to_uppercase().collect()),
        B::UncapFirst => first_letter(text, |first| first.to_lowercase().collect()),
        B::Trim => text.trim().to_owned(),
        B::JsonString => {
            let quoted = serde_json::Value::from(text).to_string();
            // `</` would end a script, and a quote in single quotes a literal of one.
            quoted[1..quoted.len() - 1].replace("</", "<\\/")
        }
        B::Html => escaped(text),
        B::Url => utf8_percent_encode(text, URL).to_string(),
        B::RemoveBeginning => text.strip_prefix(argument).unwrap_or(text).to_owned(),
        B::RemoveEnding => text.strip_suffix(argument).unwrap_or(text).to_owned(),
        B::KeepBefore => text.split_once(argument).map_or(text, |(before, _)| before).to_owned(),
        B::KeepAfter => text.split_once(argument).map_or("", |(_, after)| after).to_owned(),
        _ => text.to_owned(),
    }
}

fn first_letter(text: &str, change: impl Fn(char) -> String) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| change(first) + letters.as_str())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}
