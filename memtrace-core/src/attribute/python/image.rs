//! A target's memory for tests: bytes at addresses, and Python objects put there by hand.

use memtrace_common::settings::FrameWindow;
use std::collections::BTreeMap;

use super::offsets::{CodeOffsets, Instructions, Offsets, RuntimeOffsets, ThreadOffsets};
use crate::world::{MemoryReader, Unreadable};

pub(super) const CODE_TYPE: u64 = 0x6000_0000;
pub(super) const STRING_TYPE: u64 = 0x6000_1000;
pub(super) const BYTES_TYPE: u64 = 0x6000_2000;

/// 3.12's, which has every field.
pub(super) const TEXT_OFFSETS: Offsets = Offsets {
    runtime: RuntimeOffsets {
        interpreters_head: 40,
        thread_key: 1544,
        interpreter_next: 0,
        threads_head: 72,
    },
    thread: ThreadOffsets {
        next: 8,
        thread_id: 136,
        native_thread_id: Some(144),
        frame: 56,
        cframe: Some(0),
    },
    frame: FrameWindow::interpreter_3_12(70),
    code: CodeOffsets {
        first_line: 68,
        file: 112,
        function: 128,
        line_table: 136,
        instructions: Instructions::Inline(192),
        version: Some(92),
    },
    ascii_text: 40,
    compact_text: 56,
};

/// Bytes by address; the rest is unmapped.
pub(super) struct Image {
    bytes: BTreeMap<u64, u8>,
}

impl Default for Image {
    fn default() -> Self {
        let mut image = Self { bytes: BTreeMap::new() };
        image.put_type(CODE_TYPE, b"code\0", 0);
        image.put_type(STRING_TYPE, b"str\0", 1 << 28);
        image.put_type(BYTES_TYPE, b"bytes\0", 1 << 27);
        image
    }
}

impl Image {
    pub(super) fn put(&mut self, address: u64, bytes: &[u8]) {
        for (index, byte) in bytes.iter().enumerate() {
            self.bytes.insert(address + index as u64, *byte);
        }
    }

    pub(super) fn put_word(&mut self, address: u64, word: u64) {
        self.put(address, &word.to_le_bytes());
    }

    pub(super) fn put_zeros(&mut self, address: u64, count: usize) {
        self.put(address, &vec![0; count]);
    }

    fn put_type(&mut self, address: u64, name: &[u8], flags: u64) {
        self.put_zeros(address, 176);
        self.put_word(address + 24, address + 0x801);
        self.put_word(address + 168, flags | 1 << 12);
        self.put(address + 0x801, name);
        self.put_zeros(address + 0x801 + name.len() as u64, 8);
    }

    pub(super) fn put_bytes(&mut self, address: u64, data: &[u8]) {
        self.put_zeros(address, 40);
        self.put_word(address + 8, BYTES_TYPE);
        self.put_word(address + 16, data.len() as u64);
        self.put(address + 32, data);
    }

    /// A compact `str` as 3.12 lays it out.
    pub(super) fn put_string(&mut self, address: u64, text: &str) {
        let highest = text.chars().max().map_or(0, u32::from);
        let kind: u64 = match highest {
            ..0x100 => 1,
            0x100..0x10000 => 2,
            _ => 4,
        };
        let is_ascii = text.is_ascii();
        self.put_zeros(address, 64);
        self.put_word(address + 8, STRING_TYPE);
        self.put_word(address + 16, text.chars().count() as u64);
        self.put_word(address + 24, text.len() as u64 * 31);
        self.put_word(address + 32, kind << 2 | 1 << 5 | u64::from(is_ascii) << 6);
        let start = address + if is_ascii { 40 } else { 56 };
        for (index, character) in text.chars().enumerate() {
            let bytes = u32::from(character).to_le_bytes();
            self.put(start + kind * index as u64, &bytes[..kind as usize]);
        }
    }
}

impl MemoryReader for Image {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Unreadable> {
        let unreadable = Unreadable { address, length: buffer.len() };
        for (index, byte) in buffer.iter_mut().enumerate() {
            let at = address.checked_add(index as u64).ok_or(unreadable)?;
            *byte = *self.bytes.get(&at).ok_or(unreadable)?;
        }
        Ok(())
    }
}
