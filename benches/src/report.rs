//! How figures are put into words: a ratio is the median over the rounds with its range, beside its target.

use std::time::Duration;

/// One line of the summary.
pub(crate) struct Row {
    /// What was measured, with its setting.
    pub(crate) what: String,
    /// The product's own figure, with its unit.
    pub(crate) ours: String,
    /// What it is compared with, with its unit; empty when the target is absolute.
    pub(crate) floor: String,
    /// The figure that the target is about, and its range.
    pub(crate) figure: String,
    /// The target in words; empty when there is none.
    pub(crate) target: String,
    /// Whether the target was met; `None` when there is none.
    pub(crate) met: Option<bool>,
}

/// Which way a target lies.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn words(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {least}{unit}"),
            Self::AtMost(most) => format!("≤ {most}{unit}"),
        }
    }
}

impl Row {
    /// A ratio to a floor over several rounds.
    pub(crate) fn ratio(
        what: String,
        ours: String,
        floor: String,
        ratios: &[f64],
        target: Option<Target>,
    ) -> Self {
        let ratio = Spread::of(ratios);
        let figure = format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.least, ratio.greatest);
        Self {
            what,
            ours,
            floor,
            figure,
            target: target.map(|target| target.words(" × floor")).unwrap_or_default(),
            met: target.map(|target| target.is_met(ratio.median)),
        }
    }

    /// A figure with an absolute target.
    pub(crate) fn absolute(what: &str, value: f64, unit: &str, note: String, target: Option<Target>) -> Self {
        let unit = format!(" {unit}");
        Self {
            what: what.to_owned(),
            ours: note,
            floor: String::new(),
            figure: format!("{}{unit}", plain(value)),
            target: target.map(|target| target.words(&unit)).unwrap_or_default(),
            met: target.map(|target| target.is_met(value)),
        }
    }
}

/// Median and range.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// Of a list that is not empty; zeros otherwise.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or_default();
        let last = sorted.len().saturating_sub(1);
        Self { median: (at(last / 2) + at(sorted.len() / 2)) / 2.0, least: at(0), greatest: at(last) }
    }
}

/// The value at `quantile` (0 to 1) of a list, nearest rank.
pub(crate) fn quantile(values: &[f64], quantile: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * quantile).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// A number with about three digits.
pub(crate) fn plain(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Milliseconds of a duration.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Prints lines of cells in aligned columns, the first line as heading.
pub(crate) fn print_table(lines: &[Vec<String>]) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for line in lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
    println!();
}

/// Prints the summary of one or several commands.
pub(crate) fn print_summary(rows: &[Row]) {
    let mut lines = vec![["measured", "ours", "floor", "figure", "target", ""].map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        let met = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        [&row.what, &row.ours, &row.floor, &row.figure, &row.target, met].map(str::to_owned).to_vec()
    }));
    println!("Summary (ratios: median over rounds, range in parentheses)");
    print_table(&lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!((spread.median, spread.least, spread.greatest), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of(&[4.0, 1.0]).median, 2.5);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.99), 4.0);
    }

    #[test]
    fn a_row_says_whether_its_target_was_met() {
        let row = |ratio| {
            Row::ratio(String::new(), String::new(), String::new(), &[ratio], Some(Target::AtMost(1.5)))
        };
        assert_eq!((row(1.5).met, row(1.6).met), (Some(true), Some(false)));
        assert_eq!(Row::absolute("x", 0.2, "s", String::new(), Some(Target::AtLeast(0.3))).met, Some(false));
    }
}
