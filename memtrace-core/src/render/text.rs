//! Strings of a target made safe for a terminal.
//!
//! In: names that another process chose. Out: text of bounded length without anything that moves the cursor, changes
//! colours, breaks a line or reorders what is read. Backslashes pass: the text is for people, and not read back.
//!
//! Invariant: what comes out holds no control character and no character that is invisible or changes direction.

use std::fmt::Write as _;

/// Longest name shown. Real ones are shorter; a hostile one is up to 4,096 bytes and would fill the screen.
pub const NAME_CHARS: usize = 240;

/// Escapes what a terminal would act on, and cuts after [`NAME_CHARS`].
#[must_use]
pub fn safe(name: &str) -> String {
    let mut text = String::with_capacity(name.len().min(NAME_CHARS + 3));
    for (index, character) in name.chars().enumerate() {
        if index == NAME_CHARS {
            text.push_str("...");
            break;
        }
        push_safe(&mut text, character);
    }
    text
}

/// The last part of a path, safe.
#[must_use]
pub fn safe_basename(path: &str) -> String {
    safe(path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path))
}

/// Cuts at the end, with `...`, to at most `width` characters.
#[must_use]
pub fn cut_end(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    kept + &"..."[..width.min(3)]
}

/// Cuts at the start, with `...`, to at most `width` characters: of a path the end says more.
#[must_use]
pub fn cut_start(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(length - width.saturating_sub(3)).collect();
    "..."[..width.min(3)].to_owned() + &tail
}

fn push_safe(text: &mut String, character: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\t' => text.push_str("\\t"),
        '\r' => text.push_str("\\r"),
        _ if (character as u32) < 0x80 && character.is_control() => {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{:02x}", character as u32);
        }
        _ if is_deceptive(character) => {
            let _ = write!(text, "\\u{{{:x}}}", character as u32);
        }
        _ => text.push(character),
    }
}

/// C1 controls, line separators, zero-width characters, and the controls of the bidirectional algorithm.
fn is_deceptive(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_and_line_breaks_are_spelled_out() {
        assert_eq!(safe("a\x1b[2Jb\nc\td\re\x07\x7f"), "a\\x1b[2Jb\\nc\\td\\re\\x07\\x7f");
        assert_eq!(safe("x\u{9b}31m\u{202e}y\u{2066}\u{200b}"), "x\\u{9b}31m\\u{202e}y\\u{2066}\\u{200b}");
    }

    #[test]
    fn ordinary_names_of_any_language_pass() {
        assert_eq!(safe("größe_計算<T>::new"), "größe_計算<T>::new");
    }

    #[test]
    fn a_name_without_end_is_cut() {
        assert_eq!(safe(&"x".repeat(5_000)).len(), NAME_CHARS + 3);
    }

    #[test]
    fn the_basename_of_a_path_is_its_last_part() {
        assert_eq!(safe_basename("/usr/lib/libc.so.6"), "libc.so.6");
        assert_eq!(safe_basename("libc.so.6"), "libc.so.6");
        assert_eq!(safe_basename("/a/b/"), "b");
        assert_eq!(safe_basename("/"), "/");
    }

    #[test]
    fn cutting_keeps_to_the_width_at_every_width() {
        for width in 0..12 {
            assert!(cut_end("größe_計算x", width).chars().count() <= width);
            assert!(cut_start("größe_計算x", width).chars().count() <= width);
        }
        assert_eq!(cut_end("abcdefgh", 6), "abc...");
        assert_eq!(cut_start("abcdefgh", 6), "...fgh");
        assert_eq!(cut_end("abc", 3), "abc");
    }

    proptest! {
        #[test]
        fn no_input_leaves_a_control_character(name in "\\PC*|.*|[\\x00-\\x1f\\x7f-\\x9f]*") {
            prop_assert!(!safe(&name).chars().any(char::is_control));
            prop_assert!(!safe(&name).chars().any(is_deceptive));
        }
    }
}
