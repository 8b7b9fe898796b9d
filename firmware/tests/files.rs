//! Program files give the program back, and what is wrong with one is said.

use bitline_firmware::file::{FileError, METADATA_KEY, ProgramFile};
use bitline_firmware::program::{ImageLayout, Program, Target, Tile};
use bitline_firmware::text::assemble;
use bitline_golden::deep_machine::DeepMachine;
use bitline_golden::network::file::{i8_tensor, pack};
use bitline_golden::network::{NetworkError, Provenance};

const TEXT: &str = "\
window image=1 codes=13
tiles row_groups=2 output_groups=2 outputs=3 columns=4 planes=3
thresholds first=2 bits=2
pool size=1
output base=0
read wide=1 high=1
count
window codes=3
tiles first=4 outputs=2 columns=4 planes=2
classify
count layer=1
halt
";

fn target() -> Target {
    Target::of(&DeepMachine::named("tiny-deep").unwrap())
}

fn made() -> ProgramFile {
    let mut tiles = vec![Tile::new(&target().limits); 5];
    tiles[0].columns[0][0] = true;
    tiles[4].columns[7][7] = true;
    let thresholds = vec![vec![], vec![], vec![-5, 0, 70_000], vec![1, 1, 1], vec![-3, -2, -1]];
    let image = ImageLayout { height: 1, row_codes: 13, pitch: 13, first: 0, codes: 13 };
    let program = Program { instructions: assemble(TEXT).unwrap(), tiles, thresholds, image };
    let provenance = Provenance { data_set: "none".into(), seed: 3, ..Provenance::default() };
    ProgramFile { program, network: "made".into(), machine: "tiny-deep".into(), provenance }
}

fn read(bytes: &[u8]) -> Result<ProgramFile, FileError> {
    ProgramFile::from_bytes("p.safetensors", bytes)
}

#[test]
fn a_file_gives_the_program_back_and_the_same_bytes() {
    let bytes = made().to_bytes(&target());
    let back = read(&bytes).unwrap();
    assert_eq!(back, made());
    assert_eq!(back.to_bytes(&target()), bytes);
    back.check(&target()).unwrap();
    let bare = Program { tiles: vec![], thresholds: vec![], ..made().program };
    let bare = ProgramFile { program: bare, ..made() };
    assert_eq!(read(&bare.to_bytes(&target())).unwrap(), bare);
}

#[test]
fn a_damaged_file_is_refused_with_the_place() {
    let refused = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    let bytes = made().to_bytes(&target());
    assert!(refused(&bytes[..bytes.len() - 1]).contains("is not a complete safetensors file"));
    assert_eq!(
        refused(&pack(&[i8_tensor("x", &[1], [0])], "other", String::new())),
        "p.safetensors has no \"bitline.program\" in its safetensors metadata, so it is not a program; make one with `bitline compile`"
    );
    assert!(matches!(
        read(&pack(&[], METADATA_KEY, "{\"format_version\":2}".into())),
        Err(FileError::Container(NetworkError::FormatVersion { found: 2, supported: 1, .. }))
    ));
    let mut wrong = made();
    wrong.program.thresholds[2].swap(0, 1);
    assert_eq!(
        refused(&wrong.to_bytes(&target())),
        "p.safetensors: threshold 1 of entry 2 is -5, below the one before it, and an entry's must not fall; compile the network again"
    );
    wrong = made();
    wrong.program.thresholds[1] = vec![0, 9];
    assert_eq!(
        refused(&wrong.to_bytes(&target())),
        "p.safetensors: threshold 1 of entry 1 is 9, which no layer reads and must be 0; compile the network again"
    );
    wrong = made();
    wrong.program.tiles[3].columns[2].resize(16, false);
    wrong.program.tiles[3].columns[2][9] = true;
    assert_eq!(
        refused(&wrong.to_bytes(&target())),
        "p.safetensors: tile 3 column 2 has a device in row 9, tiles have 8 rows; compile the network again"
    );
    wrong = made();
    wrong.program.image.first = 1;
    assert_eq!(
        refused(&wrong.to_bytes(&target())),
        "p.safetensors: an image has 13 codes, borders included, and its last one lies at 13; compile the network again"
    );
    // The first word of the first instruction is 1, `window`; no other place in the file has these bytes.
    let words: Vec<u8> = made().program.instructions[0].encode().iter().flat_map(|word| word.to_le_bytes()).collect();
    let at = bytes.windows(words.len()).position(|found| found == words).unwrap();
    let mut damaged = bytes.clone();
    damaged[at] = 99;
    assert!(refused(&damaged).starts_with("p.safetensors: instruction 0: operation code 99 is none of 0..=10"));
}

#[test]
fn a_program_for_another_machine_is_refused() {
    let refused = |made: &ProgramFile, target: &Target| made.check(target).unwrap_err().to_string();
    let other = Target::of(&DeepMachine::named("mnist").unwrap());
    assert_eq!(
        refused(&made(), &other),
        "the program of made is for machine tiny-deep, not mnist; compile the network for mnist"
    );
    let changed = |change: &dyn Fn(&mut Target)| {
        let mut target = target();
        change(&mut target);
        refused(&made(), &target)
    };
    assert_eq!(
        changed(&|target| target.limits.tile_rows = 9),
        "the program of made has 8 rows a tile, machine tiny-deep has 9; compile the network again, or for a larger machine"
    );
    assert!(
        changed(&|target| target.limits.tile_columns = 16).contains("has 8 columns a tile, machine tiny-deep has 16")
    );
    assert!(changed(&|target| target.limits.tiles = 4).contains("has 5 tiles, machine tiny-deep has 4"));
    assert!(
        changed(&|target| target.limits.thresholds = 4).contains("has 5 threshold entries, machine tiny-deep has 4")
    );
    assert!(
        changed(&|target| target.limits.image_codes = 12).contains("has 13 codes an image, machine tiny-deep has 12")
    );
    assert!(changed(&|target| target.limits.cycles = 20).contains("clocks an image, machine tiny-deep has 20"));
    assert_eq!(
        changed(&|target| target.limits.sums = 1),
        "the program of made does not pass the checks for machine tiny-deep: instruction 9: the last sum reaches 2, the \
         machine has 1; compile for a larger machine"
    );
}
