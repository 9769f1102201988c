//! The allocator of a component whose instance lives for one call.
//!
//! The standard allocator asks for memory at its first allocation. In the host that is `mprotect` and a shootdown of other
//! threads' address translations, at every fresh instance; it was found to cost more than the call itself (2.5 to 3 times
//! the throughput of the whole host). So memory comes from a static block of zeroes: it belongs to the component's initial
//! memory, and pages that nobody touches cost nothing. Nothing is given back but the block handed out last, since the
//! instance is thrown away after the call. When the static block is full, memory grows as usual.
//!
//! ```text
//!   static block, 256 KiB                   end of memory before growth
//!   ├─ handed out ─┼──── free ────┤         ├─ handed out ─┼── free ──┤   at least 1 MiB at a time if the host allows
//!                next           end                      next        end
//! ```
//!
//! `cabi_realloc`, through which the host writes a call's arguments, goes through the global allocator and so ends here.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::cell::{Cell, UnsafeCell};
use core::ptr;

#[cfg(test)]
use tests::memory;

#[cfg(target_feature = "atomics")]
compile_error!("the arena is for one thread: build without the atomics feature");

/// Bytes of the static block. An ordinary case (a few kilobytes of payload) takes about a fifth of it. Untouched pages cost
/// nothing by themselves, but after each call the host looks at all of them for those that were touched.
const BLOCK_BYTES: usize = 256 << 10;
/// A page of WebAssembly memory.
const PAGE_BYTES: usize = 1 << 16;
/// Growth in pages, unless more is asked for at once: 1 MiB, so that a large case grows seldom.
const GROWTH_PAGES: usize = 16;

#[cfg(not(test))]
mod memory {
    /// Adds pages to the module's memory and gives the address of the first. None: the host refuses.
    pub(super) fn grow(pages: usize) -> Option<usize> {
        let before = core::arch::wasm32::memory_grow::<0>(pages);
        (before != usize::MAX).then_some(before * super::PAGE_BYTES)
    }
}

#[repr(C, align(16))]
struct Block(UnsafeCell<[u8; BLOCK_BYTES]>);

// SAFETY: a module without the atomics feature (checked above) has one thread, so there is nobody to share with.
unsafe impl Sync for Block {}

static BLOCK: Block = Block(UnsafeCell::new([0; BLOCK_BYTES]));

/// Hands out addresses upwards from `next` to `end`. Both are 0 until the first allocation.
pub(crate) struct Arena {
    next: Cell<usize>,
    end: Cell<usize>,
}

// SAFETY: as for `Block`: one thread.
unsafe impl Sync for Arena {}

impl Arena {
    pub(crate) const fn new() -> Self {
        Self { next: Cell::new(0), end: Cell::new(0) }
    }

    /// The lowest aligned address at or above `next` with `size` bytes below `end`, as (address, address past it).
    fn fit(&self, size: usize, align: usize) -> Option<(usize, usize)> {
        let start = self.next.get().checked_add(align - 1)? & !(align - 1);
        let past = start.checked_add(size)?;
        (past <= self.end.get()).then_some((start, past))
    }

    /// Makes room for `size` bytes aligned to `align`: the static block first, new pages after that. False: the host
    /// refused to grow memory.
    #[cold]
    fn refill(&self, size: usize, align: usize) -> bool {
        if self.end.get() == 0 {
            let start = BLOCK.0.get() as usize;
            self.next.set(start);
            self.end.set(start + BLOCK_BYTES);
            if self.fit(size, align).is_some() {
                return true;
            }
        }
        let Some(bytes) = size.checked_add(align) else { return false };
        let needed = bytes.div_ceil(PAGE_BYTES);
        let wanted = needed.max(GROWTH_PAGES);
        for pages in [wanted, needed] {
            let Some(start) = memory::grow(pages) else { continue };
            // Pages that adjoin the region in use extend it; otherwise what is left of that region is given up.
            if start != self.end.get() {
                self.next.set(start);
            }
            // The last page of a 4 GiB memory ends at 2^32, which a usize can't hold: leave its last byte out.
            self.end.set(start.saturating_add(pages * PAGE_BYTES));
            return true;
        }
        false
    }
}

// SAFETY: `fit` returns ranges inside [next, end), which lies in the static block or in pages that `memory.grow` has just
// added: memory that nothing else uses. Every range handed out moves `next` past itself, so live ranges never overlap.
// `next` moves back in `dealloc` and `realloc` only to the start or inside of the block that ends at it, which the caller
// gives up. Null is returned where no memory is left, and no method panics or allocates.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        let fit = match self.fit(size, align) {
            Some(fit) => Some(fit),
            None if self.refill(size, align) => self.fit(size, align),
            None => None,
        };
        let Some((start, past)) = fit else { return ptr::null_mut() };
        self.next.set(past);
        start as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if block as usize + layout.size() == self.next.get() {
            self.next.set(block as usize);
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let start = block as usize;
        let is_last = start + layout.size() == self.next.get();
        if new_size <= layout.size() {
            if is_last {
                self.next.set(start + new_size);
            }
            return block;
        }
        if is_last && start.checked_add(new_size).is_some_and(|past| past <= self.end.get()) {
            self.next.set(start + new_size);
            return block;
        }
        // SAFETY: the caller promises that `new_size` is not zero and doesn't overflow when rounded up to the alignment.
        let moved = unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
        if !moved.is_null() {
            // SAFETY: both blocks are live, hold at least `layout.size()` bytes and are distinct ranges.
            unsafe { ptr::copy_nonoverlapping(block, moved, layout.size()) };
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::{Arena, BLOCK_BYTES, PAGE_BYTES};
    use core::alloc::{GlobalAlloc, Layout};
    use proptest::prelude::*;

    /// Stands in for the module's memory: pages of one leaked block, as many as a test allows.
    pub(super) mod memory {
        use super::PAGE_BYTES;
        use core::cell::Cell;

        const PAGES: usize = 64;

        thread_local! {
            static START: usize = vec![0_u64; PAGES * PAGE_BYTES / 8].leak().as_mut_ptr() as usize;
            static USED: Cell<usize> = const { Cell::new(0) };
        }

        pub(in super::super) fn grow(pages: usize) -> Option<usize> {
            let used = USED.get();
            (used + pages <= PAGES).then(|| {
                USED.set(used + pages);
                START.with(|start| start + used * PAGE_BYTES)
            })
        }

        pub(super) fn forget() {
            USED.set(0);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Alloc { size: usize, align: usize },
        Realloc { which: usize, size: usize },
        Dealloc { which: usize },
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![8 => 1..2_000_usize, 1 => 1..BLOCK_BYTES * 2];
        prop_oneof![
            4 => (size.clone(), 0..6_u32).prop_map(|(size, log)| Step::Alloc { size, align: 1 << log }),
            2 => (any::<usize>(), size).prop_map(|(which, size)| Step::Realloc { which, size }),
            1 => any::<usize>().prop_map(|which| Step::Dealloc { which }),
        ]
    }

    struct Live {
        start: *mut u8,
        layout: Layout,
        filled_with: u8,
    }

    impl Live {
        fn bytes(&self) -> &[u8] {
            // SAFETY: the arena handed these bytes out, and the test has filled them.
            unsafe { core::slice::from_raw_parts(self.start, self.layout.size()) }
        }
    }

    // One test, since all arenas hand out the same static block.
    proptest! {
        #[test]
        fn live_blocks_are_aligned_and_keep_what_was_written(steps in proptest::collection::vec(step(), 1..60)) {
            memory::forget();
            let arena = Arena::new();
            let mut live: Vec<Live> = Vec::new();
            for (index, step) in steps.into_iter().enumerate() {
                let value = u8::try_from(index % 251).unwrap();
                match step {
                    Step::Alloc { size, align } => {
                        let layout = Layout::from_size_align(size, align).unwrap();
                        // SAFETY: the size isn't zero.
                        let start = unsafe { arena.alloc(layout) };
                        if start.is_null() {
                            continue;
                        }
                        prop_assert_eq!(start as usize % align, 0);
                        // SAFETY: the block was just handed out.
                        unsafe { start.write_bytes(value, size) };
                        live.push(Live { start, layout, filled_with: value });
                    }
                    Step::Realloc { which, size } if !live.is_empty() => {
                        let which = which % live.len();
                        let block = &mut live[which];
                        let kept = block.layout.size().min(size);
                        // SAFETY: the block is live and the size isn't zero.
                        let start = unsafe { arena.realloc(block.start, block.layout, size) };
                        if start.is_null() {
                            continue;
                        }
                        (block.start, block.layout) = (start, Layout::from_size_align(size, block.layout.align()).unwrap());
                        // SAFETY: as many bytes were filled before.
                        let before = unsafe { core::slice::from_raw_parts(start, kept) };
                        prop_assert!(before.iter().all(|byte| *byte == block.filled_with));
                        // SAFETY: the block was just handed out.
                        unsafe { start.write_bytes(value, size) };
                        block.filled_with = value;
                    }
                    Step::Dealloc { which } if !live.is_empty() => {
                        let block = live.swap_remove(which % live.len());
                        // SAFETY: the block is live.
                        unsafe { arena.dealloc(block.start, block.layout) };
                    }
                    _ => {}
                }
                for block in &live {
                    prop_assert!(block.bytes().iter().all(|byte| *byte == block.filled_with));
                }
            }
        }
    }
}
