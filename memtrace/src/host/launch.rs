//! Starts a program so that it can be traced from its first instruction: it waits, before it becomes the program,
//! until it is told to go on. Under sudo it runs as the invoking user.

use std::{
    ffi::{CString, OsString},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    process::{Child, Command},
    thread::{self, JoinHandle},
};

/// A program that waits to be let go.
pub struct Launched {
    /// Its process id.
    pub pid: u32,
    go: Option<OwnedFd>,
    spawner: Option<JoinHandle<io::Result<Child>>>,
}

/// Who to run as: what sudo says of who called it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Invoker {
    uid: libc::uid_t,
    gid: libc::gid_t,
    name: CString,
}

impl Launched {
    /// Starts `command` up to the point before its exec.
    ///
    /// `Command::spawn` returns only after the exec, so it runs on a thread of its own; the child says its pid
    /// through one pipe and waits for the end of another.
    ///
    /// # Errors
    /// When no process can be made.
    pub fn start(command: &[OsString]) -> io::Result<Self> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command"))?;
        let (pid_reader, pid_writer) = cloexec_pipe()?;
        let (go_reader, go_writer) = cloexec_pipe()?;
        let invoker = Invoker::from_sudo();
        let mut child = Command::new(program);
        child.args(arguments);
        let parent_end = go_writer.as_raw_fd();
        let before_exec = move || {
            // The child's copy of the writing end, or the wait below would never end.
            // SAFETY: closing a descriptor number that this child inherited and nothing in it uses.
            unsafe { libc::close(parent_end) };
            if let Some(invoker) = &invoker {
                invoker.become_user()?;
            }
            let pid = std::process::id().to_ne_bytes();
            rustix::io::write(&pid_writer, &pid)?;
            rustix::io::read(&go_reader, &mut [0_u8; 1])?;
            Ok(())
        };
        // SAFETY: the closure calls only write, read, close and the set*id calls; initgroups may take locks of the
        // name service, but the only other threads of this early process are this module's own.
        unsafe { child.pre_exec(before_exec) };
        let spawner = thread::spawn(move || child.spawn());
        let mut pid = [0; 4];
        std::fs::File::from(pid_reader).read_exact(&mut pid)?;
        Ok(Self { pid: u32::from_ne_bytes(pid), go: Some(go_writer), spawner: Some(spawner) })
    }

    /// Lets it become the program.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub fn go(&mut self) -> io::Result<Child> {
        drop(self.go.take());
        let spawner = self.spawner.take().ok_or_else(|| io::Error::other("already let go"))?;
        spawner.join().map_err(|_| io::Error::other("the thread that starts the program panicked"))?
    }
}

fn cloexec_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?)
}

impl Invoker {
    fn from_sudo() -> Option<Self> {
        let number = |name| std::env::var(name).ok()?.parse().ok();
        let uid = number("SUDO_UID")?;
        let name = CString::new(std::env::var("SUDO_USER").ok()?).ok()?;
        (uid != 0).then_some(Self { uid, gid: number("SUDO_GID")?, name })
    }

    fn become_user(&self) -> io::Result<()> {
        let check = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        // SAFETY: the name is a C string that lives through the call.
        check(unsafe { libc::initgroups(self.name.as_ptr(), self.gid) })?;
        // SAFETY: takes a number.
        check(unsafe { libc::setgid(self.gid) })?;
        // SAFETY: takes a number.
        check(unsafe { libc::setuid(self.uid) })
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        // Never let go: it is not to run at all. It waits in read(2), and dies there.
        if self.go.is_some()
            && let Some(pid) = rustix::process::Pid::from_raw(self.pid.cast_signed())
            && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::KILL)
        {
            let _told = writeln!(io::stderr(), "memtrace: cannot stop {}: {error}", self.pid);
        }
    }
}
