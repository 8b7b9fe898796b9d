//! The sequencer's instruction set, assembler and compiler.
//!
//! Empty: the machines so far run one layer, and their sequencer walks through it without a program. The crate keeps
//! its place in the crate graph for machines of several layers.
