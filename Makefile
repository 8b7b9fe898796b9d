# bitline: one target a job; `make` alone lists them. Everything that is built or fetched stays in target/, .tools/ and
# out/, none of which git sees.

CARGO ?= cargo
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)
BITLINE := $(TARGET)/release/bitline
MACHINES := $(basename $(notdir $(wildcard configs/*.toml)))
# Placement seeds of `make pnr`, and pairs of board and machine; without pairs, those of boards/budgets.toml.
SEEDS ?= 1..20
PAIRS ?=
# Mutants of `make mutate` that are run, of the 1000 that are drawn; machine of `make mutate-all`.
MUTANTS ?= 60
MACHINE ?= tiny
# Random networks and programs of `make test-deep-nightly`, and the seed they begin with.
NETWORKS ?= 1000
PROGRAMS ?= 10000
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-sweep-resume test-slurm test-deep-nightly check formal bench mutate mutate-all mutate-golden tools export pnr status report docs clean bitline

help: ## List the targets.
	@echo "bitline: a memristor crossbar in gateware, checked bit for bit. Targets:"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-21s %s\n", $$1, $$2 }'

demo: bitline ## Build, count the 297 test digits on a simulated board over a serial port, compare, write a report.
	@BITLINE=$(BITLINE) scripts/demo

test: ## Run every test of every crate.
	@scripts/tools --need yosys nextpnr-ice40 nextpnr-ecp5 icepack iceunpack icebox_vlog icepll ecppack ecppll verilator \
		iverilog vvp sby yices-smt2
	$(CARGO) test --workspace

test-sweep-resume: ## Kill a small study again and again and go on: its records are those of an uninterrupted one.
	$(CARGO) test --workspace --test sweep -- --nocapture study_killed

test-slurm: bitline ## Run a small study on a real Slurm, a node killed half way: its records are those of a local run.
	@BITLINE=$(BITLINE) scripts/test-slurm

test-deep-nightly: ## Run 1,000 random networks and 10,000 random programs on the Verilog of tiny-deep (NETWORKS, PROGRAMS, SEED).
	@scripts/tools --need verilator
	BITLINE_NETWORKS=$(NETWORKS) BITLINE_PROGRAMS=$(PROGRAMS) BITLINE_SEED=$(SEED) \
		$(CARGO) test --release -p bitline-tests --test deep_random -- --nocapture

check: ## What has to pass before a change goes in: format, lints, docs, tests, export and its lint, area and clock.
	@scripts/check

formal: ## Prove the blocks equal to their specifications, the link and the sequencer sound (ONLY=word for some).
	@scripts/tools --need sby yices-smt2
	$(CARGO) run --quiet --release -p bitline-boards --bin formal -- $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY)) \
		$(if $(RECORD),--record docs/results/runs.jsonl)

bench: ## Measure the golden model and the simulation against the machine's own limits and ONNX Runtime, training against PyTorch.
	@scripts/bench

mutate: bitline ## Run 60 of 1000 mutants of tiny's Verilog against R2's problems; verdicts are to be the recorded ones.
	@scripts/tools --need yosys verilator
	$(BITLINE) mutate --machine tiny --sample $(MUTANTS)

mutate-all: bitline ## Run all 1000, prove equivalent what comes through, record it (half an hour; goes on where it was).
	@scripts/tools --need yosys verilator yosys-abc
	$(BITLINE) mutate --machine $(MACHINE) --record

mutate-golden: ## Mutate golden's arithmetic with cargo-mutants, record what golden's tests catch (hours; goes on where it was).
	@scripts/mutate-golden $(FILES)

tools: ## Install what is missing of Yosys, SymbiYosys, nextpnr, Verilator and Icarus under .tools/ (no root), and list them.
	@scripts/tools

export: bitline ## Write every machine's Verilog to out/verilog/.
	@set -e; for machine in $(MACHINES); do \
		$(BITLINE) export --machine $$machine --out out/verilog/$$machine; done

pnr: ## Place and route 20 seeds, record area and clock, check them against boards/budgets.toml (hours cold; goes on where it was).
	@scripts/tools --need yosys nextpnr-ice40 nextpnr-ecp5 icepack ecppack
	@scripts/pnr $(SEEDS) $(PAIRS)

status: ## Write the README's status table from the recorded runs.
	BITLINE_WRITE_BOOK=1 $(CARGO) test --quiet -p bitline-host --test status

report: bitline ## Write out/report.html: curves, scale factor, LEDs, crossbar, confusion, counters.
	$(BITLINE) report --out out/report.html

docs: ## Build the API documentation; the book is in docs/book/.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	@echo "API: $(TARGET)/doc/bitline_golden/index.html   book: docs/book/README.md"

clean: ## Remove what was built and measured; .tools/ stays.
	$(CARGO) clean
	rm -rf out

# The command itself, in release form.
bitline:
	@command -v $(CARGO) >/dev/null || { echo "cargo is not installed; get Rust 1.95 or newer with rustup" >&2; exit 2; }
	@echo "building bitline (the first build fetches its Rust crates and takes some minutes)"
	$(CARGO) build --release -p bitline-host --bin bitline
