//! Which file an address of a process is in.

/// An executable mapping of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeRange {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// Offset in the file of `start`.
    pub file_offset: u64,
    /// The caller's number for the file, or [`CodeRange::NO_MODULE`].
    pub module: u32,
    /// The file is the Python interpreter.
    pub is_interpreter: bool,
}

/// The executable mappings of a process, at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AddressSpace {
    ranges: Vec<CodeRange>,
}

impl AddressSpace {
    /// Of these ranges, in any order. Where two overlap, the one that starts later counts.
    #[must_use]
    pub fn new(mut ranges: Vec<CodeRange>) -> Self {
        ranges.sort_unstable_by_key(|range| range.start);
        Self { ranges }
    }

    /// The range that an address is in.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<&CodeRange> {
        let after = self.ranges.partition_point(|range| range.start <= address);
        let range = self.ranges.get(after.checked_sub(1)?)?;
        (address < range.end).then_some(range)
    }

    /// True when every address is in some range.
    #[must_use]
    pub fn covers(&self, mut addresses: impl Iterator<Item = u64>) -> bool {
        addresses.all(|address| self.find(address).is_some())
    }

    /// The ranges, by address.
    #[must_use]
    pub fn ranges(&self) -> &[CodeRange] {
        &self.ranges
    }
}

impl CodeRange {
    /// Stands for files that have no number, because there are too many.
    pub const NO_MODULE: u32 = 0;

    /// Where in its file an address of the range is. Of an address outside the range, or a file offset that is none,
    /// some number: an offset is only ever looked up.
    #[must_use]
    pub const fn offset_of(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).wrapping_add(self.file_offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, end: u64, module: u32) -> CodeRange {
        CodeRange { start, end, file_offset: 0x1000, module, is_interpreter: false }
    }

    #[test]
    fn an_address_is_found_in_the_range_that_holds_it() {
        let space = AddressSpace::new(vec![range(0x5000, 0x6000, 2), range(0x1000, 0x2000, 1)]);
        assert_eq!(space.find(0x1000).map(|range| range.module), Some(1));
        assert_eq!(space.find(0x5fff).map(|range| range.offset_of(0x5fff)), Some(0x1fff));
        assert_eq!(space.find(0x2000), None);
        assert_eq!(space.find(0x6000), None);
        assert_eq!(space.find(0), None);
    }

    #[test]
    fn coverage_is_of_all_addresses() {
        let space = AddressSpace::new(vec![range(0x1000, 0x2000, 1)]);
        assert!(space.covers([0x1000, 0x1fff].into_iter()));
        assert!(!space.covers([0x1000, 0x2000].into_iter()));
        assert!(space.covers(std::iter::empty()));
    }
}
