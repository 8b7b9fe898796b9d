//! Rung R6: mutants of a machine's Verilog, here without its UART, whole bytes handed to the link.

use std::path::Path;
use std::time::Duration;

use bitline_golden::machine::Machine;
use bitline_host::mutation::{Known, Mutation, MutationOptions, without_uart};
use bitline_host::problem_set::{make, names};

#[test]
fn machine_without_its_uart_passes_every_problem_and_its_mutants_fall_to_runs_and_to_scripts() {
    let machine = without_uart(&Machine::named("tiny").unwrap());
    let problems = names(&machine, 1, 3, 0).iter().map(|name| make(&machine, name, 1).unwrap()).collect();
    let options = MutationOptions { count: 40, seed: 1, threads: 2, proof_limit: Duration::ZERO, bytes: true };
    let work = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutation");
    let mutation = Mutation::new(&machine, problems, options, &work).unwrap();
    assert_eq!(mutation.first_failure(0).unwrap(), None);

    let mutants: Vec<_> = mutation.mutants().iter().collect();
    let (mut runs, mut scripts) = (0, 0);
    mutation
        .judge_all(
            &mutants,
            |_| Known::Nothing,
            |result| -> Result<(), bitline_host::HostError> {
                if let Some((problem, _)) = &result.caught_by {
                    let script = problem.starts_with("link/") || problem.starts_with("counts/");
                    *(if script { &mut scripts } else { &mut runs }) += 1;
                }
                Ok(())
            },
        )
        .unwrap();
    // What becomes of each of a thousand is recorded in docs/results/mutation.jsonl; here, that either sort of problem notices.
    assert!(runs >= 20 && scripts >= 1 && runs + scripts <= mutants.len(), "{runs} fell to runs, {scripts} to scripts");
}
