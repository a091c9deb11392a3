//! A process' machine code against the file it came from: a probe is a changed byte.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// How many bytes of libc's code in this process differ from libc's file.
pub(crate) fn changed_libc_bytes(pid: u32) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process runs");
    let line = maps
        .lines()
        .find(|line| line.contains(" r-xp ") && line.contains("/libc.so.6"))
        .expect("the process maps glibc");
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next().and_then(|range| range.split_once('-')).expect("maps has a range first");
    let offset = fields.nth(1).expect("maps has the offset third");
    let path = line.split_whitespace().last().expect("maps has the path last");
    let [start, end, offset] = [start, end, offset].map(|hex| u64::from_str_radix(hex, 16).expect("hex"));
    let length = (end - start) as usize;
    let in_memory = read(&format!("/proc/{pid}/mem"), start, length);
    let in_file = read(&format!("/proc/{pid}/root{path}"), offset, length);
    in_memory.iter().zip(&in_file).filter(|(memory, file)| memory != file).count()
}

/// Up to the end of the file: a mapping is whole pages, a file need not be.
fn read(path: &str, offset: u64, length: usize) -> Vec<u8> {
    let file = File::open(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut bytes = vec![0; length];
    let mut read = 0;
    while read < length {
        match file.read_at(&mut bytes[read..], offset + read as u64) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) => panic!("{path} at {offset:#x}: {error}"),
        }
    }
    bytes.truncate(read);
    bytes
}
