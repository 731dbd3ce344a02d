//! What evaluating a template costs: a constant, a header, a JSON path on a message of 1 KB.

use crate::report::{Row, Target, plain};
use anyhow::{anyhow, bail};
use definition::expression::Template;
use gateway::probe::Probe;
use http::{HeaderMap, HeaderValue};
use std::time::{Duration, Instant};

/// Evaluations between two looks at the clock.
const BATCH: u32 = 1_000;
/// Bytes of the message.
const MESSAGE_BYTES: usize = 1024;

/// Nanoseconds per evaluation as ratios to their targets. Needs neither the product's binary nor a broker.
#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Milliseconds of each round.
    #[arg(long, default_value_t = 200)]
    milliseconds: u64,
}

/// What is evaluated, what it has to give, and the greatest time for it in nanoseconds.
struct Case {
    what: &'static str,
    template: &'static str,
    expected: &'static str,
    target_ns: f64,
}

const CASES: &[Case] = &[
    Case { what: "a constant", template: "application/json", expected: "application/json", target_ns: 50.0 },
    Case { what: "a header", template: "{#request.headers['x']}", expected: "value", target_ns: 1_000.0 },
    Case {
        what: "a JSON path on a 1 KB message",
        template: "{#jsonPath(#message.content, '$.customer.address.city')}",
        expected: "Paris",
        target_ns: 5_000.0,
    },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<Vec<Row>> {
    let mut headers = HeaderMap::new();
    for name in ["host", "accept", "user-agent", "x-request-id"] {
        headers.insert(name, HeaderValue::from_static("something"));
    }
    headers.insert("x", HeaderValue::from_static("value"));
    let probe = Probe { headers, content: message() };
    CASES.iter().map(|case| measure(args, &probe, case)).collect()
}

/// A message as they are on business topics: some members, a list, a nested object behind it.
fn message() -> Vec<u8> {
    let mut text = r#"{"id":"3f2c","type":"order.created","amount":129.95,"items":["#.to_owned();
    let end = r#"],"customer":{"name":"Ann","address":{"street":"1 rue X","city":"Paris"}}}"#;
    while text.len() + end.len() < MESSAGE_BYTES - 60 {
        let separator = if text.ends_with('[') { "" } else { "," };
        text.push_str(separator);
        text.push_str(r#"{"sku":"A-1042","quantity":2,"price":17.5,"gift":false}"#);
    }
    text.push_str(end);
    text.into_bytes()
}

fn measure(args: &Args, probe: &Probe, case: &Case) -> anyhow::Result<Row> {
    let template = Template::parse(case.template)?;
    let length = Duration::from_millis(args.milliseconds);
    let mut ratios = Vec::new();
    for _ in 0..args.rounds {
        let started = Instant::now();
        let mut evaluations = 0;
        while started.elapsed() < length {
            for _ in 0..BATCH {
                let value = probe.text(std::hint::black_box(&template)).map_err(|error| anyhow!(error))?;
                if value.as_deref() != Some(case.expected) {
                    bail!("{} has the value {value:?}", case.template);
                }
            }
            evaluations += BATCH;
        }
        let ns = started.elapsed().as_nanos() as f64 / f64::from(evaluations);
        ratios.push(ns / case.target_ns);
    }
    let best = ratios.iter().copied().fold(f64::INFINITY, f64::min) * case.target_ns;
    let (ours, floor) = (format!("{} ns", plain(best)), format!("{} ns", plain(case.target_ns)));
    let what = format!("time to evaluate {}", case.what);
    Ok(Row::ratio(what, ours, floor, &ratios, Some(Target::AtMost(1.0))))
}
