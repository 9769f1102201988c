//! What a small component can cost to compile at most, measured.
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use assize_sandbox::{Sandbox, SandboxConfig};

fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

fn bomb(open: &str, close: &str, depth: usize, locals: usize) -> Vec<u8> {
    let declared = "i32 ".repeat(locals);
    let uses: String =
        (0..locals).map(|n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))")).collect();
    let after: String = (0..locals).map(|n| format!("(global.set 0 (local.get {n}))")).collect();
    let text = format!(
        "(component (core module (global (mut i32) (i32.const 0)) (func (local {declared}) {} {uses} {} {after})))",
        open.repeat(depth),
        close.repeat(depth)
    );
    wat::parse_str(text).unwrap()
}

#[test]
#[ignore = "a measurement"]
fn what_bombs_cost() {
    let sandbox = Sandbox::new(SandboxConfig { slots: 1, ..SandboxConfig::default() }).unwrap();
    let only = std::env::var("BOMB").unwrap();
    let mut parts = only.split(',');
    let (what, depth, locals) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let (open, close) = match what {
        "loop" => ("loop ", "(br_if 0 (i32.const 0)) end "),
        "if" => ("(global.get 0) if ", "end "),
        _ => ("block (br_if 0 (global.get 0)) ", "end "),
    };
    let bytes = bomb(open, close, depth.parse().unwrap(), locals.parse().unwrap());
    let (begun, before) = (Instant::now(), most_memory());
    let component = wasmtime::component::Component::from_binary(sandbox.engine(), &bytes);
    println!(
        "{only}: {} bytes, {:.2} s, {} MB more: {}",
        bytes.len(),
        begun.elapsed().as_secs_f64(),
        (most_memory() - before) >> 20,
        component.map_or_else(|error| format!("{error:#}").chars().take(100).collect(), |_| "compiled".to_owned())
    );
}
