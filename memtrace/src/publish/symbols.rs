//! Names for places in files, by blazesym: functions, inlined functions, lines.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::PathBuf,
    sync::Arc,
};

use blazesym::symbolize::{
    CodeInfo, Input, Sym, Symbolized, Symbolizer,
    source::{Elf, Source},
};
use memtrace_core::{
    attribute::interesting,
    model::{Frame, FrameKind},
};

use crate::follow::Module;

/// Places remembered; each takes a few hundred bytes with its names.
const PLACES: usize = 65_536;

type Place = (u32, u64);

/// The symbolizer and what it found. blazesym's is tied to its thread.
pub(super) struct Symbols {
    symbolizer: Symbolizer,
    found: HashMap<Place, Arc<[Frame]>>,
    unresolved: BTreeSet<Place>,
}

impl Symbols {
    pub(super) fn new() -> Self {
        let builder = Symbolizer::builder();
        let builder = builder.enable_code_info(true).enable_inlined_fns(true).enable_demangling(true);
        Self { symbolizer: builder.build(), found: HashMap::new(), unresolved: BTreeSet::new() }
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

    fn look_up(&mut self, module: &Module, offsets: &[u64]) {
        let result = module.file.as_ref().map(|file| {
            let source = Source::Elf(Elf::new(path_to_read(module, &file.own_path())));
            self.symbolizer
                .symbolize(&source, Input::FileOffset(offsets))
                .map(|all| all.into_iter().map(|symbol| frames_of(module, &symbol)).collect::<Vec<_>>())
        });
        let reason = match &result {
            None => "file_not_opened",
            Some(Err(error)) => {
                tracing::debug!("no symbols of {}: {error:#}", module.path);
                "no_symbols"
            }
            Some(Ok(_)) => "no_symbol",
        };
        let mut all = result.and_then(Result::ok).unwrap_or_default().into_iter();
        for offset in offsets {
            let mut frames = all.next().unwrap_or_default();
            if frames.is_empty() {
                self.unresolved.insert((module.number, *offset));
                frames.push(nameless(module, *offset, reason));
            }
            for frame in &mut frames {
                frame.offset = Some(*offset);
            }
            self.found.insert((module.number, *offset), frames.into());
        }
    }
}

/// The file's own path where it leads to the same file, so that debug files beside it are found; else the open file.
fn path_to_read(module: &Module, own_path: &PathBuf) -> PathBuf {
    use std::os::unix::fs::MetadataExt as _;
    let path = PathBuf::from(&*module.path);
    let identity =
        |path: &PathBuf| std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    if identity(&path).is_some() && identity(&path) == identity(own_path) { path } else { own_path.clone() }
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
