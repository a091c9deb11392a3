//! What a target bears: every probe hit counts in its meter, and the daemon is woken when they become too many.
//!
//! In: a target number. Out: its meter, its allowance, alarms. It refuses to stop anything: a trap is paid before any
//! program runs, so only the daemon can save the target from the next one. Invariant: counters are added to without
//! reading the sum back, because 5.10 knows no other atomic addition.

use core::arch::asm;

use memtrace_common::{Allowance, Call, GAP_NS_MAX, Meter};

use crate::{
    emit,
    maps::{ALLOWANCES, METERS},
};

/// More than a report ever takes; what took longer was preempted, and then the processor worked for others.
const PROGRAM_NS_MAX: u64 = 100_000;

/// A target's meter; without one it is not metered.
#[inline(always)]
pub fn of(target: u32) -> Option<*mut Meter> {
    METERS.get_ptr_mut(&target)
}

/// A hit of an entry probe. Gives back what the target is allowed; without an allowance everything is, for ever.
///
/// The hit of the return probe that a call with a result goes on to is counted here as well: before 6.13 one return
/// runs the programs of every process that has the function probed (`handle_uretprobe_chain`,
/// kernel/events/uprobes.c), for one trap.
#[inline(always)]
pub fn entered(target: u32, meter: Option<*mut Meter>, call: Call) -> Allowance {
    // SAFETY: copied at once. The daemon replaces an entry whole; one that is recycled in the instant between lookup
    // and copy gives another target's allowance to a single call.
    let allowance = unsafe { ALLOWANCES.get(&target) }.copied();
    let Some(meter) = meter else { return allowance.unwrap_or_default() };
    // SAFETY: as in `entries`; only the field's address is taken.
    add(unsafe { &raw mut (*meter).entries }, 1);
    if call.has_result() {
        // SAFETY: as in `entries`; only the field's address is taken.
        add(unsafe { &raw mut (*meter).returns }, 1);
    }
    let Some(allowance) = allowance else { return Allowance::default() };
    let entries = entries(meter);
    if entries > allowance.entries_max {
        alarm(meter, target, &allowance, entries);
    }
    allowance
}

/// Once for each allowance, or, when threads race here, a few times.
#[inline(always)]
fn alarm(meter: *mut Meter, target: u32, allowance: &Allowance, entries: u64) {
    // SAFETY: the pointer is to a map value, which lives as long as the program runs; the field is one word.
    let alarmed_at = unsafe { &mut (*meter).alarmed_at };
    if *alarmed_at != allowance.entries_max {
        *alarmed_at = allowance.entries_max;
        emit::over_allowance(target, allowance.window, entries);
    }
}

/// Entry probes hit so far.
#[inline(always)]
pub fn entries(meter: *mut Meter) -> u64 {
    // SAFETY: the pointer is to a map value, which lives as long as the program runs; the field is one word.
    unsafe { (&raw const (*meter).entries).read_volatile() }
}

/// A call was reported with its stack, which took from `began_ns` to `ended_ns`.
#[inline(always)]
pub fn reported(target: u32, began_ns: u64, ended_ns: u64) {
    let Some(meter) = of(target) else { return };
    // SAFETY: as in `entries`; only the field's address is taken.
    add(unsafe { &raw mut (*meter).reporting_ns }, elapsed_ns(began_ns, ended_ns));
    // SAFETY: as in `entries`; only the field's address is taken.
    add(unsafe { &raw mut (*meter).sampled }, 1);
}

/// When a program began that is to be measured; 0 outside of windows, where none is.
#[inline(always)]
pub fn begun(window: u32) -> u64 {
    if window == 0 { 0 } else { emit::now() }
}

/// A program that began then has ended; gives back when, or 0 where it is not measured.
#[inline(always)]
pub fn ran(meter: Option<*mut Meter>, began_ns: u64) -> u64 {
    if began_ns == 0 {
        return 0;
    }
    let ended_ns = emit::now();
    if let Some(meter) = meter {
        // SAFETY: as in `entries`; only the field's address is taken.
        add(unsafe { &raw mut (*meter).program_ns }, elapsed_ns(began_ns, ended_ns));
    }
    ended_ns
}

/// A return program has ended: where it is measured, adds it, and the gap between it and the call's entry program.
#[inline(always)]
pub fn returned(target: u32, entered_ns: u64, began_ns: u64) {
    if began_ns == 0 {
        return;
    }
    let Some(meter) = of(target) else { return };
    ran(Some(meter), began_ns);
    let gap_ns = began_ns.wrapping_sub(entered_ns);
    if entered_ns != 0 && gap_ns <= GAP_NS_MAX {
        // SAFETY: as in `entries`; only the field's address is taken.
        add(unsafe { &raw mut (*meter).gaps }, 1);
        // SAFETY: as in `entries`; only the field's address is taken.
        add(unsafe { &raw mut (*meter).gaps_ns }, gap_ns);
    }
}

#[inline(always)]
fn elapsed_ns(began_ns: u64, ended_ns: u64) -> u64 {
    let elapsed_ns = ended_ns.wrapping_sub(began_ns);
    if elapsed_ns > PROGRAM_NS_MAX { PROGRAM_NS_MAX } else { elapsed_ns }
}

/// Adds to a counter in a map, as other processors do at the same time.
#[inline(always)]
fn add(counter: *mut u64, amount: u64) {
    // `core::sync::atomic` has no addition for this target, and a compiler may choose the one that gives the sum back.
    // SAFETY: the pointer is to an aligned word of a map value, which lives as long as the program runs.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) amount) }
}
