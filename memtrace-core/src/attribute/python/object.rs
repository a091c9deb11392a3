//! The head of every Python object, and the checks that an address really is one.
//!
//! Invariant: what is constant here is the same in 3.8 to 3.14 on 64-bit builds with the GIL; from 3.13 on the
//! interpreter's own table is compared with it ([`super::offsets::debug_offsets`]).

use crate::world::{MemoryReader, Unreadable};

/// `PyObject.ob_type`.
pub(super) const OBJECT_TYPE: u64 = 8;
/// `PyVarObject.ob_size`.
pub(super) const OBJECT_SIZE: u64 = 16;
/// `PyTypeObject.tp_name`, a C string.
pub(super) const TYPE_NAME: u64 = 24;
/// `PyTypeObject.tp_flags`.
pub(super) const TYPE_FLAGS: u64 = 168;
/// `PyBytesObject.ob_sval`.
pub(super) const BYTES_DATA: u64 = 32;
/// `PyASCIIObject.length`, in characters.
pub(super) const STRING_LENGTH: u64 = 16;
/// `PyASCIIObject.state`, a bit field.
pub(super) const STRING_STATE: u64 = 32;

/// `tp_flags` of a type that is ready, and of `bytes` or `str` or a type derived from them (Include/object.h).
const READY: u64 = 1 << 12;
pub(super) const BYTES_SUBCLASS: u64 = READY | 1 << 27;
pub(super) const STRING_SUBCLASS: u64 = READY | 1 << 28;

/// The end of user space with four levels of page tables. Linux hands out nothing above unless it is asked to.
const USER_SPACE_END: u64 = 1 << 47;

/// The lowest address that `vm.mmap_min_addr` lets a process map.
const USER_SPACE_START: u64 = 4096;

/// True when the address can be that of a Python structure: in user space, and aligned to a word.
pub(super) const fn is_pointer(address: u64) -> bool {
    address >= USER_SPACE_START && address < USER_SPACE_END && address.is_multiple_of(8)
}

/// Reads a pointer's target; what cannot be an address is as unreadable as what is not mapped.
pub(super) fn read(reader: &dyn MemoryReader, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
    if is_pointer(address) {
        reader.read(address, buffer)
    } else {
        Err(Unreadable { address, length: buffer.len() })
    }
}

/// Reads a word of a structure at `address`.
pub(super) fn read_word(reader: &dyn MemoryReader, address: u64, offset: u64) -> Result<u64, Unreadable> {
    if is_pointer(address) {
        reader.read_u64(address + offset)
    } else {
        Err(Unreadable { address, length: 8 })
    }
}

/// True when the type at `type_address` has all these flags.
pub(super) fn type_has_flags(
    reader: &dyn MemoryReader,
    type_address: u64,
    flags: u64,
) -> Result<bool, Unreadable> {
    Ok(read_word(reader, type_address, TYPE_FLAGS)? & flags == flags)
}

/// True when the type at `type_address` is called `code`.
pub(super) fn is_code_type(reader: &dyn MemoryReader, type_address: u64) -> Result<bool, Unreadable> {
    const NAME: &[u8; 5] = b"code\0";
    let name_address = read_word(reader, type_address, TYPE_NAME)?;
    let mut name = [0; NAME.len()];
    // A string literal can stand at any address, so it is not checked for alignment.
    if !(USER_SPACE_START..USER_SPACE_END).contains(&name_address) {
        return Err(Unreadable { address: name_address, length: name.len() });
    }
    reader.read(name_address, &mut name)?;
    Ok(&name == NAME)
}

/// The little-endian `u64` at `offset`, 0 beyond the end.
pub(super) fn word_at(bytes: &[u8], offset: u16) -> u64 {
    let start = usize::from(offset);
    let mut word = [0; 8];
    if let Some(bytes) = bytes.get(start..start + 8) {
        word.copy_from_slice(bytes);
    }
    u64::from_le_bytes(word)
}

/// The little-endian `i32` at `offset`, 0 beyond the end.
pub(super) fn int_at(bytes: &[u8], offset: u16) -> i32 {
    (word_at(bytes, offset) as u32).cast_signed()
}
