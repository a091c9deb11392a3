//! Which CPython a target is.
//!
//! In: a file name, `PY_VERSION_HEX`, or an executable's read-only data. Out: a supported [`PythonVersion`], or why
//! there is none. It refuses versions outside 3.8 to 3.14, free-threaded builds and debug builds, whose objects are
//! laid out differently.
//!
//! Invariant: a `PythonVersion` that these functions return is one that [`super::offsets`] has offsets for.

use std::fmt;

/// A minor version of CPython: the unit in which its internal structures stay the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PythonVersion {
    /// 3.
    pub major: u8,
    /// 8 to 14.
    pub minor: u8,
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// Why a file or a number gave no supported version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VersionError {
    /// Nothing in it is a version of Python.
    #[error("no version of Python in it; look at the symbol Py_Version or the read-only data")]
    Unknown,
    /// The evidence names more than one version.
    #[error("the file names more than one version of Python")]
    Contradictory,
    /// A version that memtrace has no offsets for.
    #[error("CPython {major}.{minor} is not supported (3.8 to 3.14 are)")]
    Unsupported {
        /// Its first number.
        major: u8,
        /// Its second number.
        minor: u8,
    },
    /// An alpha or beta: its structures differ from those of the release.
    #[error("this is a pre-release of CPython {0}, which can differ from the release; use the release")]
    PreRelease(PythonVersion),
    /// A build without the GIL (`python3.13t`).
    #[error("free-threaded CPython {0} is not supported; run the build with the GIL")]
    FreeThreaded(PythonVersion),
    /// A debug build (`python3.12d`).
    #[error("debug build of CPython {0} is not supported; run a release build")]
    DebugBuild(PythonVersion),
}

impl VersionError {
    /// The name that metrics and JSON use.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_version",
            Self::Contradictory => "contradictory_version",
            Self::Unsupported { .. } => "unsupported_version",
            Self::PreRelease(_) => "pre_release",
            Self::FreeThreaded(_) => "free_threaded",
            Self::DebugBuild(_) => "debug_build",
        }
    }
}

impl PythonVersion {
    /// The first version read.
    pub const OLDEST: Self = Self { major: 3, minor: 8 };
    /// The last.
    pub const NEWEST: Self = Self { major: 3, minor: 14 };

    /// The version with these numbers.
    ///
    /// # Errors
    /// When it is not supported.
    pub const fn new(major: u8, minor: u8) -> Result<Self, VersionError> {
        if major == 3 && minor >= Self::OLDEST.minor && minor <= Self::NEWEST.minor {
            Ok(Self { major, minor })
        } else {
            Err(VersionError::Unsupported { major, minor })
        }
    }

    /// Reads the name of a file: `libpython3.11.so.1.0`, `/usr/bin/python3.11`, `python3.13t`.
    ///
    /// # Errors
    /// [`VersionError::FreeThreaded`] and [`VersionError::DebugBuild`] by the suffixes `t` and `d`, and
    /// [`VersionError::Unknown`] for a name without two numbers (`python3`, `libpython3.so`).
    pub fn from_soname_or_path(name: &str) -> Result<Self, VersionError> {
        let file = name.rsplit('/').next().unwrap_or(name);
        let (_, after) = file.split_once("python").ok_or(VersionError::Unknown)?;
        let (major, after) = take_number(after).ok_or(VersionError::Unknown)?;
        let (minor, suffix) = after.strip_prefix('.').and_then(take_number).ok_or(VersionError::Unknown)?;
        let version = Self::new(major, minor)?;
        let flags = suffix.split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or("");
        if flags.contains('t') {
            return Err(VersionError::FreeThreaded(version));
        }
        if flags.contains('d') {
            return Err(VersionError::DebugBuild(version));
        }
        Ok(version)
    }

    /// Reads `PY_VERSION_HEX`, as in the symbol `Py_Version` (3.11 and later) and in `_Py_DebugOffsets`.
    ///
    /// # Errors
    /// When the version is not supported, or is an alpha or a beta. A release candidate has its release's layout.
    pub const fn from_hex(hex: u32) -> Result<Self, VersionError> {
        let [major, minor, _patch, level_and_serial] = hex.to_be_bytes();
        let version = match Self::new(major, minor) {
            Ok(version) => version,
            Err(error) => return Err(error),
        };
        match level_and_serial >> 4 {
            0xC | 0xF => Ok(version),
            0xA | 0xB => Err(VersionError::PreRelease(version)),
            _ => Err(VersionError::Unknown),
        }
    }

    /// Looks for the string that `Py_GetVersion` is made of in an executable's read-only data: `PY_VERSION` as a C
    /// string of its own (`3.8.18`), or the whole (`3.8.18 (default, ...`).
    ///
    /// It is for executables that have no number in their name and no `Py_Version`. Another library linked into the
    /// executable can have a version that looks alike, so two different answers are none. A libpython with a path in
    /// it (`.../Python-3.8.18`) may keep `PY_VERSION` as the tail of that string only, which is not looked for.
    ///
    /// # Errors
    /// [`VersionError::Unknown`] when there is no such string, [`VersionError::Contradictory`] when there are two.
    pub fn from_read_only_data(data: &[u8]) -> Result<Self, VersionError> {
        let mut found: Option<Self> = None;
        for text in data.split(|byte| *byte == 0) {
            let Some(version) = version_string(text) else { continue };
            if found.is_some_and(|other| other != version) {
                return Err(VersionError::Contradictory);
            }
            found = Some(version);
        }
        found.ok_or(VersionError::Unknown)
    }
}

/// A `PY_VERSION` of a supported version that stands alone or before ` (`.
fn version_string(text: &[u8]) -> Option<PythonVersion> {
    if !text.starts_with(b"3.") {
        return None;
    }
    // "%.80s (%.80s) %.80s" in Python/getversion.c: the version itself never has more than 80 bytes.
    let text = std::str::from_utf8(&text[..text.len().min(80)]).ok()?;
    let version = text.split_once(" (").map_or(text, |(version, _)| version);
    let (major, after) = take_number(version)?;
    let (minor, after) = take_number(after.strip_prefix('.')?)?;
    let (_patch, suffix) = take_number(after.strip_prefix('.')?)?;
    let is_release = suffix.is_empty() || suffix == "+";
    let is_candidate = suffix.strip_prefix("rc").is_some_and(|serial| take_number(serial).is_some());
    if !is_release && !is_candidate {
        return None;
    }
    PythonVersion::new(major, minor).ok()
}

/// The decimal number that the text starts with, and the rest.
fn take_number(text: &str) -> Option<(u8, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..end].parse().ok()?, &text[end..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{PythonVersion, VersionError};

    const fn version(minor: u8) -> PythonVersion {
        PythonVersion { major: 3, minor }
    }

    #[test]
    fn names_of_libraries_and_executables_give_the_version() {
        for (name, minor) in [
            ("libpython3.11.so.1.0", 11),
            ("/usr/bin/python3.8", 8),
            ("/opt/x/bin/python3.14", 14),
            ("/usr/bin/python3.10 (deleted)", 10),
        ] {
            assert_eq!(PythonVersion::from_soname_or_path(name), Ok(version(minor)), "{name}");
        }
    }

    #[test]
    fn names_of_other_builds_and_versions_say_why_they_are_refused() {
        let of = PythonVersion::from_soname_or_path;
        assert_eq!(of("python3.13t"), Err(VersionError::FreeThreaded(version(13))));
        assert_eq!(of("libpython3.14t.so.1.0"), Err(VersionError::FreeThreaded(version(14))));
        assert_eq!(of("libpython3.12d.so.1.0"), Err(VersionError::DebugBuild(version(12))));
        assert_eq!(of("libpython3.7m.so.1.0"), Err(VersionError::Unsupported { major: 3, minor: 7 }));
        assert_eq!(of("python2.7"), Err(VersionError::Unsupported { major: 2, minor: 7 }));
        assert_eq!(of("python3.15"), Err(VersionError::Unsupported { major: 3, minor: 15 }));
        for name in ["python3", "libpython3.so", "uwsgi", "", "python3.", "/usr/lib/python3.11/x.so"] {
            assert_eq!(of(name), Err(VersionError::Unknown), "{name}");
        }
        assert_eq!(of("python3.13t").unwrap_err().reason(), "free_threaded");
    }

    #[test]
    fn the_hex_version_is_read_and_pre_releases_are_refused() {
        assert_eq!(PythonVersion::from_hex(0x030B_02F0), Ok(version(11)));
        assert_eq!(PythonVersion::from_hex(0x030E_00C2), Ok(version(14)));
        assert_eq!(PythonVersion::from_hex(0x030E_00A1), Err(VersionError::PreRelease(version(14))));
        assert_eq!(PythonVersion::from_hex(0), Err(VersionError::Unsupported { major: 0, minor: 0 }));
    }

    #[test]
    fn read_only_data_gives_the_version_that_stands_alone() {
        let of = |strings: &[&str]| {
            PythonVersion::from_read_only_data(format!("\0{}\0", strings.join("\0")).as_bytes())
        };
        assert_eq!(of(&["abc", "3.8.18", "%.80s (%.80s) %.80s"]), Ok(version(8)));
        assert_eq!(of(&["3.9.2 (default, Feb 28 2021, 17:03:44) \n[GCC]"]), Ok(version(9)));
        assert_eq!(of(&["3.12.0rc1", "", "3.40.1", "3.2.0", "3.12.0+"]), Ok(version(12)));
        assert_eq!(
            of(&["OpenSSL 3.8.1 x", "/Python-3.8.18", "3.8", "3.8.1beta", "3.8.1 x"]),
            Err(VersionError::Unknown)
        );
        assert_eq!(of(&["3.8.18", "3.11.2"]), Err(VersionError::Contradictory));
    }

    proptest! {
        #[test]
        fn no_name_and_no_data_panics(name in ".{0,60}", data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = PythonVersion::from_soname_or_path(&name);
            let _ = PythonVersion::from_soname_or_path(&format!("python{name}"));
            let _ = PythonVersion::from_read_only_data(&data);
        }
    }
}
