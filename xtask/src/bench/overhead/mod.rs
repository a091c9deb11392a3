//! What each tool costs each target: pairs of the same work, with the tool and without, in alternating order.
//!
//! In: targets and tools, by name. Out: a table for each target, and every pair in a file. Refuses to leave out a tool
//! silently: one that is not there is in the table, with the command that brings it.
//! `latency` is the same for what requests take.

mod cell;
mod compare;
mod finding;
mod interpreters;
pub(super) mod options;
mod probed;
mod stretch;
mod table;
mod tools;
mod tracer;
mod workloads;

use anyhow::Result;

use self::cell::{Cell, Target};
use self::options::{Options, choose};
use self::tools::{TOOLS, Targets, Tool, Way};
use self::workloads::{WORKLOADS, Workload};
use super::Bench;
use super::table::Table;

pub(super) use self::finding::fetch;
pub(super) use self::interpreters::Interpreter;

pub(super) fn overhead(bench: &Bench<'_>, options: &Options) -> Result<()> {
    let tools = choose(&TOOLS, |tool| tool.name, &options.tool)?;
    for workload in choose(&WORKLOADS, |workload| workload.name, &options.workload)? {
        let applies = |tool: &&Tool| match tool.targets {
            Targets::All => true,
            Targets::Compiled => !workload.is_python(),
            Targets::Python => workload.is_python(),
        };
        let tools: Vec<&Tool> = tools.iter().copied().filter(applies).collect();
        println!("\n### {}\n\nA unit is a {}.\n", workload.name, workload.unit);
        compare_all(bench, workload, &tools, options, &table::COST)?;
    }
    println!("\n{}", table::EXPLANATION);
    Ok(())
}

pub(super) fn latency(bench: &Bench<'_>, options: &Options) -> Result<()> {
    let attaches = |tool: &&Tool| matches!(tool.way, Way::Attached { .. });
    let tools: Vec<&Tool> =
        choose(&TOOLS, |tool| tool.name, &options.tool)?.into_iter().filter(attaches).collect();
    let tools: Vec<&Tool> = tools.into_iter().filter(|tool| tool.targets == Targets::All).collect();
    for workload in choose(&WORKLOADS, |workload| workload.name, &options.workload)? {
        if workload.has_latency {
            println!("\n### {}: latency of a {}\n", workload.name, workload.unit);
            compare_all(bench, workload, &tools, options, &table::LATENCY)?;
        }
    }
    Ok(())
}

/// One target with each tool, a row each; one with a budget once for each budget.
fn compare_all(
    bench: &Bench<'_>,
    workload: &Workload,
    tools: &[&Tool],
    options: &Options,
    layout: &table::Layout,
) -> Result<()> {
    let target = match Target::prepare(bench, workload) {
        Ok(target) => target,
        Err(error) => {
            println!("Not measured: {error:#}");
            return Ok(());
        }
    };
    let mut rows = Table::new(layout.heads);
    for tool in tools {
        let budgets = if tool.has_budget() { &options.budget[..] } else { &options.budget[..1] };
        for budget in budgets {
            rows.add(row(&Cell { bench, workload, target: &target, tool, budget, options }, layout));
        }
    }
    print!("{rows}");
    Ok(())
}

fn row(cell: &Cell<'_>, layout: &table::Layout) -> Vec<String> {
    let name = cell.name();
    if cell.is_out_of_reach() {
        return vec![format!("{name}: follows no children, and this target is one")];
    }
    let Some(tool) = cell.find_tool() else {
        return vec![format!("{name}: not found; try: {}", cell.tool.install())];
    };
    match compare::compare(cell, &tool, layout) {
        Ok(pairs) => [vec![name], (layout.cells)(&pairs)].concat(),
        Err(error) => vec![format!("{name}: {error:#}")],
    }
}
