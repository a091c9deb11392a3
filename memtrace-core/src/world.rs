//! What core needs from the world. The shell implements these on `/proc` and `process_vm_readv`; tests on images.

/// A target's memory could not be read at an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot read {length} bytes at {address:#x} of the target")]
pub struct Unreadable {
    /// Where.
    pub address: u64,
    /// How much was asked for.
    pub length: usize,
}

/// Reads the memory of one process. What it returns is hostile input.
pub trait MemoryReader {
    /// Fills `buffer` from `address`, all of it or none.
    ///
    /// # Errors
    /// When any of the bytes cannot be read.
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable>;

    /// Reads a little-endian `u64`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_u64(&self, address: u64) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Reads a little-endian `u32`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_u32(&self, address: u64) -> Result<u32, Unreadable> {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }
}
