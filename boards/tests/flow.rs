//! The build flow with the real tools, on a small stand-in for the gateware's `top`.
//!
//! Needs Yosys, nextpnr-ice40 and icepack; `make test` sets them up.

use bitline_boards::flow::Flow;
use bitline_boards::{Board, BoardError};
use bitline_golden::machine::Machine;
use std::path::PathBuf;

const TOP: &str = "module top(
    input wire clock, input wire uart_rx, output wire uart_tx,
    input wire start_switch, input wire reset_button, output wire [8:0] leds
);
    reg [15:0] words [0:255];
    reg [8:0] count = 0;
    reg [15:0] word = 0;
    always @(posedge clock) begin
        if (reset_button) count <= 0; else if (start_switch) count <= count + 1;
        if (uart_rx) words[count[7:0]] <= {7'd0, count};
        word <= words[count[7:0]];
    end
    assign leds = count;
    assign uart_tx = ^word;
endmodule
";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        // Inside the build folder: the WebAssembly tools do not see /tmp.
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn flow(folder: &Folder) -> Flow {
    Flow::new(Board::named("icebreaker").unwrap(), &Machine::named("digits").unwrap(), &folder.0).unwrap()
}

#[test]
fn flow_on_the_icebreaker_reports_area_and_clock_packs_and_is_not_run_twice() {
    let folder = Folder::new("builds");
    let flow = flow(&folder);

    let synthesis = flow.synthesise(TOP).unwrap();
    assert!(synthesis.took.is_some());
    // The count of nine bits, and the word's parity needs the block RAM's sixteen.
    assert!(synthesis.cells.flip_flops >= 9, "{:?}", synthesis.cells);
    assert!(synthesis.cells.carries >= 7, "{:?}", synthesis.cells);
    assert_eq!(synthesis.cells.block_rams, 1);

    let placement = flow.place(&synthesis, 7).unwrap();
    assert_eq!(placement.usage.block_rams.used, 1);
    assert_eq!((placement.usage.logic.available, placement.usage.block_rams.available), (5280, 30));
    assert!(placement.usage.logic.used >= synthesis.cells.flip_flops, "{:?}", placement.usage);
    assert!(placement.usage.meets_clock(), "{:?}", placement.usage);
    let bitstream = std::fs::read(flow.pack(&placement).unwrap()).unwrap();
    // An iCE40 bitstream begins with a comment and then this preamble.
    assert!(bitstream.windows(4).any(|w| w == [0x7E, 0xAA, 0x99, 0x7E]));

    assert_eq!(flow.synthesise(TOP).unwrap().took, None);
    assert_eq!(flow.place(&synthesis, 7).unwrap().took, None);
    assert!(flow.place(&synthesis, 8).unwrap().took.is_some(), "another seed is another placement");

    let changed = TOP.replace("count + 1", "count + 3");
    assert!(flow.synthesise(&changed).unwrap().took.is_some(), "another source is another netlist");
}

#[test]
fn flow_with_a_port_too_few_names_the_tool_and_its_words() {
    let folder = Folder::new("refused");
    let error = flow(&folder).synthesise(&TOP.replace("uart_tx", "transmitted")).unwrap_err();
    let BoardError::ToolFailed { tool, log, tail, .. } = &error else { panic!("{error}") };
    assert_eq!(tool, "yosys");
    assert!(tail.contains("uart_tx"), "{tail}");
    assert!(log.ends_with("yosys.log") && log.exists(), "{}", log.display());
}
