//! What was measured, beside what it should be.

use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use xtask::tables::table;

/// What a figure should be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case", tag = "bound", content = "value")]
pub(crate) enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// There is none: the figure explains others.
    None,
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    what: String,
    unit: &'static str,
    goal: Goal,
    /// None where it couldn't be measured here.
    measured: Option<f64>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<&'static str>,
    /// 1 or more meets the goal.
    ratio: Option<f64>,
}

/// All of them, in the order in which they were measured.
#[derive(Debug, Default)]
pub(crate) struct Figures(Vec<Figure>);

impl Figures {
    /// Adds one, and says so: a benchmark takes long enough to wonder.
    pub(crate) fn add(&mut self, what: impl Into<String>, unit: &'static str, goal: Goal, measured: f64) {
        let ratio = match goal {
            Goal::AtLeast(least) => Some(measured / least),
            Goal::AtMost(most) => Some(most / measured.max(f64::MIN_POSITIVE)),
            Goal::None => None,
        };
        let what = what.into();
        println!("{what}: {} {unit}", number(measured));
        self.0.push(Figure { what, unit, goal, measured: Some(measured), missing: None, ratio });
    }

    /// Says that one can't be measured here.
    pub(crate) fn missing(&mut self, what: impl Into<String>, unit: &'static str, goal: Goal, why: &'static str) {
        let what = what.into();
        println!("{what}: {why}");
        self.0.push(Figure { what, unit, goal, measured: None, missing: Some(why), ratio: None });
    }

    /// For people.
    pub(crate) fn table(&self) -> Table {
        let mut table = table(["what", "goal", "measured", "unit", "ratio"]);
        for column in [1, 2, 4] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        for figure in &self.0 {
            let goal = match figure.goal {
                Goal::AtLeast(least) => format!("≥ {}", number(least)),
                Goal::AtMost(most) => format!("≤ {}", number(most)),
                Goal::None => String::new(),
            };
            let ratio = figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
            let measured = figure.measured.map_or_else(|| figure.missing.unwrap_or_default().to_owned(), number);
            table.add_row([figure.what.clone(), goal, measured, figure.unit.to_owned(), ratio]);
        }
        table
    }

    /// For programs.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&serde_json::json!({ "cores": cores(), "figures": self.0 }))
    }
}

/// Three significant digits, thousands apart.
fn number(value: f64) -> String {
    if value < 100.0 {
        let decimals = if value < 10.0 { 2 } else { 1 };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// How many threads run at once here.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The value below which `percent` of the sorted ones are; 0 without any.
pub(crate) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len().saturating_sub(1) * percent / 100).copied().unwrap_or_default()
}

/// Sorts measurements, smallest first.
pub(crate) fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}
