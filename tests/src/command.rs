//! The binary's commands that end by themselves.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::{binary, compiled};

/// What a command left behind.
#[derive(Debug)]
pub struct Output {
    /// The exit code: 0 fine, 1 a check failed or a request was refused, 2 usage.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Panics unless the command ended with this code.
    #[allow(clippy::return_self_not_must_use, reason = "often only the code matters")]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `assize` with these arguments.
pub fn assize<A: AsRef<Path>>(arguments: &[A]) -> Output {
    assize_with(arguments, &[])
}

/// Runs `assize` with these arguments and environment variables.
pub fn assize_with<A: AsRef<Path>>(arguments: &[A], environment: &[(&str, &str)]) -> Output {
    assize_given(arguments, environment, "")
}

/// Runs `assize` with these arguments, environment variables and standard input.
pub fn assize_given<A: AsRef<Path>>(arguments: &[A], environment: &[(&str, &str)], input: &str) -> Output {
    let mut command = command();
    command.args(arguments.iter().map(AsRef::as_ref)).envs(environment.iter().copied());
    finished(command, input)
}

/// Runs `assize` in a folder, with these environment variables.
pub fn assize_in(folder: &Path, arguments: &[&str], environment: &[(&str, OsString)]) -> Output {
    let mut command = command();
    command.args(arguments).current_dir(folder).envs(environment.iter().map(|(name, value)| (name, value)));
    finished(command, "")
}

/// `assize`, without what the environment says of servers.
fn command() -> Command {
    let mut command = Command::new(binary());
    command.env_remove("ASSIZE_SERVER").env_remove("ASSIZE_KEY").envs(compiled());
    command
}

fn finished(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading all of it.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Output {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
