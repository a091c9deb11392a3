//! Names for places in files, by blazesym: functions, inlined functions, lines.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized, Symbolizer, source::Source};
use memtrace_core::{
    attribute::interesting,
    model::{Frame, FrameKind},
};

use super::source;
use crate::{follow::Module, host::cut_files};

/// Places remembered; each takes a few hundred bytes with its names. Nameless ones are remembered apart, at 12 bytes.
const PLACES: usize = 65_536;

/// Files that the symbolizer keeps mapped, with what it has parsed of them: from a few kilobytes to some megabytes.
const FILES: usize = 256;

type Place = (u32, u64);

/// The symbolizer and what it found. blazesym's is tied to its thread.
pub(super) struct Symbols {
    symbolizer: Symbolizer,
    found: HashMap<Place, Arc<[Frame]>>,
    unresolved: BTreeSet<Place>,
    /// Modules that this symbolizer has opened.
    opened: BTreeSet<u32>,
}

fn symbolizer() -> Symbolizer {
    let builder = Symbolizer::builder();
    builder.enable_code_info(true).enable_inlined_fns(true).enable_demangling(true).build()
}

impl Symbols {
    pub(super) fn new() -> Self {
        Self {
            symbolizer: symbolizer(),
            found: HashMap::new(),
            unresolved: BTreeSet::new(),
            opened: BTreeSet::new(),
        }
    }

    /// Looks up all of these places that are not known yet, file by file.
    pub(super) fn prepare(&mut self, places: &[(&Arc<Module>, u64)]) {
        if self.found.len() > PLACES {
            self.found.clear();
        }
        let mut wanted: BTreeMap<u32, (&Arc<Module>, BTreeSet<u64>)> = BTreeMap::new();
        for &(module, offset) in places {
            if !self.found.contains_key(&(module.number, offset)) {
                wanted.entry(module.number).or_insert_with(|| (module, BTreeSet::new())).1.insert(offset);
            }
        }
        for (module, offsets) in wanted.into_values() {
            if self.opened.len() >= FILES && !self.opened.contains(&module.number) {
                self.forget_files();
            }
            self.opened.insert(module.number);
            self.look_up(module, &offsets.into_iter().collect::<Vec<_>>());
        }
    }

    /// The frames at a place, innermost first: more than one where functions are inlined.
    pub(super) fn frames(&self, module: &Module, offset: u64) -> Arc<[Frame]> {
        let known = self.found.get(&(module.number, offset));
        known.map_or_else(|| [nameless(module, offset, "not_symbolized")].into(), Arc::clone)
    }

    /// Distinct places without a name so far.
    pub(super) fn unresolved(&self) -> u64 {
        self.unresolved.len() as u64
    }

    /// blazesym keeps every file that it has opened.
    fn forget_files(&mut self) {
        self.symbolizer = symbolizer();
        self.opened.clear();
    }

    /// Reads a file that its owner may be changing at this moment, by a parser that is not ours: whatever happens, it
    /// is this file that has no names.
    fn symbolize(&mut self, module: &Module, offsets: &[u64]) -> Option<Result<Vec<Vec<Frame>>, String>> {
        let file = module.file.as_ref()?;
        let missing_before = cut_files::pages_missing();
        let source = Source::Elf(source::of(file));
        let symbolize = || {
            let all = self.symbolizer.symbolize(&source, Input::FileOffset(offsets));
            all.map(|all| all.into_iter().map(|symbol| frames_of(module, &symbol)).collect::<Vec<_>>())
                .map_err(|error| format!("{error:#}"))
        };
        let result = catch_unwind(AssertUnwindSafe(symbolize));
        let is_cut = cut_files::pages_missing() != missing_before;
        if is_cut || result.is_err() {
            // What it has parsed of this file is worth nothing.
            self.forget_files();
        }
        let panicked = || Err("the symbolizer panicked".to_owned());
        let result = result.unwrap_or_else(|_| panicked());
        Some(if is_cut { Err("the file was cut while it was read".to_owned()) } else { result })
    }

    fn look_up(&mut self, module: &Module, offsets: &[u64]) {
        let result = self.symbolize(module, offsets);
        let reason = match &result {
            None => "file_not_opened",
            Some(Err(error)) => {
                tracing::debug!("no symbols of {}: {error}", module.path);
                "no_symbols"
            }
            Some(Ok(_)) => "no_symbol",
        };
        let mut all = result.and_then(Result::ok).unwrap_or_default().into_iter();
        for offset in offsets {
            let mut frames = all.next().unwrap_or_default();
            if frames.is_empty() {
                if self.unresolved.len() < PLACES {
                    self.unresolved.insert((module.number, *offset));
                }
                frames.push(nameless(module, *offset, reason));
            }
            for frame in &mut frames {
                frame.offset = Some(*offset);
            }
            self.found.insert((module.number, *offset), frames.into());
        }
    }
}

fn frames_of(module: &Module, symbolized: &Symbolized<'_>) -> Vec<Frame> {
    let Symbolized::Sym(symbol) = symbolized else { return Vec::new() };
    let mut frames = Vec::with_capacity(symbol.inlined.len() + 1);
    // blazesym gives the function, then what is inlined in it, going inwards.
    frames.extend(
        symbol.inlined.iter().rev().map(|inlined| frame(module, &inlined.name, inlined.code_info.as_ref())),
    );
    frames.push(outermost(module, symbol));
    frames
}

fn outermost(module: &Module, symbol: &Sym<'_>) -> Frame {
    frame(module, &symbol.name, symbol.code_info.as_deref())
}

fn frame(module: &Module, function: &str, code: Option<&CodeInfo<'_>>) -> Frame {
    Frame {
        kind: FrameKind::Native,
        function: Some(function.into()),
        file: code.map(|code| code.to_path().to_string_lossy().into()),
        line: code.and_then(|code| code.line),
        module: Some(Arc::clone(&module.path)),
        offset: None,
        reason: None,
        internal: interesting::is_allocator(function),
    }
}

fn nameless(module: &Module, offset: u64, reason: &'static str) -> Frame {
    Frame {
        kind: FrameKind::Native,
        module: Some(Arc::clone(&module.path)),
        offset: Some(offset),
        ..Frame::unknown(reason)
    }
}
