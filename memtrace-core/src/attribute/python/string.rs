//! A Python `str` as text.
//!
//! In: the address of a `str`. Out: its text, at most [`PYTHON_STRING_BYTES`] of it; a string that was cut ends in `…`.
//! It refuses an object that is not a `str`, or whose length and kind do not make sense. Lone surrogates, which file
//! names that are not UTF-8 have, become U+FFFD.
//!
//! Layout (Include/cpython/unicodeobject.h): `length` at 16, `hash` at 24, `state` at 32 with `interned` in bits 0-1,
//! `kind` in 2-4, `compact` in 5, `ascii` in 6; then the text, of `kind` bytes a character. It is the same in 3.8 to
//! 3.14 except where the text starts.

use std::sync::Arc;

use super::error::CodeError;
use super::object::{self, STRING_LENGTH, STRING_STATE, STRING_SUBCLASS};
use super::offsets::Offsets;
use crate::limits::PYTHON_STRING_BYTES;
use crate::world::{MemoryReader, Unreadable};

const HEAD_BYTES: usize = STRING_STATE as usize + 8;
const HASH: u16 = 24;

/// How the characters are stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Latin1 = 1,
    Ucs2 = 2,
    Ucs4 = 4,
}

/// Reads a `str`.
///
/// # Errors
/// When the memory cannot be read, or is not a `str`.
pub fn read_string(
    reader: &dyn MemoryReader,
    offsets: &Offsets,
    address: u64,
) -> Result<Arc<str>, CodeError> {
    let wrong = CodeError::WrongType { address, expected: "str" };
    let mut head = [0; HEAD_BYTES];
    object::read(reader, address, &mut head)?;
    let type_address = object::word_at(&head, object::OBJECT_TYPE as u16);
    if !object::type_has_flags(reader, type_address, STRING_SUBCLASS)? {
        return Err(wrong);
    }
    let length = object::word_at(&head, STRING_LENGTH as u16);
    let state = object::word_at(&head, STRING_STATE as u16);
    let kind = match state >> 2 & 7 {
        1 => Kind::Latin1,
        2 => Kind::Ucs2,
        4 => Kind::Ucs4,
        _ => return Err(wrong),
    };
    let (is_compact, is_ascii) = (state >> 5 & 1 == 1, state >> 6 & 1 == 1);
    if is_ascii && kind != Kind::Latin1 || length > i64::MAX as u64 {
        return Err(wrong);
    }
    let text_address = match (is_compact, is_ascii) {
        (true, true) => address + u64::from(offsets.ascii_text),
        (true, false) => address + u64::from(offsets.compact_text),
        // A string of a derived class has its text elsewhere (`PyUnicodeObject.data`).
        (false, _) => object::read_word(reader, address, u64::from(offsets.compact_text))?,
    };
    let (bytes, is_cut) = read_text(reader, text_address, length, kind)?;
    Ok(decode(&bytes, kind, is_cut).into())
}

/// The hash that the string remembers: with the address, it tells a string from another one that took its place.
pub(super) fn read_hash(reader: &dyn MemoryReader, address: u64) -> Result<u64, Unreadable> {
    object::read_word(reader, address, u64::from(HASH))
}

/// Reads as many whole characters as the limit allows, and says whether that was not all.
fn read_text(
    reader: &dyn MemoryReader,
    address: u64,
    length: u64,
    kind: Kind,
) -> Result<(Vec<u8>, bool), Unreadable> {
    let character_bytes = kind as usize;
    let characters_max = PYTHON_STRING_BYTES / character_bytes;
    let characters = usize::try_from(length).unwrap_or(usize::MAX).min(characters_max);
    let mut bytes = vec![0; characters * character_bytes];
    if !bytes.is_empty() {
        object::read(reader, address, &mut bytes)?;
    }
    Ok((bytes, length > characters as u64))
}

fn decode(bytes: &[u8], kind: Kind, is_cut: bool) -> String {
    let mut text: String = bytes
        .chunks_exact(kind as usize)
        .map(|character| {
            let mut code_point = [0; 4];
            code_point[..character.len()].copy_from_slice(character);
            char::from_u32(u32::from_le_bytes(code_point)).unwrap_or(char::REPLACEMENT_CHARACTER)
        })
        .collect();
    if is_cut {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::read_string;
    use crate::attribute::python::error::CodeError;
    use crate::attribute::python::image::{Image, TEXT_OFFSETS};
    use crate::limits::PYTHON_STRING_BYTES;

    const STRING: u64 = 0x7000_0000;

    fn text_of(image: &Image) -> Result<String, CodeError> {
        read_string(image, &TEXT_OFFSETS, STRING).map(|text| text.to_string())
    }

    #[test]
    fn strings_of_every_width_are_read() {
        for text in ["", "main", "grün", "Привет", "x\u{1F40D}y"] {
            let mut image = Image::default();
            image.put_string(STRING, text);
            assert_eq!(text_of(&image).as_deref(), Ok(text));
        }
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        let mut image = Image::default();
        image.put_string(STRING, "\u{1000}\u{1001}");
        image.put(STRING + 56, &0xDC80_u16.to_le_bytes());
        assert_eq!(text_of(&image).as_deref(), Ok("\u{FFFD}\u{1001}"));
    }

    #[test]
    fn a_long_string_is_cut_and_says_so() {
        let mut image = Image::default();
        image.put_string(STRING, &"a".repeat(PYTHON_STRING_BYTES + 1));
        let text = text_of(&image).unwrap();
        assert_eq!(text.chars().count(), PYTHON_STRING_BYTES + 1);
        assert!(text.ends_with("a…"));
    }

    #[test]
    fn an_object_of_another_type_is_not_a_string() {
        let mut image = Image::default();
        image.put_bytes(STRING, b"abc");
        assert_eq!(text_of(&image), Err(CodeError::WrongType { address: STRING, expected: "str" }));
    }

    #[test]
    fn a_forged_length_reads_no_more_than_the_limit() {
        let mut image = Image::default();
        image.put_string(STRING, "abc");
        image.put(STRING + 16, &(u64::MAX >> 1).to_le_bytes());
        assert!(
            matches!(text_of(&image), Err(CodeError::Unreadable(error)) if error.length == PYTHON_STRING_BYTES)
        );
        image.put(STRING + 16, &u64::MAX.to_le_bytes());
        assert!(matches!(text_of(&image), Err(CodeError::WrongType { .. })));
    }

    proptest! {
        #[test]
        fn no_head_of_a_string_panics(head in any::<[u64; 5]>(), has_type in any::<bool>()) {
            let mut image = Image::default();
            image.put_string(STRING, "some text of some length");
            for (index, word) in head.iter().enumerate() {
                if index != 1 || !has_type {
                    image.put(STRING + 8 * index as u64, &word.to_le_bytes());
                }
            }
            drop(text_of(&image));
        }
    }
}
