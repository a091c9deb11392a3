//! placeholder
use anyhow::Result;
pub(super) fn estimates(_bench: &super::Bench<'_>, _minutes: u32, _workloads: &[String]) -> Result<()> {
    Ok(())
}
