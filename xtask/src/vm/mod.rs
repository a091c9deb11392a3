//! x
pub(crate) fn vm(_: &crate::workspace::Workspace, _: &[String]) -> anyhow::Result<()> { Ok(()) }
