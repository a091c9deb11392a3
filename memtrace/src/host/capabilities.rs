//! What this process may do: its effective capabilities.
//!
//! In: `/proc/self/status`. Out: a set to ask. It knows only the capabilities that memtrace has a use for.

use std::fs;

/// A capability, with the kernel's number (`include/uapi/linux/capability.h`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capability {
    /// Read any file, tracefs and other processes' executables among them.
    DacReadSearch = 2,
    /// Look into processes of other users.
    SysPtrace = 19,
    /// Almost anything; it includes `Perfmon` and `Bpf`.
    SysAdmin = 21,
    /// Lift limits: of locked memory, which BPF maps count as before 5.11, and of open files.
    SysResource = 24,
    /// Attach probes.
    Perfmon = 38,
    /// Load BPF programs.
    Bpf = 39,
}

impl Capability {
    /// As setcap(8) and documentation spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DacReadSearch => "CAP_DAC_READ_SEARCH",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::SysResource => "CAP_SYS_RESOURCE",
            Self::Perfmon => "CAP_PERFMON",
            Self::Bpf => "CAP_BPF",
        }
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Capabilities(u64);

impl Capabilities {
    /// A set from the kernel's bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Those of this process; `None` when `/proc` does not say.
    #[must_use]
    pub fn effective() -> Option<Self> {
        parse(&fs::read_to_string("/proc/self/status").ok()?)
    }

    /// True when the set allows what this capability is for.
    #[must_use]
    pub fn allow(self, capability: Capability) -> bool {
        let has = |capability: Capability| self.0 & (1 << capability as u64) != 0;
        // `bpf_capable()` and `perfmon_capable()` in include/linux/capability.h.
        let included = matches!(capability, Capability::Perfmon | Capability::Bpf);
        has(capability) || (included && has(Capability::SysAdmin))
    }

    /// Those of `wanted` that are not allowed.
    #[must_use]
    pub fn lacking(self, wanted: &[Capability]) -> Vec<&'static str> {
        wanted.iter().filter(|wanted| !self.allow(**wanted)).map(|wanted| wanted.name()).collect()
    }
}

fn parse(status: &str) -> Option<Capabilities> {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(bits.trim(), 16).ok().map(Capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read_from_its_line() {
        let status =
            "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t0000008000080000\nCapBnd:\t000001ffffffffff\n";
        let capabilities = parse(status).expect("the line is there");
        assert!(capabilities.allow(Capability::Bpf) && capabilities.allow(Capability::SysPtrace));
        assert_eq!(capabilities.lacking(&[Capability::Bpf, Capability::Perfmon]), ["CAP_PERFMON"]);
        assert_eq!(parse("CapEff:\tzz\n"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn cap_sys_admin_includes_bpf_and_perfmon_and_nothing_else() {
        let admin = Capabilities(1 << 21);
        let wanted = [Capability::Bpf, Capability::Perfmon, Capability::SysPtrace, Capability::DacReadSearch];
        assert_eq!(admin.lacking(&wanted), ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]);
    }
}
