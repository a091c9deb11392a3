//! Fields of a record whose length is known, little-endian.

/// The bytes of one record. Offsets come from `offset_of!` on the record's own type, whose size is `N`, so that the
/// bounds checks vanish where the offset is a constant.
#[derive(Clone, Copy)]
pub(super) struct Record<'a, const N: usize>(pub(super) &'a [u8; N]);

impl<'a, const N: usize> Record<'a, N> {
    #[inline(always)]
    fn array<const WIDTH: usize>(&self, offset: usize) -> [u8; WIDTH] {
        let mut value = [0; WIDTH];
        value.copy_from_slice(&self.0[offset..offset + WIDTH]);
        value
    }

    #[inline(always)]
    pub(super) fn u8(&self, offset: usize) -> u8 {
        self.0[offset]
    }

    #[inline(always)]
    pub(super) fn u16(&self, offset: usize) -> u16 {
        u16::from_le_bytes(self.array(offset))
    }

    #[inline(always)]
    pub(super) fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    #[inline(always)]
    pub(super) fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }

    /// `length_bytes` from `offset` on. The caller has capped the length.
    pub(super) fn part(&self, offset: usize, length_bytes: usize) -> &'a [u8] {
        &self.0[offset..offset + length_bytes]
    }
}
