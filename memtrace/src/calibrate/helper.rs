//! The helper process, from both sides. It says that it is there, and for every line with the number of a kind it times
//! a round of that kind and writes a line of figures: `KIND PROBED_NS BARE_NS`. It times by its own CPU time, so that who else
//! runs on the machine does not matter.

use std::{
    ffi::OsStr,
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    thread,
};

use rustix::time::{ClockId, clock_gettime};

use super::{
    Calibrated, CalibrationError,
    code::{Function, Kind},
    figures::{self, Round},
};
use crate::{
    host::mappings,
    kernel::{Kernel, attach::Probe},
};

/// What makes this program the helper.
const ARGUMENT: &str = "--calibration-helper";

/// Rounds of each kind. One of each takes about a millisecond and a half, where stepping is dear.
pub(super) const ROUNDS: usize = 15;

/// What is passed for a block's address: it is recorded, and never looked at.
const BLOCK: u64 = 0x1000;

/// A helper that waits to be probed.
pub struct Helper {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts it, from the file that this program runs from, whatever has become of its path.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start() -> io::Result<Self> {
        let mut child = Command::new("/proc/self/exe")
            .arg(ARGUMENT)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| io::Error::other("it has no pipes"))?;
        Ok(Self { child, input, output: BufReader::new(output) })
    }

    /// The probes are attached to what it maps, so it has to be there.
    pub(super) fn wait_until_ready(&mut self) -> io::Result<()> {
        if self.line()? == READY { Ok(()) } else { Err(io::Error::other("it does not say that it runs")) }
    }

    /// To be followed as [`super::TARGET`] before it measures, and to be unfollowed afterwards.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Attaches the programs to the helper's functions and has it call them. What was attached is detached on a thread
    /// of its own, which may take the kernel 90 ms.
    ///
    /// # Errors
    /// When the kernel refuses, the helper fails, or the figures are not plausible.
    pub fn measure(mut self, kernel: &mut Kernel) -> Result<Calibrated, CalibrationError> {
        let probes = Kind::ALL.map(probe).into_iter().collect::<Option<Vec<_>>>();
        let probes = probes.ok_or(CalibrationError::NoFunctions)?;
        self.wait_until_ready()?;
        let attachment = kernel.attach("/proc/self/exe".as_ref(), &probes, self.pid())?;
        let rounds = self.rounds();
        thread::spawn(move || drop(attachment));
        figures::evaluate(&rounds?)
    }

    fn rounds(&mut self) -> io::Result<Vec<Round>> {
        let kinds = std::iter::repeat_n(Kind::ALL, ROUNDS).flatten();
        kinds.map(|kind| self.round(kind)).collect()
    }

    /// Has it time one round.
    pub(super) fn round(&mut self, kind: Kind) -> io::Result<Round> {
        let number = Kind::ALL.iter().position(|other| *other == kind).unwrap_or(0);
        self.input.write_all(format!("{number}\n").as_bytes())?;
        let round = parse(&self.line()?).filter(|round| round.kind == kind);
        round.ok_or_else(|| io::Error::other("its figures cannot be read"))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Helper {
    /// It would end by itself, at the end of its input, and then wait to be reaped.
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

pub(super) fn probe(kind: Kind) -> Option<Probe> {
    let (_, file_offset) = mappings::own_file_offset(kind.probed() as usize)?;
    Some(Probe { file_offset, call: kind.call() })
}

/// What the helper says first.
const READY: &str = "ready";

/// Runs as the helper, if that is what this process was started as: `main` asks first of all.
#[must_use]
pub fn as_helper() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let is_helper = arguments.next().as_deref() == Some(OsStr::new(ARGUMENT)) && arguments.next().is_none();
    is_helper.then(|| if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve() -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{READY}")?;
    // The end of the input is the end of who asked.
    for asked in io::stdin().lock().lines().map_while(Result::ok) {
        let kind = asked.parse().ok().and_then(|number: usize| Some((number, *Kind::ALL.get(number)?)));
        let Some((number, kind)) = kind else { return Err(io::Error::other("no kind has this number")) };
        let (probed, bare) = kind.loops();
        let (probed_ns, bare_ns) = (time(probed, kind.calls()), time(bare, kind.calls()));
        writeln!(output, "{number} {probed_ns} {bare_ns}")?;
        output.flush()?;
    }
    Ok(())
}

fn parse(line: &str) -> Option<Round> {
    let mut words = line.split(' ');
    let kind = *Kind::ALL.get(words.next()?.parse::<usize>().ok()?)?;
    let (probed_ns, bare_ns) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(Round { kind, probed_ns, bare_ns })
}

fn time(function: Function, calls: u32) -> u64 {
    // The first call after another kind's finds less in the caches.
    call(function);
    let before_ns = cpu_ns();
    for _ in 0..calls {
        call(function);
    }
    cpu_ns().saturating_sub(before_ns)
}

fn call(function: Function) {
    // SAFETY: the functions of `code` take any number and touch nothing but their own frames.
    std::hint::black_box(unsafe { function(BLOCK) });
}

fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_kind_and_two_times() {
        let round = Round { kind: Kind::ALL[2], probed_ns: 17, bare_ns: 4 };
        assert_eq!(parse("2 17 4"), Some(round));
        for line in ["", "4 1 1", "-1 1 1", "0 1", "0 1 1 1", "x y z"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn every_function_is_found_in_this_programs_file() {
        let offsets: std::collections::BTreeSet<u64> =
            Kind::ALL.into_iter().filter_map(probe).map(|probe| probe.file_offset).collect();
        assert_eq!(offsets.len(), Kind::ALL.len());
    }

    #[test]
    fn calls_take_time() {
        let (_, bare) = Kind::Stack.loops();
        assert!(time(bare, 100_000) > time(bare, 1_000));
    }
}
