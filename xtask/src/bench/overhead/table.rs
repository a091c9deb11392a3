//! How pairs become the cells of a row.

use super::super::statistics::{Ratios, quantile};
use super::stretch::{Pair, QUANTILES, Stretch};

/// The columns of a table, and the figure whose mean is to be known well.
pub(super) struct Layout {
    pub(super) heads: &'static [&'static str],
    /// All cells but the tool's name.
    pub(super) cells: fn(&[Pair]) -> Vec<String>,
    pub(super) criterion: fn(&Stretch) -> f64,
}

pub(super) const COST: Layout = Layout {
    heads: &[
        "tool",
        "pairs",
        "CPU ns/unit untraced",
        "CPU ratio",
        "95 % interval",
        "quartiles",
        "wall ratio",
        "95 % interval",
        "quartiles",
        "added, of a core",
    ],
    cells: cost,
    criterion: Stretch::cpu_ns_per_unit,
};

pub(super) const LATENCY: Layout = Layout {
    heads: &[
        "tool",
        "pairs",
        "p50 us",
        "ratio",
        "95 % interval",
        "p99 us",
        "ratio",
        "95 % interval",
        "p99.9 us",
        "ratio",
        "95 % interval",
    ],
    cells: latency,
    criterion: |stretch| stretch.latency_ns.map_or(f64::NAN, |latency_ns| latency_ns[2]),
};

/// Stands below the tables.
pub(super) const EXPLANATION: &str = "\
Ratios are with the tool to without, of the same pair: the geometric mean, its 95 % interval (Student's t on the
logarithms), and the quartiles of single pairs. `none` is the control: nothing is attached in either half of a pair
of stretches of one process; `none-anew` the same with a process for each half, as for tools that are there from the
start. `added, of a core` is what the tool adds at the pace of the untraced target.";

fn cost(pairs: &[Pair]) -> Vec<String> {
    let cpu_ns: Vec<f64> = pairs.iter().map(|pair| pair.untraced.cpu_ns_per_unit()).collect();
    let added: Vec<f64> = pairs.iter().map(Pair::added_share).collect();
    let mut cells = vec![pairs.len().to_string(), significant(quantile(&cpu_ns, 0.5))];
    for figure in [Stretch::cpu_ns_per_unit, Stretch::wall_ns_per_unit] {
        let ratios = ratios(pairs, figure);
        let [lower, middle, upper] = ratios.quartiles.map(ratio);
        cells.extend([ratio(ratios.mean), interval(&ratios), format!("{lower} {middle} {upper}")]);
    }
    let added = quantile(&added, 0.5);
    cells.push(if added > 1.0 { "over 100 %".to_owned() } else { format!("{:.2} %", 100.0 * added) });
    cells
}

fn latency(pairs: &[Pair]) -> Vec<String> {
    let mut cells = vec![pairs.len().to_string()];
    for index in 0..QUANTILES.len() {
        let figure = |stretch: &Stretch| stretch.latency_ns.map_or(f64::NAN, |latency_ns| latency_ns[index]);
        let untraced: Vec<f64> = pairs.iter().map(|pair| figure(&pair.untraced) / 1e3).collect();
        let ratios = ratios(pairs, figure);
        cells.extend([significant(quantile(&untraced, 0.5)), ratio(ratios.mean), interval(&ratios)]);
    }
    cells
}

fn ratios(pairs: &[Pair], figure: impl Fn(&Stretch) -> f64) -> Ratios {
    Ratios::of(&pairs.iter().map(|pair| pair.ratio(&figure)).collect::<Vec<f64>>())
}

fn interval(ratios: &Ratios) -> String {
    format!("{} to {}", ratio(ratios.low), ratio(ratios.high))
}

/// To a hundredth of a percent where it is near 1, to three digits where it is not.
fn ratio(ratio: f64) -> String {
    if ratio < 1.5 { format!("{ratio:.4}") } else { significant(ratio) }
}

/// Three digits.
fn significant(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "unknown".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(units: f64) -> Stretch {
        Stretch { units, cpu_ns: 1e9, wall_ns: 2e9, latency_ns: Some([1e3, 2e3, 3e3]) }
    }

    #[test]
    fn half_the_units_in_the_same_time_is_twice_the_cost() {
        let pair = Pair { untraced: stretch(1000.0), traced: stretch(500.0) };
        let cells = cost(&[pair, pair]);
        assert_eq!(cells[..3], ["2", "1000000", "2.00"]);
        assert_eq!(cells.last().map(String::as_str), Some("50.00 %"));
    }

    #[test]
    fn every_row_has_a_cell_for_each_head() {
        let pairs = [Pair { untraced: stretch(10.0), traced: stretch(9.0) }; 3];
        for layout in [COST, LATENCY] {
            assert_eq!((layout.cells)(&pairs).len() + 1, layout.heads.len());
        }
    }
}
