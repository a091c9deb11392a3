//! Which events a file's probes become, and in which order they are armed.
//!
//! One event can have many probes, as long as all are entries or all are returns, and runs one program. So a file has
//! an event for each shape of call, and one for all returns: arming costs by the event and by the probe, and the fewer
//! events the better.

use memtrace_common::Call;

use crate::kernel::attach::Probe;

/// When in arming an event's turn comes; disarming goes backwards.
///
/// A block whose allocation is seen and whose free is not would pass for alive, so frees are seen first and last. A call
/// whose entry is seen and whose return is not would pass for lost, so returns come before entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    Frees,
    Returns,
    Reallocs,
    Allocations,
}

/// What an event's program handles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Handler {
    Entry(Call),
    Return,
}

/// An event to be defined.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) stage: Stage,
    pub(super) handler: Handler,
    /// In the file; never empty.
    pub(super) offsets: Vec<u64>,
}

impl Handler {
    /// The name of the event, within its file.
    pub(super) fn name(self) -> String {
        match self {
            Self::Entry(call) => format!("{call:?}").to_lowercase(),
            Self::Return => "returns".to_owned(),
        }
    }
}

/// The events of a file with these probes, in the order of arming.
pub(super) fn events(probes: &[Probe]) -> Vec<Plan> {
    let offsets = |keep: &dyn Fn(Call) -> bool| -> Vec<u64> {
        let mut offsets: Vec<u64> =
            probes.iter().filter(|probe| keep(probe.call)).map(|probe| probe.file_offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        offsets
    };
    let entries = Call::ALL.into_iter().map(|call| Plan {
        stage: stage(call),
        handler: Handler::Entry(call),
        offsets: offsets(&|other| other == call),
    });
    let returns =
        Plan { stage: Stage::Returns, handler: Handler::Return, offsets: offsets(&Call::has_result) };
    let mut events: Vec<Plan> = entries.chain([returns]).filter(|plan| !plan.offsets.is_empty()).collect();
    events.sort_by_key(|plan| plan.stage);
    events
}

const fn stage(call: Call) -> Stage {
    match call {
        Call::Free | Call::PythonFree => Stage::Frees,
        Call::Realloc | Call::Reallocarray | Call::PythonRealloc => Stage::Reallocs,
        _ => Stage::Allocations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_of_one_shape_share_an_event_and_all_returns_do() {
        let calls = [Call::Malloc, Call::Malloc, Call::Free, Call::Realloc];
        let probes: Vec<Probe> =
            calls.iter().zip(1..).map(|(call, offset)| Probe { file_offset: offset, call: *call }).collect();
        let events: Vec<(Handler, Vec<u64>)> =
            events(&probes).into_iter().map(|plan| (plan.handler, plan.offsets)).collect();
        assert_eq!(
            events,
            [
                (Handler::Entry(Call::Free), vec![3]),
                (Handler::Return, vec![1, 2, 4]),
                (Handler::Entry(Call::Realloc), vec![4]),
                (Handler::Entry(Call::Malloc), vec![1, 2]),
            ]
        );
    }

    #[test]
    fn a_file_that_only_frees_has_no_returns() {
        let events = events(&[Probe { file_offset: 1, call: Call::PythonFree }]);
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].handler.name(), "pythonfree");
    }
}
