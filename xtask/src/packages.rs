//! What the tests need of the system: programs of others that ours is compared with.

use std::process::{Command, Stdio};

use crate::steps::run;

/// A program, how to see that it is there, and the Debian package that brings it.
struct Needed {
    check: &'static [&'static str],
    package: &'static str,
    for_what: &'static str,
}

const NEEDED: [Needed; 11] = [
    Needed { check: &["openssl", "version"], package: "openssl", for_what: "the time-stamp authority" },
    Needed { check: &["zstd", "--version"], package: "zstd", for_what: "the second verifier" },
    Needed {
        check: &["sh", "-c", "python3 -c 'import cryptography' || /usr/bin/python3 -c 'import cryptography'"],
        package: "python3-cryptography",
        for_what: "the second verifier",
    },
    Needed {
        // Debian keeps the server itself out of the path.
        check: &["sh", "-c", "command -v initdb || ls /usr/lib/postgresql/*/bin/initdb"],
        package: "postgresql",
        for_what: "the shared database",
    },
    Needed { check: &["docker-registry", "--version"], package: "docker-registry", for_what: "the OCI registry" },
    Needed { check: &["skopeo", "--version"], package: "skopeo", for_what: "a second opinion on OCI artifacts" },
    // Without it, Debian's Python makes no environment of its own.
    Needed {
        check: &["python3", "-c", "import ensurepip, venv"],
        package: "python3-venv",
        for_what: "the kit for Python",
    },
    Needed { check: &["clang-19", "--version"], package: "clang-19", for_what: "the kit for C" },
    Needed { check: &["wasm-ld-19", "--version"], package: "lld-19", for_what: "the kit for C" },
    Needed { check: &["test", "-d", "/usr/include/wasm32-wasi"], package: "wasi-libc", for_what: "the kit for C" },
    Needed {
        check: &["sh", "-c", "ls /usr/lib/llvm-19/lib/clang/19/lib/wasi/libclang_rt.builtins-wasm32.a"],
        package: "libclang-rt-19-dev-wasm32",
        for_what: "the kit for C",
    },
];

/// Installs what is missing, where apt can. Without it, the tests that need it say that they were skipped; in CI they fail.
///
/// # Errors
/// Where apt is there and fails.
pub fn install() -> anyhow::Result<()> {
    let missing: Vec<&Needed> = NEEDED.iter().filter(|needed| !is_there(needed.check)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for Needed { package, for_what, .. } in &missing {
        eprintln!("{package} is missing: {for_what} in the tests needs it");
    }
    if !is_there(&["apt-get", "--version"]) {
        eprintln!("no apt-get here: install them by hand, or these tests are skipped");
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|needed| needed.package).collect();
    if !is_there(&["test", "-w", "/var/lib/dpkg"]) {
        eprintln!("only root can install them: sudo apt-get install {}", names.join(" "));
        return Ok(());
    }
    run(Command::new("apt-get").arg("update").stdout(Stdio::null()))?;
    run(Command::new("apt-get").args(["install", "-y", "--no-install-recommends"]).args(names).stdout(Stdio::null()))
}

/// Whether a command can be run here, and succeeds.
pub(crate) fn is_there(command: &[&str]) -> bool {
    let Some((program, arguments)) = command.split_first() else { return false };
    let tried = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}
