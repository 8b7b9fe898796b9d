//! Steps one block clock by clock, and measures its latency.

// Every test file takes its own part of this one.
#![allow(dead_code, unused_macros)]

use rust_hdl::prelude::Block;

/// A block whose clock can be moved; a combinational one has none.
pub trait Clocked: Block {
    fn set_clock(&mut self, high: bool);
}

macro_rules! clocked {
    ($($block:ty),*) => { $(impl $crate::clocked::Clocked for $block {
        fn set_clock(&mut self, high: bool) {
            self.clock.next = ::rust_hdl::prelude::Clock { clk: high };
        }
    })* };
}
macro_rules! combinational {
    ($($block:ty),*) => { $(impl $crate::clocked::Clocked for $block { fn set_clock(&mut self, _: bool) {} })* };
}

pub fn settle(block: &mut impl Block) {
    for _ in 0..1000 {
        block.update_all();
        if !block.has_changed() {
            return;
        }
    }
    panic!("the block does not settle");
}

/// Inputs settle while the clock is low, then it rises.
pub fn tick(block: &mut impl Clocked) {
    block.set_clock(false);
    settle(block);
    block.set_clock(true);
    settle(block);
}

pub fn connected<B: Block>(mut block: B) -> B {
    block.connect_all();
    settle(&mut block);
    block
}

/// Clocks from inputs presented for one clock to the output seen.
pub fn latency<B: Clocked>(block: B, present: impl Fn(&mut B, bool), seen: impl Fn(&B) -> bool) -> u64 {
    let mut block = connected(block);
    measure(&mut block, present, seen)
}

pub fn measure<B: Clocked>(block: &mut B, present: impl Fn(&mut B, bool), seen: impl Fn(&B) -> bool) -> u64 {
    present(block, false);
    (0..6).for_each(|_| tick(block));
    assert!(!seen(block), "seen before it was presented");
    present(block, true);
    block.set_clock(false);
    settle(block);
    if seen(block) {
        return 0;
    }
    for clocks in 1..200 {
        tick(block);
        if seen(block) {
            return clocks;
        }
        present(block, false);
    }
    panic!("never seen")
}
