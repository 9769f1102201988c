//! WASI 0.2 for guests that need it, without a world behind it.
//!
//! The wall clock stands at the case's `occurred-at`, the monotonic clock at its first tick; random bytes are derived from the
//! case; there are no environment variables, arguments or files; a socket or a name is refused before the system is
//! asked; stdin is empty, stdout and stderr are bounded and kept. Waiting for the clock is over at once: the guest can't see the difference, and a worker isn't held up.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use assize_ledger::{Digest, Timestamp};
use rand_core::TryRng;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::guest::Guest;

/// Handles that one guest may hold: enough for the start-up of any language's runtime.
const MAX_RESOURCES: usize = 1_000;

pub(crate) struct VirtualWasi {
    context: WasiCtx,
    table: ResourceTable,
    stdout: MemoryOutputPipe,
    stderr: MemoryOutputPipe,
}

impl VirtualWasi {
    pub(crate) fn new(now: Timestamp, seed: Digest, output_bytes: u64) -> Self {
        let capacity = usize::try_from(output_bytes).unwrap_or(usize::MAX);
        let stdout = MemoryOutputPipe::new(capacity);
        let stderr = MemoryOutputPipe::new(capacity);
        let [a, b, ..] = *seed.as_bytes();
        let context = WasiCtxBuilder::new()
            .stdout(stdout.clone())
            .stderr(stderr.clone())
            .wall_clock(FixedWall(Duration::from_millis(now.as_millis())))
            .monotonic_clock(FixedMonotonic)
            .secure_random(Derived::new(b"secure", &seed))
            .insecure_random(Derived::new(b"insecure", &seed))
            .insecure_random_seed(u128::from(u16::from_be_bytes([a, b])))
            .max_random_size(1 << 20)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self { context, table, stdout, stderr }
    }

    /// What was written to stdout and stderr, with the log level that each amounts to.
    pub(crate) fn into_output(self) -> [(&'static str, bytes::Bytes); 2] {
        [("info", self.stdout.contents()), ("error", self.stderr.contents())]
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Adds virtual WASI to a linker.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    // wasmtime-wasi would wait for the real clock.
    linker.allow_shadowing(true);
    let name = "wasi:clocks/monotonic-clock@0.2.12";
    let mut clock = linker.instance(name)?;
    clock.func_wrap("subscribe-duration", |mut store: StoreContextMut<'_, Guest>, (_,): (u64,)| at_once(&mut store))?;
    clock.func_wrap("subscribe-instant", |mut store: StoreContextMut<'_, Guest>, (_,): (u64,)| at_once(&mut store))?;
    clock.func_wrap("now", |_: StoreContextMut<'_, Guest>, (): ()| Ok((FixedMonotonic.now(),)))?;
    clock.func_wrap("resolution", |_: StoreContextMut<'_, Guest>, (): ()| Ok((FixedMonotonic.resolution(),)))?;
    linker.allow_shadowing(false);
    Ok(())
}

fn at_once(store: &mut StoreContextMut<'_, Guest>) -> wasmtime::Result<(Resource<DynPollable>,)> {
    let table = &mut store.data_mut().wasi().table;
    let over = table.push(Over)?;
    Ok((subscribe(table, over)?,))
}

/// A wait that is over.
struct Over;

impl Pollable for Over {
    fn ready<'life0, 'async_trait>(&'life0 mut self) -> Pin<Box<dyn Future<Output = ()> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(std::future::ready(()))
    }
}

struct FixedWall(Duration);

impl HostWallClock for FixedWall {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

/// Nanoseconds.
const TICK: u64 = 1_000_000;

struct FixedMonotonic;

impl HostMonotonicClock for FixedMonotonic {
    fn resolution(&self) -> u64 {
        TICK
    }

    // Not 0, which Go's runtime takes for a broken clock.
    fn now(&self) -> u64 {
        TICK
    }
}

/// SHA-256(domain ‖ seed ‖ counter), block after block. Written out here, since a library's generator may change its
/// stream from one version to the next, and then no old decision would replay.
struct Derived {
    domain: &'static [u8],
    seed: Digest,
    counter: u64,
    block: Digest,
    used: usize,
}

impl Derived {
    fn new(domain: &'static [u8], seed: &Digest) -> Self {
        Self { domain, seed: *seed, counter: 0, block: Digest::ZERO, used: 32 }
    }

    fn next_byte(&mut self) -> u8 {
        if self.used == 32 {
            let counter = self.counter.to_be_bytes();
            self.block = Digest::of(&[self.domain, self.seed.as_bytes(), &counter].concat());
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.block.as_bytes().get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }
}

impl TryRng for Derived {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(std::array::from_fn(|_| self.next_byte())))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(std::array::from_fn(|_| self.next_byte())))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.next_byte());
        Ok(())
    }
}
