//! The text format of event streams.
//!
//! ```text
//! follow p1                       follow a process; p2 for another
//! forget p1                       stop following it
//! stack s7 leak < handle < main   what a stack stands for, innermost first (for process p1; p2/s7 for another)
//! alloc t1 0x10 100 s7            an allocation by thread 1 of process 1
//! free t1 0x10
//! realloc t1 0x10                 a realloc begins
//! return t1 0x10 -> 0x20 200 s7   and ends; 0x0 when nothing was handed out
//! return t1 0x10 -> 0x20 700 s7 libc    python's, and the new block is libc's
//! py alloc t1 ...                 any of the four, by Python's allocator
//! p2 free t9 0x10                 any of them, in another process
//! exec p1, exit t1, p2 exit t9    the process replaced its image; a thread exited
//! at 2.5                          seconds from the start, for what follows
//! show p1 p2: after the fork      write down the ledgers
//! # a comment
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use memtrace_common::Domain;
use memtrace_core::decode::encode::encode;
use memtrace_core::decode::{Allocation, Event, Free, Origin, ReallocBegin, ReallocEnd};
use memtrace_core::model::FrameRef;

/// One line of a stream, ready to be replayed.
pub(crate) enum Line {
    Follow { target: u32 },
    Forget { target: u32 },
    Stack { target: u32, stack_id: u64, frames: Arc<[FrameRef]> },
    Record(Vec<u8>),
    Show { title: String, targets: Vec<(u32, u64)> },
}

/// A stream, and the names of its functions by number.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) lines: Vec<Line>,
    pub(crate) names: BTreeMap<u32, String>,
    now_ns: u64,
}

impl Stream {
    pub(crate) fn parse(text: &str) -> Self {
        let mut stream = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            if !words.is_empty() {
                stream.line(line, &words);
            }
        }
        stream
    }

    fn line(&mut self, line: &str, words: &[&str]) {
        let parsed = match words {
            ["at", seconds] => {
                self.now_ns = (seconds.parse::<f64>().expect("seconds") * 1e9) as u64;
                return;
            }
            ["follow", target] => Line::Follow { target: number(target, "p") as u32 },
            ["forget", target] => Line::Forget { target: number(target, "p") as u32 },
            ["stack", stack, functions @ ..] => self.stack(stack, functions),
            ["show", ..] => self.show(line),
            ["exec", target] => {
                let target = number(target, "p") as u32;
                Line::Record(encode(&Event::Executed {
                    target,
                    process: 100 + target,
                    by_other_thread: false,
                    comm: b"new",
                }))
            }
            _ => Line::Record(self.record(line, words)),
        };
        self.lines.push(parsed);
    }

    fn stack(&mut self, stack: &str, functions: &[&str]) -> Line {
        let (target, stack) = stack.split_once('/').unwrap_or(("p1", stack));
        let functions = functions.iter().filter(|&&word| word != "<");
        let frames =
            functions.map(|name| FrameRef::Python { function: self.function(name), line: 0 }).collect();
        Line::Stack { target: number(target, "p") as u32, stack_id: number(stack, "s"), frames }
    }

    fn function(&mut self, name: &str) -> u32 {
        let known = self.names.iter().find(|(_, known)| *known == name).map(|(&number, _)| number);
        known.unwrap_or_else(|| {
            let number = self.names.len() as u32;
            self.names.insert(number, name.to_owned());
            number
        })
    }

    fn show(&self, line: &str) -> Line {
        let (targets, title) = line["show".len()..].split_once(':').expect("show TARGETS: TITLE");
        let targets = targets.split_whitespace().map(|target| (number(target, "p") as u32, self.now_ns));
        Line::Show { title: title.trim().to_owned(), targets: targets.collect() }
    }

    fn record(&self, line: &str, mut words: &[&str]) -> Vec<u8> {
        let mut origin = Origin { target: 1, thread: 0, domain: Domain::Libc, window: 0 };
        if words[0].starts_with('p') && words[0] != "py" {
            origin.target = number(words[0], "p") as u32;
            words = &words[1..];
        }
        if words[0] == "py" {
            origin.domain = Domain::Pymalloc;
            words = &words[1..];
        }
        origin.thread = number(words[1], "t") as u32;
        let event = match *words {
            ["alloc", _, address, size, stack] => Event::Allocated(Allocation {
                origin,
                address: hex(address),
                size_bytes: number(size, ""),
                stack_id: number(stack, "s"),
                time_ns: self.now_ns,
                rarity_log2: 0,
            }),
            ["free", _, address] => Event::Freed(Free { origin, address: hex(address) }),
            ["realloc", _, address] => Event::ReallocBegun(ReallocBegin { origin, address: hex(address) }),
            ["return", _, old, "->", new, size, stack, ref flag @ ..] => Event::ReallocEnded(ReallocEnd {
                origin,
                old_address: hex(old),
                new_address: hex(new),
                size_bytes: number(size, ""),
                stack_id: number(stack, "s"),
                time_ns: self.now_ns,
                new_block_is_libc: matches!(flag, ["libc"]),
                rarity_log2: 0,
                is_unsampled: false,
            }),
            ["exit", _] => {
                Event::Exited { target: origin.target, process: 100 + origin.target, thread: origin.thread }
            }
            _ => panic!("not a line of a stream: {line}"),
        };
        encode(&event)
    }
}

fn number(word: &str, prefix: &str) -> u64 {
    let digits = word.strip_prefix(prefix).unwrap_or_else(|| panic!("{word} does not start with {prefix}"));
    digits.parse().unwrap_or_else(|_| panic!("{word} is not a number"))
}

fn hex(word: &str) -> u64 {
    let digits = word.strip_prefix("0x").unwrap_or_else(|| panic!("{word} is not an address"));
    u64::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("{word} is not an address"))
}
