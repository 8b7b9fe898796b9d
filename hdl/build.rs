//! Hashes the gateware's source, so that a bitstream made from other source is told apart (IDENTIFY).

use sha2::{Digest, Sha256};
use std::path::Path;

fn main() {
    let folder = |name: &str| {
        let entries = std::fs::read_dir(name).unwrap_or_else(|e| panic!("{name}: {e}"));
        entries.map(|entry| entry.expect("an entry").path()).collect::<Vec<_>>()
    };
    let mut files = [folder("src"), folder("src/deep")].concat();
    files.retain(|path| path.extension().is_some_and(|e| e == "rs"));
    files.extend(
        ["link.rs", "machine.rs", "registers.rs", "deep_machine.rs", "deep_registers.rs"]
            .map(|name| Path::new("../golden/src").join(name)),
    );
    files.push("../firmware/src/isa.rs".into());
    files.sort();
    let mut hash = Sha256::new();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        hash.update(std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())));
    }
    println!("cargo:rerun-if-changed=src");
    let digest = hash.finalize();
    let short = u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"));
    println!("cargo:rustc-env=BITLINE_GATEWARE_HASH={short}");
}
