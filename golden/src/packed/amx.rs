//! The product kernel with x86-64 tile instructions (AMX), where processor and system offer them.
//!
//! The instructions have no stable intrinsics yet, so they are written out. A tile register holds 16 rows of up
//! to 64 bytes; `tdpbusd` adds the product of 16 images x 64 codes and 64 inputs x 16 outputs to 16 x 16 sums.

use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use super::product::{BLOCK, Product};

/// Rows of a tile, and so images.
const IMAGES: usize = 16;
/// Codes of a tile's row.
const DEPTH: usize = 64;

/// Whether the processor has the instructions and the system lets this process use them.
pub(super) fn available() -> bool {
    static AVAILABLE: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *AVAILABLE.get_or_init(|| cfg!(target_os = "linux") && processor_has() && system_permits())
}

fn processor_has() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const AMX_TILE_AND_INT8: u32 = 1 << 24 | 1 << 25;
    const TILE_STATE: u64 = 1 << 17 | 1 << 18;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    #[target_feature(enable = "xsave")]
    fn enabled_state() -> u64 {
        // SAFETY: register 0 exists where OSXSAVE is set.
        unsafe { _xgetbv(0) }
    }
    // SAFETY: OSXSAVE was checked.
    let enabled = unsafe { enabled_state() };
    __cpuid_count(7, 0).edx & AMX_TILE_AND_INT8 == AMX_TILE_AND_INT8 && enabled & TILE_STATE == TILE_STATE
}

#[cfg(target_os = "linux")]
fn system_permits() -> bool {
    const SYS_ARCH_PRCTL: u64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_TILE_DATA: u64 = 18;
    let mut result = SYS_ARCH_PRCTL;
    // SAFETY: the call asks for leave to use the tile registers and touches no memory.
    unsafe {
        asm!(
            "syscall", inlateout("rax") result, in("rdi") ARCH_REQ_XCOMP_PERM, in("rsi") XFEATURE_TILE_DATA,
            out("rcx") _, out("r11") _, options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn system_permits() -> bool {
    false
}

/// Layout of the tile registers: 0..4 sums, 4 and 5 codes, 6 and 7 weights.
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shape {
    /// Tiles whose blocks of outputs have `outputs` columns, 16 or less.
    fn new(outputs: usize) -> Self {
        let (mut row_bytes, mut rows) = ([0; 16], [0; 16]);
        for tile in 0..8 {
            row_bytes[tile] = if tile == 4 || tile == 5 { DEPTH as u16 } else { 4 * outputs as u16 };
            rows[tile] = 16;
        }
        Self { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
    }

    /// # Safety
    /// [`available`]; ends with `tilerelease`.
    unsafe fn load(&self) {
        // SAFETY: 64 bytes of a valid layout.
        unsafe { asm!("ldtilecfg [{}]", in(reg) self, options(nostack, readonly)) }
    }
}

macro_rules! load {
    ($tile:literal, $from:expr, $stride:expr) => {
        asm!(
            concat!("tileloadd ", $tile, ", [{from} + {stride}*1]"),
            from = in(reg) $from, stride = in(reg) $stride, options(nostack, readonly)
        )
    };
}
macro_rules! store {
    ($tile:literal, $to:expr, $stride:expr) => {
        asm!(
            concat!("tilestored [{to} + {stride}*1], ", $tile),
            to = in(reg) $to, stride = in(reg) $stride, options(nostack)
        )
    };
}
macro_rules! multiply {
    ($sums:literal, $codes:literal, $weights:literal) => {
        asm!(concat!("tdpbusd ", $sums, ", ", $codes, ", ", $weights), options(nostack, nomem))
    };
}

/// Multiply a whole number of sixteens of images.
///
/// # Safety
/// [`available`]; `codes` holds as many images as `sums`.
pub(super) unsafe fn multiply(product: &Product, codes: &[u8], sums: &mut [i32]) {
    let images = sums.len() / product.outputs;
    assert!(images.is_multiple_of(IMAGES) && codes.len() >= images * product.depth);
    let codes = codes.as_ptr();
    let (whole, left) = (product.outputs / BLOCK, product.outputs % BLOCK);
    // SAFETY: tiles are read and written at images below `images`, inputs below `depth` and blocks that exist;
    // the tile registers are released at the end.
    unsafe {
        if whole > 0 {
            Shape::new(BLOCK).load();
            for block in (0..whole - whole % 2).step_by(2) {
                columns::<2>(product, codes, block, images, sums.as_mut_ptr());
            }
            if whole % 2 == 1 {
                columns::<1>(product, codes, whole - 1, images, sums.as_mut_ptr());
            }
        }
        if left > 0 {
            Shape::new(left).load();
            columns::<1>(product, codes, whole, images, sums.as_mut_ptr());
        }
        asm!("tilerelease", options(nostack, nomem));
    }
}

/// All images times one or two blocks of outputs, two sixteens of images at a time while there are two.
///
/// # Safety
/// As for [`multiply`], the tile registers laid out.
unsafe fn columns<const BLOCKS: usize>(
    product: &Product,
    codes: *const u8,
    block: usize,
    images: usize,
    sums: *mut i32,
) {
    let (depth, row) = (product.depth, product.outputs * 4);
    // SAFETY: passed on to the caller.
    unsafe {
        let weights = product.weights.as_ptr().add(block * BLOCK * depth);
        let bias = product.bias.as_ptr().add(block * BLOCK);
        let mut image = 0;
        while image < images {
            let two = images - image >= 2 * IMAGES;
            let codes = codes.add(image * depth);
            let sums = sums.add(image * product.outputs + block * BLOCK);
            if product.has_bias {
                // A stride of 0 gives every image the same biases.
                load!("tmm0", bias, 0usize);
                load!("tmm1", bias, 0usize);
                if BLOCKS == 2 {
                    load!("tmm2", bias.add(BLOCK), 0usize);
                    load!("tmm3", bias.add(BLOCK), 0usize);
                }
            } else {
                asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
            }
            for first in (0..depth).step_by(DEPTH) {
                load!("tmm4", codes.add(first), depth);
                load!("tmm6", weights.add(first * BLOCK), 4 * BLOCK);
                multiply!("tmm0", "tmm4", "tmm6");
                if two {
                    load!("tmm5", codes.add(IMAGES * depth + first), depth);
                    multiply!("tmm1", "tmm5", "tmm6");
                }
                if BLOCKS == 2 {
                    load!("tmm7", weights.add(BLOCK * depth + first * BLOCK), 4 * BLOCK);
                    multiply!("tmm2", "tmm4", "tmm7");
                    if two {
                        multiply!("tmm3", "tmm5", "tmm7");
                    }
                }
            }
            store!("tmm0", sums, row);
            if two {
                store!("tmm1", sums.add(IMAGES * product.outputs), row);
            }
            if BLOCKS == 2 {
                store!("tmm2", sums.add(BLOCK), row);
                if two {
                    store!("tmm3", sums.add(IMAGES * product.outputs + BLOCK), row);
                }
            }
            image += if two { 2 * IMAGES } else { IMAGES };
        }
    }
}
