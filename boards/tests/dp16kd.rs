//! Our model of the ECP5's block RAM does what Lattice's technical note TN1264 says, under Icarus.
//!
//! Needs iverilog and vvp; `make test` sets them up.

use std::path::PathBuf;
use std::process::Command;

use bitline_boards::tools;

const MODEL: &str = include_str!("../verilated/dp16kd.v");

/// Word w of the memory before anything is written: every bit of the address reaches some bit of it.
fn word(w: u32) -> u32 {
    (w.wrapping_mul(2_654_435_761) >> 7) & 0x3FFFF
}

/// The parameters that put [`word`] into the memory: sixteen words an INITVAL, 20 bits apart.
fn initial_values() -> String {
    let value = |index: u32| -> String { (0..16).rev().map(|i| format!("{:05x}", word(index * 16 + i))).collect() };
    (0..64).map(|index| format!(".INITVAL_{index:02X}(320'h{})", value(index))).collect::<Vec<_>>().join(", ")
}

/// A bench with the memory at these widths and write mode, which prints port A's output after each of its steps.
fn outputs(width_a: u32, width_b: u32, mode: &str, steps: &[String]) -> Vec<u32> {
    shown("qa", width_a, width_b, mode, steps).into_iter().map(|output| output.try_into().unwrap()).collect()
}

/// The same for what is asked for, of `qa` and `qb`.
fn shown(what: &str, width_a: u32, width_b: u32, mode: &str, steps: &[String]) -> Vec<u64> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let vector = |name: &str, signal: &str, width: u32| -> String {
        (0..width).map(|i| format!(".{name}{i}({signal}[{i}])")).collect::<Vec<_>>().join(", ")
    };
    let bench = format!(
        "module bench;\nreg clock = 0; reg [17:0] da = 0, db = 0; reg [13:0] aa = 0, ab = 0; reg wa = 0, wb = 0, ca = 1;\n\
         wire [17:0] qa, qb;\nDP16KD #(.DATA_WIDTH_A({width_a}), .DATA_WIDTH_B({width_b}), .WRITEMODE_A(\"{mode}\"), \
         .WRITEMODE_B(\"{mode}\"), {}) memory ({}, {}, {}, {}, {}, {}, .CLKA(clock), .CLKB(clock), .CEA(ca), .CEB(1'b1), \
         .OCEA(1'b1), .OCEB(1'b1), .WEA(wa), .WEB(wb), .RSTA(1'b0), .RSTB(1'b0), .CSA0(1'b0), .CSA1(1'b0), .CSA2(1'b0), \
         .CSB0(1'b0), .CSB1(1'b0), .CSB2(1'b0));\ntask step; begin #1 clock = 1; #1 clock = 0; #1 $display(\"%0d\", {what}); \
         wa = 0; wb = 0; ca = 1; end endtask\ninitial begin #1;\n{}\n$finish(0); end\nendmodule\n",
        initial_values(),
        vector("DIA", "da", 18),
        vector("DIB", "db", 18),
        vector("ADA", "aa", 14),
        vector("ADB", "ab", 14),
        vector("DOA", "qa", 18),
        vector("DOB", "qb", 18),
        steps.join("\n"),
    );
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dp16kd-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("bench.v"), bench).unwrap();
    std::fs::write(folder.join("dp16kd.v"), MODEL).unwrap();
    let run = |tool: &str, options: &[&str]| {
        let output = Command::new(tools::find(tool).unwrap()).args(options).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("iverilog", &["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "dp16kd.v"]);
    let text = run("vvp", &["-n", "bench.vvp"]);
    std::fs::remove_dir_all(&folder).unwrap();
    text.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("{line}"))).collect()
}

/// Bit 0 of the address of entry `index` of a port that wide.
fn address(width: u32, index: u32) -> u32 {
    match width {
        18 => index << 4,
        9 => index << 3,
        narrower => index * narrower,
    }
}

/// What entry `index` of a port that wide has of a memory of words.
fn entry(width: u32, index: u32, word: impl Fn(u32) -> u32) -> u32 {
    let per_byte = if width >= 9 { 1 } else { 8 / width };
    match width {
        18 => word(index),
        _ => {
            let byte = index / per_byte;
            let bits = word(byte / 2) >> (9 * (byte % 2));
            (bits >> (index % per_byte * width)) & ((1 << width) - 1)
        }
    }
}

const INDICES: [u32; 12] = [0, 1, 2, 3, 5, 8, 15, 16, 17, 100, 511, 1023];

#[test]
fn dp16kd_reads_its_initial_values_at_every_width() {
    for width in [1, 2, 4, 9, 18] {
        let steps: Vec<String> = INDICES.iter().map(|i| format!("aa = {}; step;", address(width, *i))).collect();
        let expected: Vec<u32> = INDICES.iter().map(|i| entry(width, *i, word)).collect();
        assert_eq!(outputs(width, width, "READBEFOREWRITE", &steps), expected, "width {width}");
    }
}

#[test]
fn dp16kd_written_at_one_width_is_read_at_another() {
    for (from, to) in [(18, 9), (9, 18), (9, 4), (1, 9), (2, 18)] {
        // Port B writes word 3, all of it for an 18-bit port, its entry 0 otherwise; port A reads around it.
        let value = 0x2A5C3 & ((1 << from) - 1);
        let first = 3 * if from >= 9 { 18 / from } else { 16 / from };
        let enables = if from == 18 { 3 } else { 0 };
        let mut steps = vec![format!("ab = {} | {enables}; db = {value}; wb = 1; aa = 0; step;", address(from, first))];
        let entries = if to >= 9 { 18 / to } else { 16 / to };
        let range: Vec<u32> = (2 * entries..5 * entries).collect();
        steps.extend(range.iter().map(|i| format!("aa = {}; step;", address(to, *i))));
        let written = |w: u32| if w == 3 { (word(3) & !((1 << from) - 1)) | value } else { word(w) };
        let expected: Vec<u32> = range.iter().map(|i| entry(to, *i, written)).collect();
        assert_eq!(outputs(to, from, "READBEFOREWRITE", &steps)[1..], expected, "{from} bits to {to}");
    }
}

#[test]
fn dp16kd_writes_only_the_bytes_that_are_enabled() {
    for (enables, mask) in [(0, 0), (1, 0x1FF), (2, 0x3FE00), (3, 0x3FFFF)] {
        let steps =
            [format!("aa = {} | {enables}; da = 18'h15A96; wa = 1; step;", 7 << 4), format!("aa = {}; step;", 7 << 4)];
        let expected = (word(7) & !mask) | (0x15A96 & mask);
        assert_eq!(outputs(18, 18, "READBEFOREWRITE", &steps), [word(7), expected], "{enables}");
    }
}

#[test]
fn dp16kd_shows_a_write_as_its_mode_says_and_holds_without_enable() {
    let a = |w: u32| format!("aa = {}", w << 4 | 3);
    let steps = [
        format!("{}; step;", a(1)),
        format!("{}; da = 5; wa = 1; step;", a(2)),
        format!("{}; ca = 0; wa = 1; da = 9; step;", a(4)),
        format!("{}; step;", a(4)),
    ];
    let modes = [("NORMAL", word(1)), ("WRITETHROUGH", 5), ("READBEFOREWRITE", word(2))];
    for (mode, shown) in modes {
        assert_eq!(outputs(18, 18, mode, &steps), [word(1), shown, shown, word(4)], "{mode}");
    }
}

#[test]
fn dp16kd_gives_garbage_for_a_word_that_the_other_port_writes() {
    let steps = [
        format!("aa = {}; ab = {}; db = 18'h3FFFF; wb = 1; step;", 6 << 4, 6 << 4 | 1),
        format!("aa = {}; step;", 6 << 4),
    ];
    assert_eq!(outputs(18, 18, "READBEFOREWRITE", &steps), [word(6) ^ 0x1FF, word(6) | 0x1FF]);
}

/// Two neighbouring words as the wide port has them.
fn pair(k: u32, word: impl Fn(u32) -> u32) -> u64 {
    u64::from(word(2 * k)) | u64::from(word(2 * k + 1)) << 18
}

#[test]
fn dp16kd_36_bits_wide_reads_and_writes_two_words() {
    let pairs = INDICES.map(|i| i / 2);
    let steps: Vec<String> = pairs.iter().map(|k| format!("ab = {}; step;", k << 5)).collect();
    assert_eq!(shown("{qb, qa}", 36, 36, "NORMAL", &steps), pairs.map(|k| pair(k, word)));

    for enables in 0..16u32 {
        let bytes: u64 = (0..4).filter(|byte| enables >> byte & 1 == 1).map(|byte| 0x1FF << (9 * byte)).sum();
        let value = 0x9_5A3C_6F17u64;
        let steps = [
            format!(
                "aa = {} | {enables}; da = {}; db = {}; wa = 1; ab = {}; step;",
                9 << 5,
                value & 0x3FFFF,
                value >> 18,
                8 << 5
            ),
            format!("ab = {}; step;", 9 << 5),
            format!("aa = {} | 15; da = 0; db = 0; wa = 1; ca = 0; ab = {}; step;", 9 << 5, 10 << 5),
            format!("ab = {}; step;", 9 << 5),
        ];
        let written = (pair(9, word) & !bytes) | (value & bytes);
        let expected = [pair(8, word), written, pair(10, word), written];
        assert_eq!(shown("{qb, qa}", 36, 36, "NORMAL", &steps), expected, "{enables}");
    }
}

#[test]
fn dp16kd_written_36_bits_wide_is_read_narrower_and_garbled_in_the_same_clock() {
    let value = 0x2_7E4D_1B36u64;
    let write = format!("aa = {} | 15; da = {}; db = {}; wa = 1;", 5 << 5, value & 0x3FFFF, value >> 18);
    let written = |w: u32| if w / 2 == 5 { (value >> (18 * (w % 2))) as u32 & 0x3FFFF } else { word(w) };
    for width in [18, 9, 4, 2, 1] {
        let entries = if width >= 9 { 18 / width } else { 16 / width };
        let range: Vec<u32> = (9 * entries..13 * entries).collect();
        let mut steps = vec![format!("{write} ab = 0; step;")];
        steps.extend(range.iter().map(|i| format!("ab = {}; step;", address(width, *i))));
        let expected: Vec<u64> = range.iter().map(|i| u64::from(entry(width, *i, written))).collect();
        assert_eq!(shown("qb", 36, width, "NORMAL", &steps)[1..], expected, "{width}");
    }
    let steps = [format!("{write} ab = {}; step;", 5 << 5)];
    assert_eq!(shown("{qb, qa}", 36, 36, "NORMAL", &steps), [pair(5, word) ^ 0xF_FFFF_FFFF]);
    let steps = [format!("{write} ab = {}; step;", 11 << 4)];
    assert_eq!(shown("qb", 36, 18, "NORMAL", &steps), [u64::from(word(11) ^ 0x3FFFF)]);
}
