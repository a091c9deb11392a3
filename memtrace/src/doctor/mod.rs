//! `memtrace doctor`.

/// Runs it.
///
/// # Errors
/// When output cannot be written.
pub fn run(_pid: Option<u32>, _json: bool) -> anyhow::Result<()> {
    Ok(())
}
