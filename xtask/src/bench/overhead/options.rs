//! What is to be compared, and how long; every default is that of the figures in `docs/overhead.md`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;

/// Of `overhead` and `latency`.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this target (repeatable); also of `estimates`
    #[arg(long, value_name = "NAME")]
    pub(in super::super) workload: Vec<String>,
    /// Only this tool (repeatable); `none` is the control
    #[arg(long, value_name = "NAME")]
    pub(super) tool: Vec<String>,
    /// So many pairs of each; else six, and of the controls and memtrace at a budget as many as it takes to know the
    /// mean to half a percent
    #[arg(long)]
    pub(super) pairs: Option<usize>,
    /// memtrace's budget (repeatable)
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    pub(super) budget: Vec<String>,
    /// Length of what is measured
    #[arg(long, default_value_t = 4.0)]
    pub(super) stretch_seconds: f64,
    /// Length of the same work before it, after the tracer has come or gone
    #[arg(long, default_value_t = 2.0)]
    pub(super) settle_seconds: f64,
    /// No pair begins later than this after the first of the same target and tool
    #[arg(long, default_value_t = 20.0)]
    pub(super) cap_minutes: f64,
}

impl Options {
    pub(super) fn cap(&self) -> Duration {
        Duration::from_secs_f64(self.cap_minutes * 60.0)
    }
}

/// Those whose name is wanted, in their own order; all when none is. Refuses a name that nothing has.
pub(in super::super) fn choose<'a, T>(
    all: &'a [T],
    name: impl Fn(&T) -> &'static str,
    wanted: &[String],
) -> Result<Vec<&'a T>> {
    if let Some(unknown) = wanted.iter().find(|wanted| !all.iter().any(|one| name(one) == wanted.as_str())) {
        let names: Vec<&str> = all.iter().map(&name).collect();
        bail!("there is no {unknown}; there are: {}", names.join(", "));
    }
    let is_wanted = |one: &&T| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name(one));
    Ok(all.iter().filter(is_wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_chosen_when_no_name_is_given() {
        let chosen = choose(&["a", "b"], |name| *name, &[]).expect("nothing is unknown");
        assert_eq!(chosen, [&"a", &"b"]);
    }

    #[test]
    fn a_name_that_nothing_has_is_refused_with_those_there_are() {
        let error = choose(&["a", "b"], |name| *name, &["c".to_owned()]).expect_err("c is unknown");
        assert_eq!(error.to_string(), "there is no c; there are: a, b");
    }
}
