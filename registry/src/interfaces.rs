//! Which interfaces a plugin may import, and why each is harmless.

use semver::Version;

/// The package of the contract between host and plugins (`wit/`).
const CONTRACT: &str = "assize:plugin";

/// The name of an imported or exported interface: `package/interface@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceName<'a> {
    package: &'a str,
    pub(crate) interface: &'a str,
    pub(crate) version: Version,
}

impl<'a> InterfaceName<'a> {
    /// None where the text is another sort of name: a plain one, an address, a hash, or one without version.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (path, version) = text.split_once('@')?;
        let (package, interface) = path.split_once('/')?;
        Some(Self { package, interface, version: version.parse().ok()? })
    }

    /// Whether it belongs to the contract between host and plugins.
    pub(crate) fn is_of_contract(&self) -> bool {
        self.package == CONTRACT
    }
}

/// Why an import named `text` is allowed. None: it isn't.
///
/// WASI is allowed in its frozen version 0.2 and only where the host's own, virtual implementation gives the same
/// answers at each replay: there is no network, no file and no true clock behind any of these.
pub(crate) fn reason(text: &str) -> Option<&'static str> {
    let name = InterfaceName::parse(text)?;
    let Version { major, minor, ref pre, .. } = name.version;
    if !pre.is_empty() {
        return None;
    }
    match (name.package, major, minor) {
        (CONTRACT, 1, 0..=1) => match name.interface {
            "types" => Some("types of the contract"),
            "log" => Some("lines kept with the decision"),
            _ => None,
        },
        ("wasi:cli", 0, 2) => match name.interface {
            "environment" => Some("virtual: no variables, no arguments"),
            "exit" => Some("virtual: ends the call as a failure"),
            "stdin" => Some("virtual: empty"),
            "stdout" | "stderr" => Some("virtual: bounded, kept with the decision"),
            "terminal-input" | "terminal-output" | "terminal-stdin" | "terminal-stdout" | "terminal-stderr" => {
                Some("virtual: there is no terminal")
            }
            _ => None,
        },
        ("wasi:clocks", 0, 2) => match name.interface {
            "wall-clock" => Some("virtual: stands at the time of the case"),
            "monotonic-clock" => Some("virtual: does not depend on the host's"),
            _ => None,
        },
        ("wasi:random", 0, 2) => match name.interface {
            "random" | "insecure" | "insecure-seed" => Some("virtual: derived from the case"),
            _ => None,
        },
        ("wasi:io", 0, 2) => match name.interface {
            "error" | "poll" | "streams" => Some("virtual: streams of the other virtual interfaces"),
            _ => None,
        },
        ("wasi:filesystem", 0, 2) => match name.interface {
            "types" | "preopens" => Some("virtual: no directory is open"),
            _ => None,
        },
        // A language's runtime asks for them whether a plugin uses them or not (Python's does).
        ("wasi:sockets", 0, 2) => match name.interface {
            "network" | "instance-network" | "ip-name-lookup" | "tcp" | "tcp-create-socket" | "udp"
            | "udp-create-socket" => Some("virtual: there is no network, and no socket opens"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_frozen_versions_of_virtual_interfaces_are_allowed() {
        for name in [
            "assize:plugin/types@1.0.0",
            "assize:plugin/log@1.0.7",
            "assize:plugin/log@1.1.0",
            "wasi:cli/stdout@0.2.6",
            "wasi:io/poll@0.2.0",
            "wasi:sockets/tcp@0.2.0",
        ] {
            assert!(reason(name).is_some(), "{name}");
        }
        let refused = [
            "wasi:sockets/tcp@0.3.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/stdout",
            "wasi:cli/stdout@0.3.0",
            "wasi:cli/stdout@0.2.0-rc-2023-11-10",
            "wasi:cli/run@0.2.0",
            "assize:plugin/log@1.2.0",
            "assize:plugin/assessor@1.0.0",
            "assize:plugin/log/x@1.0.0",
            "evil:plugin/log@1.0.0",
            "log",
            "",
        ];
        for name in refused {
            assert_eq!(reason(name), None, "{name}");
        }
    }
}
