//! placeholder
use anyhow::Result;
pub(super) fn fleet(_bench: &super::Bench<'_>) -> Result<()> {
    Ok(())
}
