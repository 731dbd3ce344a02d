//! Policy `policy-request-validation`: refuses requests that break rules about their parts, naming every broken rule.

use super::{Flow, Policy, Site};
use crate::call::Call;
use crate::expression::{self, Scope};
use crate::failure::Failure;
use async_trait::async_trait;
use chrono::format::{ParseErrorKind, Parsed, StrftimeItems, parse};
use definition::api::Settings;
use definition::expression::Needs;
use definition::policy::Phase;
use definition::policy::date_format::date_format;
use definition::policy::pattern::{Reading, compile};
use definition::policy::request_validation::{Constraint, ConstraintType, RequestValidation, Rule};
use definition::violation::Violation;
use http::StatusCode;
use serde_json::{Value, json};
use std::ops::RangeInclusive;
use std::sync::Arc;

const INVALID: &str = "REQUEST_VALIDATION_INVALID";

/// Builds the policy.
pub(crate) fn build(settings: &Settings, _site: &Site<'_>) -> Result<Arc<dyn Policy>, Vec<Violation>> {
    let RequestValidation { status, rules, .. } = RequestValidation::parse(settings)?;
    let needs = rules.iter().fold(Needs::default(), |needs, rule| needs | rule.input.needs());
    let rules: Option<Vec<_>> = rules.into_iter().map(|rule| Some((test(&rule.constraint)?, rule))).collect();
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    // The settings were checked: whatever has no test was refused there.
    let rules = rules.ok_or_else(Vec::new)?;
    Ok(Arc::new(RequestValidationPolicy { status, rules, needs }))
}

struct RequestValidationPolicy {
    status: StatusCode,
    rules: Vec<(Test, Rule)>,
    needs: Needs,
}

/// A constraint, ready to be asked.
enum Test {
    NotNull,
    Min(i64),
    Max(i64),
    Size(RangeInclusive<usize>),
    Mail,
    /// In the notation of `strftime`.
    Date(String),
    Pattern(Box<fancy_regex::Regex>),
    Enum(Vec<String>),
}

fn test(constraint: &Constraint) -> Option<Test> {
    let parameter = |index: usize| constraint.parameters.get(index).map(String::as_str);
    let number = |index| parameter(index)?.trim().parse::<i64>().ok();
    let length = |index| Some(usize::try_from(number(index)?).unwrap_or(0));
    Some(match constraint.r#type {
        ConstraintType::NotNull => Test::NotNull,
        ConstraintType::Min => Test::Min(number(0)?),
        ConstraintType::Max => Test::Max(number(0)?),
        ConstraintType::Size => Test::Size(length(0)?..=length(1)?),
        ConstraintType::Mail => Test::Mail,
        ConstraintType::Date => Test::Date(date_format(parameter(0)?).ok()?),
        ConstraintType::Pattern => Test::Pattern(Box::new(compile(parameter(0)?, Reading::default()).ok()?)),
        ConstraintType::Enum => Test::Enum(constraint.parameters.clone()),
    })
}

#[async_trait]
impl Policy for RequestValidationPolicy {
    fn needs(&self, _phase: Phase) -> Needs {
        self.needs
    }

    async fn on_request(&self, call: &mut Call) -> Result<Flow, Failure> {
        let broken: Vec<Value> =
            self.rules.iter().filter_map(|(test, rule)| broken(test, rule, call)).collect();
        if broken.is_empty() {
            return Ok(Flow::Continue);
        }
        let text =
            json!({"message": "Request is not valid according to constraint rules", "constraints": broken});
        Err(Failure::new(self.status, INVALID, text.to_string()).parameter("violations", broken))
    }
}

/// What is said about a broken rule. A value that cannot be had is absent.
fn broken(test: &Test, rule: &Rule, call: &Call) -> Option<Value> {
    let value = expression::text(&rule.input, &Scope::of(call)).unwrap_or_default();
    let kept = match value.as_deref() {
        Some(value) => test.holds(value),
        None => !rule.is_required,
    };
    (!kept).then(|| message(test, rule).into())
}

impl Test {
    fn holds(&self, value: &str) -> bool {
        let number = || value.trim().parse::<f64>().ok();
        match self {
            Test::NotNull => !value.trim().is_empty(),
            Test::Min(least) => number().is_some_and(|value| value >= *least as f64),
            Test::Max(greatest) => number().is_some_and(|value| value <= *greatest as f64),
            Test::Size(range) => range.contains(&value.chars().count()),
            Test::Mail => is_mail(value),
            Test::Date(format) => is_date(value, format),
            // A match that takes too long is none.
            Test::Pattern(regex) => regex.is_match(value).unwrap_or(false),
            Test::Enum(values) => values.iter().any(|known| known == value),
        }
    }

    fn default_message(&self) -> &'static str {
        match self {
            Test::NotNull => "'%s' can not be null.",
            Test::Min(_) => "'%s' must be higher or equals to '%s'",
            Test::Max(_) => "'%s' must be lower or equals to '%s'",
            Test::Size(_) => "'%s' length must be higher or equals to '%s' and lower or equals to '%s'",
            Test::Mail => "%s is not a valid email.",
            Test::Date(_) => "'%s' is not valid (format: '%s')",
            Test::Pattern(_) => "'%s' is not valid (pattern: '%s')",
            Test::Enum(_) => "'%s' not included in ENUM",
        }
    }
}

/// Fills the gaps of a message: the input, then the parameters.
fn message(test: &Test, rule: &Rule) -> String {
    let given = rule.constraint.message.as_deref().filter(|message| !message.trim().is_empty());
    let mut parts = given.unwrap_or_else(|| test.default_message()).split("%s");
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut fills =
        std::iter::once(rule.input.source()).chain(rule.constraint.parameters.iter().map(String::as_str));
    for part in parts {
        text.push_str(fills.next().unwrap_or_default());
        text.push_str(part);
    }
    text
}

fn is_mail(value: &str) -> bool {
    let Some((name, domain)) = value.rsplit_once('@') else { return false };
    let name_is =
        !name.is_empty() && name.len() <= 64 && !name.contains(|c: char| c.is_whitespace() || c == '@');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name_is
        && !name.starts_with('.')
        && !name.ends_with('.')
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// Whether a text is a date of the format and of the calendar.
fn is_date(value: &str, format: &str) -> bool {
    let mut parsed = Parsed::new();
    if parse(&mut parsed, value, StrftimeItems::new(format)).is_err() {
        return false;
    }
    // A format need not name a whole date; what it names must fit together.
    match parsed.to_naive_date() {
        Ok(_) => true,
        Err(error) => error.kind() == ParseErrorKind::NotEnough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(rules: Value) -> Result<Flow, Failure> {
        let policy = super::super::sample::build(build, json!({"status": "422", "rules": rules}));
        policy.on_request(&mut Call::sample("GET /ctx", &[], "")).await
    }

    async fn check(kind: &str, parameters: &[&str], good: &[&str], bad: &[&str], said: &str) {
        let rule =
            |input: &str| json!([{"input": input, "constraint": {"type": kind, "parameters": parameters}}]);
        for input in good {
            assert!(ask(rule(input)).await.is_ok(), "{kind} {input}");
        }
        for input in bad {
            let failure = ask(rule(input)).await.unwrap_err();
            assert_eq!((failure.status.as_u16(), failure.key.as_deref()), (422, Some(INVALID)));
            let said = json!([said.replace("{}", input)]);
            assert_eq!(failure.details.unwrap().parameters["violations"], said);
            let text: Value = serde_json::from_str(&failure.message).unwrap();
            assert_eq!(text["message"], "Request is not valid according to constraint rules");
            assert_eq!(text["constraints"], said);
        }
    }

    #[tokio::test]
    async fn every_constraint_holds_or_says_why() {
        check("NOT_NULL", &[], &["x"], &["", " "], "'{}' can not be null.").await;
        check("MIN", &["5"], &["5", "5.5", " 6 "], &["4.9", "x", ""], "'{}' must be higher or equals to '5'")
            .await;
        check("MAX", &["5"], &["5", "-1"], &["5.1", "x"], "'{}' must be lower or equals to '5'").await;
        let size = "'{}' length must be higher or equals to '2' and lower or equals to '3'";
        check("SIZE", &["2", "3"], &["éé", "abc"], &["a", "abcd"], size).await;
        let mails = ["a@b.c", "a.b+c@d-e.org"];
        check(
            "MAIL",
            &[],
            &mails,
            &["a", "a@b", "a b@c.d", "@b.c", "a@b..c", "a@-b.c"],
            "{} is not a valid email.",
        )
        .await;
        let format = "'{}' is not valid (format: 'dd/MM/yyyy')";
        check(
            "DATE",
            &["dd/MM/yyyy"],
            &["29/02/2024"],
            &["29/02/2023", "1/13/2024", "x", "01/01/2024x"],
            format,
        )
        .await;
        check("DATE", &["HH:mm"], &["23:59"], &["24:00"], "'{}' is not valid (format: 'HH:mm')").await;
        check("PATTERN", &["b+"], &["abc"], &["ac"], "'{}' is not valid (pattern: 'b+')").await;
        check("ENUM", &["a", "b"], &["a", "b"], &["c", "A"], "'{}' not included in ENUM").await;
    }

    #[tokio::test]
    async fn every_broken_rule_is_named_in_its_own_words() {
        let rule = |input: &str, message: &str| json!({"input": input, "constraint": {"type": "MIN", "parameters": ["5"], "message": message}});
        let failure =
            ask(json!([rule("1", "%s < %s %s"), rule("9", "x"), rule("2", "no")])).await.unwrap_err();
        assert_eq!(failure.details.unwrap().parameters["violations"], json!(["1 < 5 ", "no"]));
        assert!(ask(json!([])).await.is_ok());
    }
}
