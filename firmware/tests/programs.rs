//! The instruction set as words and as text, and what the checks refuse.

use bitline_firmware::isa::{Encoded, Instruction, IsaError, OPERATIONS, Opcode};
use bitline_firmware::text::{assemble, disassemble, encode};
use bitline_firmware::verify::{Limits, VerifyError, verify};
use bitline_golden::deep_machine::DeepMachine;
use proptest::prelude::*;

/// Those of the machine `mnist`, with less of some things.
fn limits() -> Limits {
    let machine = DeepMachine {
        instructions: 16,
        codes: 4096,
        code_bits: 4,
        thresholds: 128,
        layers: 4,
        ..DeepMachine::named("mnist").unwrap()
    };
    machine.check().unwrap();
    // No machine has as many, for they are a power of two; the numbers are those of the pixels.
    Limits { image_codes: 784, weight_bits: 4, ..Limits::of(&machine) }
}

/// 784 - 100 - 10, dense.
const DENSE: &str = "\
window base=0 image=1 pitch=0 segments=1 codes=784 # all pixels at once
tiles first=0 row_groups=13 output_groups=25 outputs=100 columns=4 planes=4
thresholds first=0 bits=4
pool size=1
output base=2048
read wide=1 high=1
count layer=0

window base=2048 codes=100 bias=15   # and a bias row
tiles first=325 row_groups=2 output_groups=3 outputs=10 columns=4 planes=4
classify
count layer=1
halt
";

fn instructions() -> impl Strategy<Value = Instruction> {
    (0..OPERATIONS.len(), any::<[u16; 8]>()).prop_map(|(at, draws)| {
        let operation = &OPERATIONS[at];
        let draw = |field: &bitline_firmware::isa::Field, draw: u16| match field.name {
            "columns" => [1, 4, 8][usize::from(draw) % 3],
            _ => usize::from(field.min) + usize::from(draw) % (usize::from(field.max - field.min) + 1),
        };
        let fields = operation.fields.iter().zip(draws);
        fields.fold(operation.smallest(), |made, (field, d)| made.with(field.name, draw(field, d)).unwrap())
    })
}

proptest! {
    #[test]
    fn words_and_text_give_the_program_back(program in prop::collection::vec(instructions(), 0..20)) {
        prop_assert_eq!(&assemble(&disassemble(&program)).unwrap(), &program);
        let words = encode(&program);
        let decoded: Result<Vec<Instruction>, IsaError> = words.iter().map(Instruction::decode).collect();
        prop_assert_eq!(decoded.unwrap(), program);
    }

    #[test]
    fn words_that_decode_are_the_words_that_their_instruction_encodes(words in any::<Encoded>(), code in 0u16..12) {
        let mut words = words;
        words[0] = code;
        // Whole words are legal as they are; cutting the narrow ones makes more of them so.
        for mask in [u16::MAX, 0x01FF, 0x000F, 1] {
            let cut = words.map(|word| word & mask);
            if let Ok(instruction) = Instruction::decode(&cut) {
                prop_assert_eq!(instruction.encode(), cut);
            }
        }
    }

    #[test]
    fn checks_answer_any_program(program in prop::collection::vec(instructions(), 0..20)) {
        let _ = verify(&program, &limits());
    }
}

#[test]
fn the_table_is_in_the_order_of_its_codes_and_no_two_fields_share_a_bit() {
    for (code, operation) in OPERATIONS.iter().enumerate() {
        assert_eq!(operation.opcode as usize, code, "{}", operation.name);
        let mut owned = [0u16; 8];
        for field in operation.fields {
            assert!((1..8).contains(&field.word) && field.low + field.bits <= 16 && field.min <= field.max);
            let mask = (((1u32 << field.bits) - 1) as u16) << field.low;
            assert!(u32::from(field.max) < 1 << field.bits, "{} {}", operation.name, field.name);
            assert_eq!(owned[field.word] & mask, 0, "{} {}", operation.name, field.name);
            owned[field.word] |= mask;
        }
    }
}

#[test]
fn a_dense_network_passes_the_checks() {
    let program = assemble(DENSE).unwrap();
    assert_eq!(program.len(), 12);
    assert_eq!(program[1].get("row_groups"), 13);
    assert_eq!(program[7].get("bias"), 15);
    verify(&program, &limits()).unwrap();
    assert_eq!(program[6].encode(), [10, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(program[1].encode(), [2, 0, 13, 25, 100, 0x44, 0, 0]);
}

#[test]
fn what_reaches_beyond_the_machine_is_refused_with_the_numbers() {
    let refused = |from: &str, to: &str| {
        assert!(DENSE.contains(from), "{from}");
        verify(&assemble(&DENSE.replace(from, to)).unwrap(), &limits()).unwrap_err().to_string()
    };
    assert_eq!(
        refused("base=0 image=1", "base=1 image=1"),
        "instruction 5: the last code of the last window reaches 785, the machine has 784; compile for a larger machine"
    );
    assert_eq!(
        refused("output base=2048", "output base=4000"),
        "instruction 5: the place of the last code reaches 4100, the machine has 4096; compile for a larger machine"
    );
    assert_eq!(
        refused("first=325", "first=507"),
        "instruction 9: the last tile reaches 513, the machine has 512; compile for a larger machine"
    );
    assert_eq!(
        refused("row_groups=13", "row_groups=12"),
        "instruction 5: tiles under each other is 12, must be 13 by what was set up; compile again"
    );
    assert_eq!(
        refused("output_groups=3", "output_groups=2"),
        "instruction 9: tiles side by side is 2, must be 3 by what was set up; compile again"
    );
    assert!(refused("codes=784", "codes=1100 ").contains("tiles under each other is 13, must be 18"));
    assert!(refused("bias=15", "bias=16").contains("the code of the bias row reaches 17, the machine has 16"));
    assert!(
        refused("outputs=10 columns=4 planes=4", "outputs=10 columns=4 planes=5")
            .contains("the planes reaches 5, the machine has 4")
    );
    assert!(
        refused("outputs=10 columns=4 planes=4", "outputs=10 columns=8 planes=4")
            .contains("the columns of an output reaches 8, the machine has 4")
    );
    assert!(refused("thresholds first=0", "thresholds first=32").contains("the last threshold entry reaches 132"));
    assert_eq!(
        refused("thresholds first=0", "thresholds first=2"),
        "instruction 5: the first threshold entry is 2, must be a multiple of 4; compile again, for this machine"
    );
    assert!(refused("count layer=1", "count layer=4").contains("the record reaches 5, the machine has 4"));
    assert_eq!(refused("pool size=1", ""), "instruction 4: `read` needs `pool` before it");
    assert_eq!(refused("halt", ""), "instruction 10: `halt` ends a program, once, and nothing follows it");
    assert_eq!(refused("count layer=0", "halt"), "instruction 6: `halt` ends a program, once, and nothing follows it");
    let copy = |line: &str| verify(&assemble(&format!("{line}\nhalt")).unwrap(), &limits());
    assert_eq!(copy("copy from=3312 image=0 to=0 codes=784"), Ok(()));
    assert!(matches!(
        copy("copy from=1 image=1 to=0 codes=784"),
        Err(VerifyError::Reach { reached: 785, limit: 784, .. })
    ));
    assert!(matches!(copy("copy from=0 to=4000 codes=97"), Err(VerifyError::Reach { reached: 4097, .. })));
    assert_eq!(
        copy("copy from=7 to=4 codes=4").unwrap_err().to_string(),
        "instruction 0: `copy` of 4 codes from 7 to 4 writes to codes that it reads; copy them by way of others"
    );
    let overlap = |from, to, codes| Err(VerifyError::Overlap { at: 0, from, to, codes });
    assert_eq!(copy("copy from=4 to=7 codes=4"), overlap(4, 7, 4));
    assert_eq!(copy("copy from=4 to=4"), overlap(4, 4, 1));
    for apart in ["copy from=4 to=7 codes=3", "copy from=7 to=4 codes=3", "copy from=4 image=1 to=4 codes=9"] {
        assert_eq!(copy(apart), Ok(()), "{apart}");
    }
    assert!(matches!(copy("fill to=4095 codes=2 value=0"), Err(VerifyError::Reach { reached: 4097, .. })));
    assert!(matches!(copy("fill to=0 codes=2 value=16"), Err(VerifyError::Reach { reached: 17, limit: 16, .. })));
    assert_eq!(verify(&[], &limits()), Err(VerifyError::Length { found: 0, limit: 16 }));
    let long = vec![Opcode::Halt.operation().smallest(); 17];
    assert_eq!(verify(&long, &limits()), Err(VerifyError::Length { found: 17, limit: 16 }));
}

#[test]
fn text_that_is_no_program_is_refused_by_line() {
    let refused = |text: &str| assemble(text).unwrap_err().to_string();
    assert_eq!(
        refused("halt\n\njump to=3"),
        "line 3: there is no operation \"jump\"; there are halt, window, tiles, thresholds, pool, output, read, classify, \
         copy, fill, count"
    );
    assert_eq!(refused("read wide=1 deep=2"), "line 1: `read` has no field \"deep\"; it has wide, high");
    assert_eq!(refused("classify wide=1"), "line 1: `classify` has no field \"wide\"; it has none");
    assert_eq!(refused("read wide=1 wide=2"), "line 1: `read` is given wide twice");
    assert_eq!(refused("read wide"), "line 1: \"wide\" is not of the form field=number");
    assert_eq!(refused("read wide=-1"), "line 1: wide=-1: \"-1\" is no number");
    assert_eq!(refused("read wide=0"), "line 1: `read` has wide=0, must be 1..=65535");
    assert_eq!(refused("read wide=65536"), "line 1: `read` has wide=65536, must be 1..=65535");
    assert_eq!(refused("tiles columns=2"), "line 1: `tiles` has columns=2, must be 1..=8, and of these 1, 4 or 8");
}

#[test]
fn words_that_are_no_instruction_are_refused() {
    let refused = |words: Encoded| Instruction::decode(&words).unwrap_err().to_string();
    assert_eq!(
        refused([11, 0, 0, 0, 0, 0, 0, 0]),
        "operation code 11 is none of 0..=10; was this written for another version?"
    );
    assert_eq!(refused([0, 0, 0, 4, 0, 0, 0, 0]), "`halt` has no field in bit 2 of word 3, which is set; clear it");
    assert_eq!(refused([6, 0, 1, 0, 0, 0, 0, 0]), "`read` has wide=0, must be 1..=65535");
    assert!(refused([2, 0, 1, 1, 1, 0x12, 0, 0]).contains("columns=2"));
}

#[test]
fn the_reference_page_names_every_field_and_its_example_passes_the_checks() {
    let page = bitline_firmware::reference::page();
    let (_, rest) = page.split_once("```text\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let program = assemble(example).unwrap();
    assert_eq!(program, assemble(DENSE).unwrap());
    verify(&program, &limits()).unwrap();
    for operation in &OPERATIONS {
        assert!(page.contains(&format!("| {} | `{}` |", operation.opcode as u16, operation.name)));
        assert!(operation.fields.iter().all(|field| page.contains(&format!("| `{}` | {} |", field.name, field.word))));
    }
}
