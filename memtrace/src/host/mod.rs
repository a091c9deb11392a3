//! The machine: `/proc`, targets' memory, ELF files. Everything here can fail because a process ended meanwhile.

pub mod mappings;
