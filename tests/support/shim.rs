//! The independent books of `programs/c/count_shim.c`, which it keeps in a file that both sides have open.

use std::fs::File;
use std::os::unix::fs::FileExt;

use tempfile::NamedTempFile;

use super::compile;
use super::figures::Figures;
use super::target::Target;

/// `struct books`: `armed`, the six numbers of `struct tally`, `live_hash`.
const WORDS: usize = 8;

/// The books of one program.
pub(crate) struct Shim {
    file: NamedTempFile,
}

impl Shim {
    /// Starts a C program with the library before libc. Nothing counts until [`Shim::arm`].
    pub(crate) fn start(name: &str, arguments: &[&str]) -> (Self, Target) {
        let file = NamedTempFile::new_in(compile::directory()).expect("cargo's directory is writable");
        file.as_file().set_len(8 * WORDS as u64).expect("a file can grow");
        let library = compile::library("count_shim");
        let variables = [("LD_PRELOAD", library.as_os_str()), ("SHIM_BOOKS", file.path().as_os_str())];
        let program = Target::c_with(name, arguments, &variables);
        (Self { file }, program)
    }

    /// From now on everything counts: the moment at which memtrace would attach.
    pub(crate) fn arm(&self) {
        let one = 1_u64.to_ne_bytes();
        self.file().write_all_at(&one, 0).expect("the file is ours");
    }

    /// What was seen since then.
    pub(crate) fn figures(&self) -> Figures {
        let [_, allocations, allocated_bytes, frees, freed_bytes, frees_unknown, _, _] = self.words();
        Figures {
            live_blocks: allocations - frees,
            live_bytes: allocated_bytes - freed_bytes,
            allocations,
            allocated_bytes,
            frees,
            freed_bytes,
            frees_unknown,
        }
    }

    /// A hash over address and size of every live block.
    pub(crate) fn live_hash(&self) -> u64 {
        let [.., hash] = self.words();
        hash
    }

    fn words(&self) -> [u64; WORDS] {
        let mut bytes = [0; 8 * WORDS];
        self.file().read_exact_at(&mut bytes, 0).expect("the file has this length");
        let mut words = [0; WORDS];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("chunks of 8 bytes"));
        }
        words
    }

    fn file(&self) -> &File {
        self.file.as_file()
    }
}
