//! The packet path allocates nothing once warm: asserted by counting, for each kind of work.
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use bench::{Rig, Traffic, work};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is ending has no counter any more; nobody asks for it either.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to `System` as it is, which keeps the contract of `GlobalAlloc`. The
// counter is a thread-local without a destructor and with a constant start, so touching it never
// allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: `pointer` came from `System` with this layout, as all do here; the rest is the
        // caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with this layout, as all do here.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations while `frames` frames pass, after as many have passed to warm up. Virtual time runs
/// much faster than the frames would take, so that timers and refreshed ages are part of it.
fn allocations<T: Traffic>(rig: Rig<T>, frames: u64) -> u64 {
    let mut rig = rig.with_tick(Duration::from_millis(600));
    rig.run(frames);
    let before = CALLS.get();
    rig.run(frames);
    CALLS.get() - before
}

#[test]
fn the_counter_counts() {
    let before = CALLS.get();
    drop(std::hint::black_box(vec![0_u8; 100]));
    assert_eq!(CALLS.get() - before, 1);
}

#[test]
fn a_bridged_frame_allocates_nothing() {
    assert_eq!(allocations(work::bridged(1_000), FRAMES), 0);
}

#[test]
fn a_flooded_frame_allocates_nothing() {
    assert_eq!(allocations(work::flooded(), FRAMES), 0);
}

#[test]
fn a_routed_frame_allocates_nothing() {
    assert_eq!(allocations(work::routed(), FRAMES), 0);
}

#[test]
fn a_frame_of_an_established_flow_allocates_nothing() {
    assert_eq!(allocations(work::translated(1_000), FRAMES), 0);
}

#[test]
fn the_first_frame_of_a_flow_allocates_nothing() {
    // The flows are ended once on the way, which is a change: those allocate, and no packet does.
    assert!(allocations(work::opening(), FRAMES) <= OF_A_CHANGE);
}

/// What one change that ends flows allocates at most, in a lab of this size.
const OF_A_CHANGE: u64 = 16;

/// Eight minutes of virtual time, in which the flows of a finished conversation expire.
const FRAMES: u64 = 50_000;
