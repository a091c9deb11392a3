//! The id under which a site is known from run to run and from machine to machine.
//!
//! In: a domain and a symbolized stack. Out: 64 bits. It refuses addresses: they change with every start.
//!
//! FNV-1a, 64 bits, over the domain's name and then every frame, innermost first, internal ones too: kind, function,
//! file and line; and the module's basename and the offset in it where there is no line to tell two calls apart.
//! Each field is preceded by its length (8 bytes, little-endian; all ones when unknown), so no two stacks give the
//! same bytes. Stacks of one process that differ only in what is left out have the same id. FNV is not keyed: a
//! target that wants two of its own sites to share an id can have that, so nothing may use the id as a key.
//!
//! Invariant: the id of a given stack never changes. Golden values below hold it.

use memtrace_common::Domain;

use crate::model::Frame;

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The id of the site with that stack, innermost frame first.
#[must_use]
pub fn site_id(domain: Domain, frames: &[Frame]) -> u64 {
    let mut hash = Fnv(OFFSET_BASIS);
    hash.text(Some(domain.name()));
    for frame in frames {
        hash.frame(frame);
    }
    hash.0
}

struct Fnv(u64);

impl Fnv {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    fn text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => {
                self.bytes(&(text.len() as u64).to_le_bytes());
                self.bytes(text.as_bytes());
            }
            None => self.bytes(&u64::MAX.to_le_bytes()),
        }
    }

    fn number(&mut self, number: Option<u64>) {
        match number {
            Some(number) => {
                self.bytes(&8_u64.to_le_bytes());
                self.bytes(&number.to_le_bytes());
            }
            None => self.bytes(&u64::MAX.to_le_bytes()),
        }
    }

    fn frame(&mut self, frame: &Frame) {
        self.text(Some(frame.kind.name()));
        self.text(frame.function.as_deref());
        self.text(frame.file.as_deref());
        self.number(frame.line.map(u64::from));
        if frame.line.is_some() {
            return;
        }
        let basename = frame.module.as_deref().and_then(|module| module.rsplit('/').next());
        self.text(basename);
        // Without a module the offset is an address, and another one in the next run.
        self.number(basename.and(frame.offset));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::FrameKind;
    use crate::render::fixtures::{native, python};

    #[test]
    fn ids_are_the_same_for_ever() {
        assert_eq!(site_id(Domain::Libc, &[]), GOLDEN_EMPTY);
        let stack = [python("put", "cache.py", 88), native("main", "/usr/bin/python3.11", 0x1f3a20)];
        assert_eq!(site_id(Domain::Pymalloc, &stack), GOLDEN_STACK);
    }

    // Computed by another implementation of the description above.
    const GOLDEN_EMPTY: u64 = 0xfb8b_45b0_3fe2_1611;
    const GOLDEN_STACK: u64 = 0x73b9_b025_0642_436b;

    #[test]
    fn the_place_of_a_module_and_addresses_without_one_do_not_matter() {
        let here = native("", "/usr/lib/libc.so.6", 16);
        let there = native("", "/proc/1/root/lib/libc.so.6", 16);
        assert_eq!(site_id(Domain::Libc, &[here]), site_id(Domain::Libc, &[there]));
        let mut low = Frame::unknown("no_module");
        let mut high = low.clone();
        low.offset = Some(0x1000);
        high.offset = Some(0x7fff_0000_1000);
        assert_eq!(site_id(Domain::Libc, &[low]), site_id(Domain::Libc, &[high]));
    }

    #[test]
    fn two_calls_in_a_function_without_lines_are_two_sites() {
        let first = native("work", "/usr/bin/service", 0x10);
        let second = native("work", "/usr/bin/service", 0x20);
        assert_ne!(site_id(Domain::Libc, &[first]), site_id(Domain::Libc, &[second]));
    }

    #[test]
    fn domain_line_kind_and_order_matter() {
        let (inner, outer) = (python("f", "a.py", 1), python("g", "a.py", 2));
        let base = site_id(Domain::Libc, &[inner.clone(), outer.clone()]);
        assert_ne!(base, site_id(Domain::Pymalloc, &[inner.clone(), outer.clone()]));
        assert_ne!(base, site_id(Domain::Libc, &[outer.clone(), inner.clone()]));
        assert_ne!(base, site_id(Domain::Libc, &[python("f", "a.py", 3), outer.clone()]));
        assert_ne!(base, site_id(Domain::Libc, &[Frame { kind: FrameKind::Native, ..inner }, outer]));
    }

    proptest! {
        #[test]
        fn text_cannot_move_from_one_field_to_the_next(text in "[a-c]{2,8}", cut in 1_usize..8) {
            let cut = cut.min(text.len() - 1);
            let joined = python(&text, "", 1);
            let split = python(&text[..cut], &text[cut..], 1);
            prop_assert_ne!(site_id(Domain::Libc, &[joined]), site_id(Domain::Libc, &[split]));
        }
    }
}
