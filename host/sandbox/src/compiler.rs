//! Compiling: here, or in a process of its own.
//!
//! A compilation can't be interrupted, takes a core for seconds and leaves an allocator full of freed memory behind. In a
//! process of its own it can be ended, and takes its memory with it; if the compiler crashes, nothing else does.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::compiled::Native;
use crate::engine::{Inner, engine};
use crate::plugin::LoadError;

/// What such a program is called with. It gets the component on its standard input and writes the code to its standard
/// output; or it says on its standard error what is wrong with the component, and exits with another code than 0.
const ARGUMENT: &str = "compile";

/// Bytes of memory that such a program may write to. An interpreter of Python with its library, 18 MB, takes 380 MB; the allocator sets
/// aside a gigabyte before it gives out any.
const MEMORY: u64 = 2 << 30;

/// Bounds the memory of this process, which is there to compile: whoever may publish could make it take all that the host has.
/// On Linux; elsewhere it does nothing.
///
/// # Errors
/// Where the system doesn't let a process bound itself.
pub fn bound_memory() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        // What is written to; address space alone is set aside by the hundreds of gigabytes, for instances that never come.
        let most = getrlimit(Resource::Data).maximum.map_or(MEMORY, |most| most.min(MEMORY));
        setrlimit(Resource::Data, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    Ok(())
}

/// Compiles a component to native code, for a host of the same build on this machine: what the program does that
/// [`crate::SandboxConfig::compiler`] names, after it has bounded itself with [`bound_memory`].
pub fn compile(component: &[u8]) -> Result<Vec<u8>, LoadError> {
    engine(1, true).and_then(|engine| engine.precompile_component(component)).map_err(LoadError::Compile)
}

impl Inner {
    /// Compiles a component. `timeout` is kept where a process of its own does it.
    pub(crate) fn compile(&self, component: &[u8], timeout: Option<Duration>) -> Result<Native, LoadError> {
        if let Some(program) = &self.compiler {
            match start(program) {
                Ok(child) => return finish(child, component, timeout),
                Err(error) => {
                    tracing::warn!(program = %program.display(), %error, "no process to compile in: this one does it");
                }
            }
        }
        Native::compile(&self.engine, component).map_err(LoadError::Compile)
    }
}

fn start(program: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn()
}

/// A process that is ended with its owner.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Fails only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn finish(child: Child, component: &[u8], timeout: Option<Duration>) -> Result<Native, LoadError> {
    let mut child = Ended(child);
    let (input, output, errors) = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(move || {
            // A compiler that has read enough to refuse it doesn't read on.
            let _ = input.map(|mut input| input.write_all(component));
        });
        let said = scope.spawn(move || {
            let mut said = Vec::new();
            let _ = errors.map(|errors| errors.take(64 << 10).read_to_end(&mut said));
            let said = String::from_utf8_lossy(&said);
            said.trim().strip_prefix("error: ").unwrap_or(said.trim()).to_owned()
        });
        scope.spawn(move || {
            let mut code = Vec::new();
            let read = output.map_or(Ok(0), |mut output| output.read_to_end(&mut code));
            // Nobody waits any more.
            let _ = tell.send(read.map(|_| code));
        });
        let code = match timeout {
            None => told.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(timeout) => told.recv_timeout(timeout),
        };
        if let (Err(mpsc::RecvTimeoutError::Timeout), Some(timeout)) = (&code, timeout) {
            // Ends the threads, too: their pipes close.
            drop(child);
            return Err(LoadError::TooSlow(timeout));
        }
        let status = child.0.wait()?;
        let said = said.join().unwrap_or_default();
        if !status.success() {
            // One that has an error to tell ends with a code; what ends it otherwise is mostly want of memory.
            let said = match status.code() {
                Some(_) if !said.is_empty() => said,
                _ => format!("the compiler, which may take {} MiB, ended with {status}: {said}", MEMORY >> 20),
            };
            return Err(LoadError::Compile(wasmtime::Error::msg(said)));
        }
        match code {
            Ok(Ok(code)) => Ok(Native::compiled(code)),
            Ok(Err(error)) => Err(LoadError::Thread(error)),
            Err(_) => Err(LoadError::Compile(wasmtime::Error::msg("the compiler gave no code"))),
        }
    })
}
