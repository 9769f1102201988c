//! The engine: how every plugin is compiled and run, in one place, and the identity of that configuration.

use std::path::PathBuf;
use std::sync::Arc;

use assize_ledger::Digest;
use serde::Serialize;
use tokio::sync::Semaphore;
use wasmtime::component::Linker;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig, WasmFeatures,
};

use crate::compiled::{Compiled, CompiledConfig, CompiledCounts};
use crate::guest::Guest;
use crate::{since_v1_0_0, since_v1_1_0, virtual_wasi};

/// The version that `Cargo.lock` pins and `build.rs` reads from it.
const WASMTIME_VERSION: &str = env!("ASSIZE_WASMTIME_VERSION");

/// What an operator of the host may choose. Nothing here changes an answer.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Calls that may run at once. Each holds a slot of the pool; further calls wait in order.
    pub slots: u32,
    /// Instances come from a pool that is set up once. Else each is made on demand, which is slower: for finding out that
    /// it makes no other difference.
    pub pooled: bool,
    /// Where compiled components are kept; none: each is compiled when it is loaded.
    pub compiled: Option<CompiledConfig>,
    /// The program that compiles in a process of its own, see [`crate::compile`]; none: this process compiles.
    pub compiler: Option<PathBuf>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self { slots: 64, pooled: true, compiled: None, compiler: None }
    }
}

/// Why the sandbox couldn't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// wasmtime refuses the configuration on this machine.
    #[error("the WebAssembly engine can't be set up on this machine: {0:#}")]
    Engine(#[from] wasmtime::Error),
}

/// Which engine judged. Recorded with every decision: fuel is comparable between equal ones only, answers between all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct EngineId {
    /// `assize-sandbox`'s version.
    pub host: String,
    /// wasmtime's version.
    pub wasmtime: String,
    /// SHA-256 over everything in the configuration that could change an answer or its fuel.
    pub config: Digest,
}

/// Runs plugins.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<Guest>,
    /// In front of the pool, since an exhausted pool is an error and not a wait.
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) compiled: Option<Compiled>,
    pub(crate) compiler: Option<PathBuf>,
    id: EngineId,
}

impl Sandbox {
    /// Sets up engine and pool.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let slots = config.slots.max(1);
        let engine = engine(slots, config.pooled)?;
        let mut linker = Linker::new(&engine);
        virtual_wasi::link(&mut linker)?;
        since_v1_0_0::link(&mut linker)?;
        since_v1_1_0::link(&mut linker)?;
        let id = EngineId {
            host: env!("CARGO_PKG_VERSION").to_owned(),
            wasmtime: WASMTIME_VERSION.to_owned(),
            config: config_digest(),
        };
        let slots = Arc::new(Semaphore::new(slots as usize));
        let compiler = config.compiler;
        let kept = config.compiled.and_then(|compiled| Compiled::open(compiled, &engine, &id));
        Ok(Self { inner: Arc::new(Inner { engine, linker, slots, compiled: kept, compiler, id }) })
    }

    /// How it went with the components that are kept compiled; none where none are kept.
    pub fn compiled(&self) -> Option<CompiledCounts> {
        self.inner.compiled.as_ref().map(Compiled::counts)
    }

    /// Which engine this is.
    pub fn id(&self) -> &EngineId {
        &self.inner.id
    }

    /// The engine itself, as every plugin is compiled and run by it: for the tests that hold it against the specification of
    /// WebAssembly, and for nothing else.
    pub fn engine(&self) -> &Engine {
        &self.inner.engine
    }
}

/// Fuel for each operator. wasmtime's default table may change with its version, and fuel is recorded: so the table is
/// ours. One unit an operator, free control flow, and work whose size is only known at run time by its size.
pub(crate) fn cost_table() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.Nop = 0;
    cost.Drop = 0;
    cost.Block = 0;
    cost.Loop = 0;
    cost.Unreachable = 0;
    cost.Return = 0;
    cost.Else = 0;
    cost.End = 0;
    cost.variable.memory_copy_per_byte = 1;
    cost.variable.memory_fill_per_byte = 1;
    cost.variable.memory_init_per_byte = 1;
    // A fresh page is a fault and a clearing of 64 KiB.
    cost.variable.memory_grow_per_page = 255;
    cost.variable.table_copy_per_element = 1;
    cost.variable.table_fill_per_element = 1;
    cost.variable.table_init_per_element = 1;
    cost.variable.table_grow_per_element = 1;
    cost
}

/// What [`EngineId::config`] is the hash of: whatever could change an answer or its fuel, in words.
fn config_digest() -> Digest {
    let table = serde_json::to_string(&cost_table()).unwrap_or_default();
    let text = format!(
        "assize engine 1\nwasmtime {WASMTIME_VERSION}\nnan canonical\nrelaxed-simd deterministic\nthreads off\n\
         memory64 off\ngc off\nstack {MAX_WASM_STACK}\ncost {table}\n"
    );
    Digest::of(text.as_bytes())
}

/// Bytes of stack for WebAssembly frames: an endless recursion ends here, long before the fiber's own stack.
const MAX_WASM_STACK: usize = 512 << 10;

/// The engine that compiles and runs all plugins.
pub(crate) fn engine(slots: u32, pooled: bool) -> wasmtime::Result<Engine> {
    if !pooled {
        let mut config = common_config();
        config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
        return Engine::new(&config);
    }
    // Keeping memory resident pays off only where the kernel can say which pages were touched (Linux 6.7):
    // measured 30 → 17 µs a call with the scan, and 30 → 45 µs without.
    Engine::new(&engine_config(slots, Enabled::Yes)).or_else(|error| {
        tracing::info!(%error, "no PAGEMAP_SCAN here: calls will take about twice as long");
        Engine::new(&engine_config(slots, Enabled::No))
    })
}

/// What of WebAssembly runs here, and nothing else: the registry refuses the rest before it comes this far
/// (`assize_registry::features`). Named one by one, since wasmtime's defaults follow from its version and from the parts of
/// it that are compiled in.
const PROPOSALS: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::TAIL_CALL)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::COMPONENT_MODEL);

fn engine_config(slots: u32, pagemap_scan: Enabled) -> Config {
    let keep_resident = if matches!(pagemap_scan, Enabled::No) { 0 } else { 64 << 20 };
    let mut pool = PoolingAllocationConfig::new();
    // Per component: 38 core instances (Python), 3 memories (QuickJS), and some room.
    pool.total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(slots.saturating_mul(40))
        .total_memories(slots.saturating_mul(4))
        .total_tables(slots.saturating_mul(16))
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_memory_size(256 << 20)
        .table_elements(50_000)
        .linear_memory_keep_resident(keep_resident)
        .table_keep_resident(if keep_resident == 0 { 0 } else { 1 << 20 })
        // Dropping an instance: 9 → 1.4 µs.
        .decommit_batch_size(16)
        .pagemap_scan(pagemap_scan);
    let mut config = common_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Everything but where instances come from.
fn common_config() -> Config {
    let mut config = Config::new();
    config
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(PROPOSALS, true)
        .concurrency_support(false)
        .consume_fuel(true)
        .operator_cost(cost_table())
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(MAX_WASM_STACK + (512 << 10))
        .memory_init_cow(true)
        .parallel_compilation(true)
        // For backtraces that nobody reads: a tenth of the code's size, and pages that registering them would touch.
        .generate_address_map(false)
        .native_unwind_info(cfg!(windows));
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_table_is_the_one_that_decisions_were_recorded_with() {
        let table = serde_json::to_string(&cost_table()).unwrap();
        // A new wasmtime may bring operators; their cost is then a decision, not an accident.
        assert_eq!(Digest::of(table.as_bytes()).short(), COST_TABLE);
    }

    /// Of wasmtime 48.0.8.
    const COST_TABLE: &str = "a876245773d0";
}
