//! The follower on this process' own blocks.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use memtrace_common::Domain;
use memtrace_core::liveness::{Allocators, Block, DeathProof, Doubt, Fingerprint, Libc, Verdict, ranges};

use super::super::reader::BatchReader;
use super::*;

const ALLOCATORS: Allocators =
    Allocators { libc: Libc::Glibc { version: Some((2, 36)) }, pool_bytes: 16 << 10 };

fn start() -> (Follower, Receiver<Judged>) {
    let (send, receive) = channel();
    let follower = Follower::start(move |told| match told {
        Told::Judged(judged) => send.send(judged).unwrap(),
        Told::Met(met) => panic!("nobody was to be met: {met:?}"),
    })
    .unwrap();
    (follower, receive)
}

fn begin(follower: &Follower, allocators: Allocators) {
    follower.order(Order::Begin { target: 1, pid: std::process::id(), allocators }).unwrap();
}

fn fingerprint(address: u64, size_bytes: u64, allocators: &Allocators) -> Fingerprint {
    let block = Block { address, size_bytes, domain: Domain::Libc };
    let ranges = ranges(&block, allocators);
    let mut reader = BatchReader::default();
    let readings = reader.read(std::process::id(), ranges.as_slice().iter().copied()).unwrap();
    Fingerprint::from_bytes(block, allocators, &[readings.get(0), readings.get(1)]).unwrap()
}

fn check(follower: &Follower, answers: &Receiver<Judged>, samples: &[u64]) -> Judged {
    follower.order(Order::Check { target: 1, samples: samples.to_vec() }).unwrap();
    answers.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn a_block_is_alive_while_it_is_and_dead_when_it_is_unmapped() {
    let (follower, answers) = start();
    begin(&follower, ALLOCATORS);
    // Larger than any threshold: glibc maps it alone.
    let mut block = vec![0_u8; 64 << 20];
    block[..16].copy_from_slice(b"words that tell.");
    let print = fingerprint(block.as_ptr() as u64, block.len() as u64, &ALLOCATORS);
    follower.order(Order::Remember { target: 1, samples: vec![(7, print)] }).unwrap();
    let judged = check(&follower, &answers, &[7, 8]);
    assert_eq!((judged.verdicts, judged.strangers), (vec![(7, Verdict::Alive)], vec![8]));
    assert!(judged.began_ns <= judged.ended_ns && !judged.is_gone);
    drop(block);
    let judged = check(&follower, &answers, &[7]);
    assert_eq!(judged.verdicts, [(7, Verdict::Dead(DeathProof::Unmapped))]);
    assert_eq!(check(&follower, &answers, &[7]).strangers, [7], "the dead are forgotten");
}

#[test]
fn without_notes_of_the_allocator_nothing_is_alive() {
    let (follower, answers) = start();
    let allocators = Allocators { libc: Libc::Other, ..ALLOCATORS };
    begin(&follower, allocators);
    let block = String::from("words that would tell, if one knew that they are in use");
    let print = fingerprint(block.as_ptr() as u64, block.len() as u64, &allocators);
    follower.order(Order::Remember { target: 1, samples: vec![(7, print)] }).unwrap();
    let judged = check(&follower, &answers, &[7]);
    assert_eq!(judged.verdicts, [(7, Verdict::Unknown(Doubt::NoNotes))]);
}

#[test]
fn the_end_of_a_process_is_not_the_death_of_its_blocks() {
    let (follower, answers) = start();
    // Pids end at 2^22 (PID_MAX_LIMIT).
    follower.order(Order::Begin { target: 1, pid: 1 << 22, allocators: ALLOCATORS }).unwrap();
    let block = String::from("somewhere");
    let print = fingerprint(block.as_ptr() as u64, block.len() as u64, &ALLOCATORS);
    follower.order(Order::Remember { target: 1, samples: vec![(7, print)] }).unwrap();
    let judged = check(&follower, &answers, &[7]);
    assert!(judged.is_gone && judged.verdicts.is_empty());
}

#[test]
fn an_ended_target_has_only_strangers() {
    let (follower, answers) = start();
    begin(&follower, ALLOCATORS);
    follower.order(Order::End { target: 1 }).unwrap();
    assert_eq!(check(&follower, &answers, &[3]).strangers, [3]);
}

#[test]
fn orders_beyond_the_queue_are_refused_and_not_awaited() {
    let (release, wait) = channel::<()>();
    let follower = Follower::start(move |_| wait.recv().unwrap_or_default()).unwrap();
    let refused =
        (0..QUEUE + 8).any(|_| follower.order(Order::Check { target: 1, samples: vec![] }).is_err());
    drop(release);
    assert!(refused);
}
