//! The ways in which the hostile guests misbehave, whatever their world. A library, not a plugin.
//!
//! Each of them is what a broken or malicious plugin could do to its host within WebAssembly: never end, take all memory,
//! flood, or stop without an answer.

use assize_sdk::{Failure, Finding, Severity, log};
use core::hint::black_box;
use serde::Deserialize;

/// A misdeed that needs no answer of a particular world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Misdeed {
    /// Never returns: computes.
    Loop,
    /// Never returns: fills memory again and again with one instruction each time.
    Fill,
    /// Calls itself until the stack ends.
    Recurse,
    /// Allocates and touches memory until none is left, then fails as an allocation failure does: by a trap.
    Allocate,
    /// Grows memory until the host refuses, touches it, and goes on as if nothing had happened.
    GrowMemory,
    /// Writes ten thousand lines of a kilobyte each to the log, then goes on.
    FloodLog,
    /// Executes `unreachable`.
    Trap,
    /// Panics.
    Panic,
    /// Answers `invalid-settings`.
    FailSettings,
    /// Answers `invalid-case`.
    FailCase,
    /// Answers `internal`.
    Fail,
    /// Abstains: no misdeed, and the one failure that is none.
    Abstain,
}

/// Does it. What comes back did no more harm than it already has: the guest goes on with a harmless answer.
pub fn misbehave(misdeed: Misdeed) -> Result<(), Failure> {
    match misdeed {
        Misdeed::Loop => spin(),
        Misdeed::Fill => fill(),
        Misdeed::Recurse => {
            black_box(descend(black_box(1)));
            Ok(())
        }
        Misdeed::Allocate => allocate(),
        Misdeed::GrowMemory => {
            grow_memory();
            Ok(())
        }
        Misdeed::FloodLog => {
            let line = "x".repeat(1024);
            for _ in 0..10_000 {
                log!(Info, "{line}");
            }
            Ok(())
        }
        Misdeed::Trap => trap(),
        Misdeed::Panic => panic(),
        Misdeed::FailSettings => Err(Failure::InvalidSettings("as told".to_owned())),
        Misdeed::FailCase => Err(Failure::InvalidCase("as told".to_owned())),
        Misdeed::Fail => Err(Failure::Internal("as told".to_owned())),
        Misdeed::Abstain => Err(Failure::Abstains("as told".to_owned())),
    }
}

/// A hundred thousand findings with long messages: more than any host should keep.
pub fn flood_of_findings() -> Vec<Finding> {
    let message = "x".repeat(64);
    (0..100_000).map(|_| Finding::new("FLOOD", Severity::Info, message.as_str())).collect()
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

fn fill() -> ! {
    let mut block = vec![0_u8; 1 << 19];
    let mut value = 0_u8;
    loop {
        block.fill(value);
        black_box(&mut block);
        value = value.wrapping_add(1);
    }
}

/// The rotation keeps the compiler from making a loop of it.
#[inline(never)]
#[allow(unconditional_recursion, reason = "that is the point")]
fn descend(depth: u64) -> u64 {
    descend(depth.wrapping_mul(3)).rotate_left(1) ^ depth
}

fn allocate() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(vec![1; 1 << 20]);
        black_box(&mut hoard);
    }
}

#[cfg(target_arch = "wasm32")]
fn grow_memory() {
    while core::arch::wasm32::memory_grow::<0>(16) != usize::MAX {}
}

#[cfg(not(target_arch = "wasm32"))]
fn grow_memory() {}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    std::process::abort()
}

#[allow(clippy::panic, reason = "that is the point")]
fn panic() -> ! {
    panic!("as told");
}
