//! Which C library a file holds, told from its name and its own words.

use super::block::Libc;

/// What glibc's `gnu_get_libc_version` and its banner are printed from (`csu/version.c`).
const BANNER: &[u8] = b"GNU C Library ";
const RELEASE: &[u8] = b"release version ";

/// The banner is one line, of about 80 characters.
const BANNER_BYTES_MAX: usize = 200;

impl Libc {
    /// Of the file that defines `malloc`, mapped under this name: a shared library, or a program that it is linked
    /// into. A replacement of it is [`Libc::Other`].
    #[must_use]
    pub fn of_file(name: &str, contents: &[u8]) -> Self {
        if name.starts_with("ld-musl") || name.starts_with("libc.musl") {
            return Self::Musl;
        }
        if let Some(version) = glibc_version(contents) {
            return Self::Glibc { version: Some(version) };
        }
        if name == "libc.so.6" { Self::Glibc { version: None } } else { Self::Other }
    }
}

fn glibc_version(contents: &[u8]) -> Option<(u32, u32)> {
    let banner = contents.get(find(contents, BANNER)?..)?;
    let banner = &banner[..banner.len().min(BANNER_BYTES_MAX)];
    let version = banner.get(find(banner, RELEASE)? + RELEASE.len()..)?;
    let (major, rest) = number(version)?;
    let (minor, _) = number(rest.strip_prefix(b".")?)?;
    Some((major, minor))
}

fn find(contents: &[u8], needle: &[u8]) -> Option<usize> {
    contents.windows(needle.len()).position(|window| window == needle)
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let length = bytes.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = bytes.split_at(length);
    Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glibc_says_its_version_and_musl_has_a_name() {
        let debian =
            b"\0\0GNU C Library (Debian GLIBC 2.36-9+deb12u13) stable release version 2.36.\nCopyright";
        assert_eq!(Libc::of_file("libc.so.6", debian), Libc::Glibc { version: Some((2, 36)) });
        let development = b"GNU C Library (GNU libc) development release version 2.9000.";
        assert_eq!(Libc::of_file("program", development), Libc::Glibc { version: Some((2, 9000)) });
        assert_eq!(Libc::of_file("ld-musl-x86_64.so.1", b""), Libc::Musl);
    }

    #[test]
    fn what_says_nothing_sensible_is_not_understood() {
        let forged = b"GNU C Library release version 99999999999.1";
        assert_eq!(Libc::of_file("libjemalloc.so.2", forged), Libc::Other);
        assert_eq!(
            Libc::of_file("libc.so.6", b"GNU C Library release version 2"),
            Libc::Glibc { version: None }
        );
    }
}
