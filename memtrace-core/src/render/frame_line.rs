//! A stack as lines of text.
//!
//! In: frames, innermost first. Out: one line a frame, as short as it can be without losing what identifies it:
//! `function (file:line)`, `function (module+0xoffset)`, `module+0xoffset (why there is no name)`.
//!
//! Invariant: every frame is shown, folded into its neighbour, or counted in a line of its own; only internal
//! frames are left out silently, as asked for, and only while others remain. A stack never becomes zero lines.

use crate::model::{Frame, FrameKind};

use super::text::{cut_end, cut_start, safe, safe_basename};

/// How a stack is cut to size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct StackOptions {
    /// Show interpreter and allocator frames too.
    pub(super) show_internal: bool,
    /// Lines for one stack; the rest is `... N more frames`.
    pub(super) lines_max: Option<usize>,
    /// Characters for one line.
    pub(super) width: Option<usize>,
}

/// The lines of a stack, at least one.
#[must_use]
pub(super) fn stack_lines(frames: &[Frame], options: StackOptions) -> Vec<String> {
    if frames.is_empty() {
        return vec!["(no stack)".to_owned()];
    }
    let mut shown: Vec<&Frame> =
        frames.iter().filter(|frame| options.show_internal || !frame.internal).collect();
    if shown.is_empty() {
        // The walk ended in the allocator: these frames are all that is known of the place.
        shown = frames.iter().collect();
    }
    let runs = folded(&shown);
    // A last line that says `... 1 more frame` would take as much room as the frame.
    let lines_max = options.lines_max.filter(|max| runs.len() > max + 1).unwrap_or(runs.len());
    let mut lines: Vec<String> = runs[..lines_max].iter().map(|run| run_line(run, options.width)).collect();
    let hidden: usize = runs[lines_max..].iter().map(|run| run.length).sum();
    if hidden > 0 {
        lines.push(format!("... {hidden} more frames"));
    }
    lines
}

/// Equal frames that follow each other: direct recursion.
struct Run<'a> {
    frame: &'a Frame,
    length: usize,
}

fn folded<'a>(frames: &[&'a Frame]) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for frame in frames {
        match runs.last_mut() {
            Some(run) if run.frame == *frame => run.length += 1,
            _ => runs.push(Run { frame, length: 1 }),
        }
    }
    runs
}

fn run_line(run: &Run<'_>, width: Option<usize>) -> String {
    let suffix = if run.length > 1 { format!(" x {}", run.length) } else { String::new() };
    frame_line(run.frame, width.map(|width| width.saturating_sub(suffix.len()))) + &suffix
}

/// One frame, in at most `width` characters: of a path the start goes first, of a function the end.
#[must_use]
pub(super) fn frame_line(frame: &Frame, width: Option<usize>) -> String {
    let (name, place) = name_and_place(frame);
    let Some(place) = place else {
        return width.map_or_else(|| name.clone(), |width| cut_end(&name, width));
    };
    let line = format!("{name} ({place})");
    match width {
        Some(width) if line.chars().count() > width => narrowed(&name, &place, width),
        _ => line,
    }
}

/// Room for the place comes first, up to half of the line: file and line are what one looks for.
fn narrowed(name: &str, place: &str, width: usize) -> String {
    let name_width = name.chars().count();
    let room = width.saturating_sub(3);
    let place_room = room.saturating_sub(name_width).max(room / 2).min(place.chars().count());
    let name_room = room - place_room;
    cut_end(&format!("{} ({})", cut_end(name, name_room), cut_start(place, place_room)), width)
}

fn name_and_place(frame: &Frame) -> (String, Option<String>) {
    let location = module_location(frame);
    match (&frame.function, &frame.file) {
        (function, Some(file)) => {
            let name = function.as_deref().map_or_else(|| "?".to_owned(), safe);
            let line = match frame.line {
                Some(line) => format!(":{line}"),
                None if frame.kind == FrameKind::Python => ":?".to_owned(),
                None => String::new(),
            };
            (name, Some(format!("{}{line}", safe(file))))
        }
        (Some(function), None) => (safe(function), location),
        (None, None) => (
            location.unwrap_or_else(|| "?".to_owned()),
            Some(frame.reason.unwrap_or("reason unknown").to_owned()),
        ),
    }
}

/// `libc.so.6+0x9d8f0`, or the bare address where there is no module.
fn module_location(frame: &Frame) -> Option<String> {
    match (&frame.module, frame.offset) {
        (Some(module), Some(offset)) => Some(format!("{}+{offset:#x}", safe_basename(module))),
        (Some(module), None) => Some(safe_basename(module)),
        (None, Some(address)) => Some(format!("{address:#x}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::fixtures::{native, python};

    const ALL: StackOptions = StackOptions { show_internal: false, lines_max: None, width: None };

    #[test]
    fn each_kind_of_frame_has_its_shape() {
        let mut symbol = native("malloc", "/usr/lib/libc.so.6", 0x9d8f0);
        assert_eq!(frame_line(&python("put", "app/cache.py", 88), None), "put (app/cache.py:88)");
        assert_eq!(frame_line(&symbol, None), "malloc (libc.so.6+0x9d8f0)");
        symbol.function = None;
        symbol.reason = Some("no_symbol");
        assert_eq!(frame_line(&symbol, None), "libc.so.6+0x9d8f0 (no_symbol)");
        symbol.module = None;
        assert_eq!(frame_line(&symbol, None), "0x9d8f0 (no_symbol)");
        assert_eq!(frame_line(&Frame::unknown("stack_missing"), None), "? (stack_missing)");
    }

    #[test]
    fn a_python_frame_without_line_says_so() {
        let mut frame = python("put", "cache.py", 1);
        frame.line = None;
        assert_eq!(frame_line(&frame, None), "put (cache.py:?)");
        frame.function = None;
        assert_eq!(frame_line(&frame, None), "? (cache.py:?)");
    }

    #[test]
    fn a_narrow_line_keeps_the_end_of_the_path() {
        let frame = python("handle_upload", "/srv/very/long/path/to/the/application/handlers.py", 41);
        let line = frame_line(&frame, Some(40));
        assert_eq!(line, "handle_upload (...cation/handlers.py:41)");
        assert_eq!(line.chars().count(), 40);
    }

    #[test]
    fn no_width_is_exceeded() {
        let frame = python(&"f".repeat(90), &"p/".repeat(60), 7);
        for width in 0..200 {
            assert!(frame_line(&frame, Some(width)).chars().count() <= width);
        }
    }

    #[test]
    fn recursion_is_folded_and_counted() {
        let frames = vec![python("walk", "tree.py", 9); 45];
        assert_eq!(stack_lines(&frames, ALL), ["walk (tree.py:9) x 45"]);
    }

    #[test]
    fn a_long_stack_says_how_many_frames_it_leaves_out() {
        let frames: Vec<Frame> = (1..=10).map(|line| python("f", "a.py", line)).collect();
        let options = StackOptions { lines_max: Some(3), ..ALL };
        let lines = stack_lines(&frames, options);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[3], "... 7 more frames");
        assert_eq!(stack_lines(&frames[..4], options).len(), 4, "one frame is not replaced by a line");
    }

    #[test]
    fn a_stack_never_becomes_no_line() {
        let mut frame = native("_PyEval_EvalFrameDefault", "/usr/bin/python3", 1);
        frame.internal = true;
        assert_eq!(stack_lines(&[], ALL), ["(no stack)"]);
        assert_eq!(stack_lines(&[frame], ALL), ["_PyEval_EvalFrameDefault (python3+0x1)"]);
    }

    #[test]
    fn internal_frames_stand_for_a_stack_that_has_no_others() {
        let mut inner = native("operator new(unsigned long)", "/usr/lib/libstdc++.so.6", 1);
        inner.internal = true;
        let outer = native("Cache::fill", "/srv/service", 2);
        assert_eq!(stack_lines(&[inner.clone(), outer], ALL), ["Cache::fill (service+0x2)"]);
        assert_eq!(stack_lines(&[inner], ALL), ["operator new(unsigned long) (libstdc++.so.6+0x1)"]);
    }
}
