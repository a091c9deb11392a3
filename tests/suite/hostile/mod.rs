//! Programs that do what no program should. Neither they nor memtrace may end, figures stay exact where the program
//! knows them, and what cannot be known is counted.

mod files;
mod forged_python;
mod overload;
mod programs;
