//! The machine: `/proc`, targets' memory, ELF files. Everything here can fail because a process ended meanwhile.

pub mod capabilities;
pub mod cut_files;
pub mod files;
pub mod launch;
pub mod mappings;
pub mod memory;
pub mod process;
pub mod regular;
