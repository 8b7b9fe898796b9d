//! The host's side of bitline: the link client, the procedure that loads, runs and reads a machine back, and the
//! comparison with the golden model. The command `bitline` is a thin layer over this.

pub mod bisection;
pub mod comparison;
pub mod deep;
pub mod engine;
pub mod error;
pub mod leds;
pub mod link;
pub mod lockstep;
pub mod mutation;
pub mod mutation_record;
pub mod origin;
pub mod outcome;
pub mod problem;
pub mod problem_set;
pub mod procedure;
pub mod register_page;
pub mod report;
pub mod script;
pub mod simulated_run;
pub mod status;
pub mod sweep_report;
pub mod verify;
pub mod waves;

pub use error::HostError;
