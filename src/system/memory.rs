//! Memory: how much a thread holds, by an allocator that counts, and how much the process has.
//!
//! Invariant: counting shares nothing between threads and allocates nothing, so it costs two instructions.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::hint::black_box;

/// What an allocation takes besides what was asked for, about.
const OVERHEAD: i64 = 16;

thread_local! {
    /// Bytes that this thread has allocated and not freed. What another thread frees stays counted here and is
    /// negative there, so only differences over a short time mean something.
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// An allocator that counts what each thread holds, in front of another one.
///
/// With it as the program's allocator, a script that fills the memory ends with an error at a gigabyte for each
/// iteration; the command `rhaid` has it. Without it, texts, arrays and maps of scripts have limits of their own,
/// which take time to check: a call on an array then costs time proportional to the size of that array.
///
/// ```
/// use std::alloc::System;
///
/// #[global_allocator]
/// static ALLOCATOR: rhaid::CountedAllocator<System> = rhaid::CountedAllocator::new(System);
/// ```
#[derive(Debug)]
pub struct CountedAllocator<A>(A);

impl<A> CountedAllocator<A> {
    /// Counts what `inner` gives.
    pub const fn new(inner: A) -> Self {
        CountedAllocator(inner)
    }
}

fn count(bytes: i64) {
    HELD.set(HELD.get().wrapping_add(bytes));
}

fn cost(size: usize) -> i64 {
    (size as i64).wrapping_add(OVERHEAD)
}

// SAFETY: it hands on every call as it is, and what it does besides neither allocates nor panics.
unsafe impl<A: GlobalAlloc> GlobalAlloc for CountedAllocator<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(cost(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(cost(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-cost(layout.size()));
        // SAFETY: as the caller promises.
        unsafe { self.0.dealloc(memory, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(cost(size).wrapping_sub(cost(layout.size())));
        // SAFETY: as the caller promises.
        unsafe { self.0.realloc(memory, layout, size) }
    }
}

/// The allocator of the command: mimalloc without a word of the alignment where every block has it, which saves 60 of 130
/// instructions an allocation.
#[cfg(feature = "cli")]
#[doc(hidden)]
#[derive(Debug)]
pub struct Mimalloc;

/// What all blocks of mimalloc are aligned to; larger ones to more.
#[cfg(feature = "cli")]
const WORD: usize = 8;

// SAFETY: every block comes from mimalloc, which frees it whoever asked for it, and is aligned as the layout says: all of
// its blocks are to a word, and for more it is asked.
#[cfg(feature = "cli")]
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= WORD {
            // SAFETY: any size may be asked for.
            return unsafe { libmimalloc_sys::mi_malloc(layout.size()) }.cast();
        }
        // SAFETY: the alignment of a layout is a power of two.
        unsafe { libmimalloc_sys::mi_malloc_aligned(layout.size(), layout.align()) }.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= WORD {
            // SAFETY: any size may be asked for.
            return unsafe { libmimalloc_sys::mi_zalloc(layout.size()) }.cast();
        }
        // SAFETY: the alignment of a layout is a power of two.
        unsafe { libmimalloc_sys::mi_zalloc_aligned(layout.size(), layout.align()) }.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, _: Layout) {
        // SAFETY: the caller promises that it is a block of this allocator.
        unsafe { libmimalloc_sys::mi_free(memory.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= WORD {
            // SAFETY: the caller promises that it is a block of this allocator.
            return unsafe { libmimalloc_sys::mi_realloc(memory.cast(), size) }.cast();
        }
        // SAFETY: as before, and the alignment of a layout is a power of two.
        unsafe { libmimalloc_sys::mi_realloc_aligned(memory.cast(), size, layout.align()) }.cast()
    }
}

/// Bytes that this thread holds, to be compared with an earlier answer; always the same when nobody counts.
#[inline]
pub(crate) fn held() -> i64 {
    HELD.get()
}

/// Whether the program's allocator counts.
pub(crate) fn is_counted() -> bool {
    let before = held();
    let probe = black_box(Box::new([0_u8; 64]));
    let counted = held() != before;
    drop(black_box(probe));
    counted
}

/// Memory of the process in bytes, where the system tells.
#[cfg(target_os = "linux")]
pub(crate) fn process_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = resident.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

/// Memory of the process in bytes, where the system tells.
#[cfg(not(target_os = "linux"))]
pub(crate) fn process_memory() -> Option<u64> {
    None
}

/// Has the system give this process, and those it starts, pages of the usual size only.
///
/// mimalloc asks for huge pages of 2 MiB, and what a virtual user holds is scattered over them: with 10,000 users they
/// cost 36 MB and save no CPU time (ARCHITECTURE.md, "Release build").
#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) fn without_huge_pages() {
    // A system that refuses gives more memory than is needed, which is no reason not to run.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Systems other than Linux give none by themselves.
#[cfg(all(feature = "cli", not(target_os = "linux")))]
pub(crate) fn without_huge_pages() {}

#[cfg(test)]
mod tests {
    use std::alloc::System;

    use super::*;

    #[test]
    fn what_is_held_is_counted_whatever_way_it_came() {
        let allocator = CountedAllocator::new(System);
        let layout = |size| Layout::from_size_align(size, 8).unwrap();
        let before = held();
        // SAFETY: each block is used with the layout that it has.
        unsafe {
            let block = allocator.alloc(layout(1000));
            assert_eq!(held() - before, 1000 + OVERHEAD);
            let block = allocator.realloc(block, layout(1000), 3000);
            assert_eq!(held() - before, 3000 + OVERHEAD);
            let zeroed = allocator.alloc_zeroed(layout(10));
            assert_eq!(held() - before, 3010 + 2 * OVERHEAD);
            allocator.dealloc(block, layout(3000));
            allocator.dealloc(zeroed, layout(10));
        }
        assert_eq!(held(), before);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_has_memory() {
        assert!(process_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    #[cfg(all(feature = "cli", target_os = "linux"))]
    fn huge_pages_are_given_up() {
        without_huge_pages();
        assert_eq!(rustix::thread::transparent_huge_pages_are_disabled(), Ok(true));
    }
}
