//! How large and how intricate a package may be.
//!
//! A compiler's time and memory grow with these figures, and not always in proportion, so each is bounded before
//! anything is compiled. The bounds leave room for the largest guests there are: Python has 18 MB and 38 instances of
//! core modules, `SpiderMonkey` 12 MB.

/// Most bytes of a package.
pub const LARGEST_PACKAGE: u64 = 64 << 20;
/// Most imports of the outermost component. All that may be imported come to fewer than 30 interfaces.
pub const MOST_IMPORTS: u64 = 64;
/// Most exports of the outermost component: the plugin's interface and what a language's tools add.
pub const MOST_EXPORTS: u64 = 64;
/// Most core modules and components inside, each. Tools make one shim or adapter for each interface.
pub const MOST_PARTS: u64 = 64;
/// Deepest nesting of components. Tools nest one level, a composition of components one more.
pub const DEEPEST_NESTING: u64 = 6;
/// Most instances of core modules and components that one start makes. Components that instantiate others twice at
/// each level double their number with each: 30 lines may ask for 2^30 instances, and a compiler inlines them.
pub const MOST_INSTANCES: u64 = 96;
/// Most functions lifted or lowered at the boundaries of components; an adapter is compiled for each.
pub const MOST_ADAPTERS: u64 = 4096;
/// Most functions of all core modules.
pub const MOST_FUNCTIONS: u64 = 150_000;
/// Most loops that stand in each other in a function, times its variables. A compiler keeps each variable apart in each of the
/// loops around its use, so that 200 KB can ask for gigabytes; compilers write loops a dozen deep.
pub const MOST_LOOPED_VARIABLES: u64 = 1 << 22;
/// Largest body of a function, in bytes. Register allocation takes more than linear time; an interpreter's main loop
/// has some 300 KB.
pub const LARGEST_FUNCTION: u64 = 1 << 20;
