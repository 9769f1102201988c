//! A witness: the real binary, signing what extends the checkpoint that it signed last.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::binary;

/// `assize witness` on a free port, until it is dropped.
#[derive(Debug)]
pub struct Witness {
    process: Child,
    key: String,
    url: String,
}

impl Witness {
    /// Starts one that keeps what it saw in `data` and knows these logs by their keys.
    pub fn start(data: &Path, logs: &[&str]) -> Self {
        let mut command = Command::new(binary());
        command.args(["witness", "--listen", "127.0.0.1:0", "--name", "example.org/witness", "--data"]).arg(data);
        for log in logs {
            command.args(["--log", log]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut line = |prefix: &str| {
            let line = lines.next().unwrap();
            line.strip_prefix(prefix).unwrap_or_else(|| panic!("{line}")).to_owned()
        };
        Self { key: line("key: "), url: line("listening on "), process }
    }

    /// Its public key, `name+id+base64`.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Where it listens, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks it to sign; what it answers.
    pub fn post(&self, body: &str) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut answer = agent.post(format!("{}/add-checkpoint", self.url)).send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
