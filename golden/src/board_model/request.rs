//! What a frame asks for, judged before anything is done.

use crate::link::{Frame, IDENTIFY, MAX_WORDS, READ, Refusal, WRITE};
use crate::machine::{Machine, bits_to_index};
use crate::registers::{Access, ArrayAddress, REGISTERS, Region, range_exists};

/// A range of words that all exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Registers from this offset.
    Registers(usize),
    /// Words of one column in one row group, from this address.
    Array(ArrayAddress),
    /// Lanes of one slot.
    Slot {
        /// The slot.
        slot: usize,
        /// The first lane.
        lane: usize,
    },
    /// Labels from this slot.
    Labels(usize),
}

/// A frame that can be executed, unless the machine is busy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Answer who you are.
    Identify,
    /// Answer `count` words.
    Read {
        /// Where.
        place: Place,
        /// How many.
        count: usize,
    },
    /// Store words.
    Write {
        /// Where.
        place: Place,
        /// What.
        words: Vec<u16>,
    },
}

/// Find the words `address..address + count`, all of which must exist.
///
/// A range stays within the registers, within one row group of one column, within one slot, or within the labels:
/// one that leaves it is a bad address even where further words follow. So are holes, the offsets between the last
/// word or lane and the next power of two (see [`range_exists`]).
///
/// # Errors
/// [`Refusal::BadAddress`].
pub fn locate(machine: &Machine, address: u32, count: usize) -> Result<Place, Refusal> {
    if !(1..=MAX_WORDS).contains(&count) {
        return Err(Refusal::BadAddress);
    }
    let region = Region::from_code((address >> 16) as u8).ok_or(Refusal::BadAddress)?;
    let offset = address as u16;
    if !range_exists(machine, region, offset, count) {
        return Err(Refusal::BadAddress);
    }
    Ok(match region {
        Region::Registers => Place::Registers(usize::from(offset)),
        Region::Array => Place::Array(ArrayAddress::from_offset(machine, offset).ok_or(Refusal::BadAddress)?),
        Region::Slots => {
            let bits = bits_to_index(machine.slot_words());
            let offset = usize::from(offset);
            Place::Slot { slot: offset >> bits, lane: offset & ((1 << bits) - 1) }
        }
        Region::Labels => Place::Labels(usize::from(offset)),
    })
}

/// Judge a frame's operation, then whether its payload has a length that the operation can have.
///
/// # Errors
/// [`Refusal::UnknownOperation`] or [`Refusal::BadLength`].
pub fn check_shape(frame: &Frame) -> Result<(), Refusal> {
    let length = frame.payload.len();
    match frame.operation {
        IDENTIFY if length == 0 => Ok(()),
        READ if length == 4 => Ok(()),
        WRITE if length >= 5 && length % 2 == 1 => Ok(()),
        IDENTIFY | READ | WRITE => Err(Refusal::BadLength),
        _ => Err(Refusal::UnknownOperation),
    }
}

impl Request {
    /// Judge a frame: its shape ([`check_shape`]), then its address and count ([`locate`]).
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn parse(machine: &Machine, frame: &Frame) -> Result<Self, Refusal> {
        check_shape(frame)?;
        let payload = &frame.payload;
        if payload.is_empty() {
            return Ok(Self::Identify);
        }
        let address = u32::from_le_bytes([payload[0], payload[1], payload[2], 0]);
        if frame.operation == READ {
            let count = usize::from(payload[3]);
            return Ok(Self::Read { place: locate(machine, address, count)?, count });
        }
        let words: Vec<u16> = payload[3..].chunks_exact(2).map(|word| u16::from_le_bytes([word[0], word[1]])).collect();
        Ok(Self::Write { place: locate(machine, address, words.len())?, words })
    }

    /// Whether a run or a checksum keeps the machine from executing this: everything but IDENTIFY and reading
    /// registers.
    pub fn waits_for_idle(&self) -> bool {
        !matches!(self, Self::Identify | Self::Read { place: Place::Registers(_), .. })
    }

    /// Whether this writes a register that cannot be written.
    pub fn writes_read_only(&self) -> bool {
        let Self::Write { place: Place::Registers(first), words } = self else { return false };
        let range = *first..first + words.len();
        REGISTERS.iter().any(|register| {
            let offset = usize::from(register.offset);
            let end = offset + usize::from(register.words);
            register.access == Access::ReadOnly && offset < range.end && range.start < end
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::{REGISTER_WORDS, address, find, slot_offset};

    fn tiny() -> Machine {
        Machine::named("tiny").unwrap()
    }

    #[test]
    fn locate_every_array_word_of_every_machine_exists() {
        for machine in Machine::names().map(|name| Machine::named(name).unwrap()) {
            for at in ArrayAddress::all(&machine) {
                let found = locate(&machine, address(Region::Array, at.offset(&machine)), 1);
                assert_eq!(found, Ok(Place::Array(at)), "{}", machine.name);
            }
        }
    }

    #[test]
    fn locate_counts_exactly_the_words_there_are() {
        for machine in Machine::names().map(|name| Machine::named(name).unwrap()) {
            let there =
                |region| (0..=0xFFFFu16).filter(|offset| locate(&machine, address(region, *offset), 1).is_ok()).count();
            assert_eq!(there(Region::Registers), usize::from(REGISTER_WORDS));
            assert_eq!(there(Region::Array), machine.columns() * machine.row_groups() * machine.array_words());
            assert_eq!(there(Region::Slots), machine.slots * machine.slot_words());
            assert_eq!(there(Region::Labels), machine.slots);
        }
    }

    #[test]
    fn locate_range_that_leaves_its_column_slot_or_region_is_refused() {
        let machine = Machine::named("digits").unwrap();
        let array = |column, word| address(Region::Array, ArrayAddress { column, row_group: 0, word }.offset(&machine));
        assert!(locate(&machine, array(3, 0), 5).is_ok());
        assert_eq!(locate(&machine, array(3, 0), 6), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, array(3, 4), 2), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, array(40, 0), 1), Err(Refusal::BadAddress));
        let slot = |slot, lane| address(Region::Slots, slot_offset(&machine, slot, lane));
        assert!(locate(&machine, slot(255, 0), 20).is_ok());
        assert_eq!(locate(&machine, slot(0, 1), 20), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, slot(0, 31), 2), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, address(Region::Labels, 200), 57), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, address(Region::Registers, 55), 2), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, 0x04_0000, 1), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, 0, 0), Err(Refusal::BadAddress));
        assert_eq!(locate(&machine, address(Region::Labels, 0), 65), Err(Refusal::BadAddress));
    }

    #[test]
    fn parse_judges_operation_then_length_then_address() {
        let judge = |operation, payload: &[u8]| {
            Request::parse(&tiny(), &Frame { sequence: 1, operation, payload: payload.to_vec() })
        };
        assert_eq!(judge(0x77, &[9; 3]), Err(Refusal::UnknownOperation));
        assert_eq!(judge(IDENTIFY, &[0]), Err(Refusal::BadLength));
        assert_eq!(judge(READ, &[0, 0, 9]), Err(Refusal::BadLength));
        assert_eq!(judge(WRITE, &[0, 0, 9]), Err(Refusal::BadLength));
        assert_eq!(judge(WRITE, &[0, 0, 9, 1, 2, 3]), Err(Refusal::BadLength));
        assert_eq!(judge(WRITE, &[0, 0, 9, 1, 2]), Err(Refusal::BadAddress));
        assert_eq!(judge(READ, &[0, 0, 0, 0]), Err(Refusal::BadAddress));
        assert_eq!(judge(READ, &[27, 0, 0, 2]), Ok(Request::Read { place: Place::Registers(27), count: 2 }));
    }

    #[test]
    fn writes_read_only_sees_every_word_of_the_range() {
        let write = |first, count| Request::Write { place: Place::Registers(first), words: vec![0; count] };
        let modes = usize::from(find("mode").offset);
        assert!(!write(modes, 6).writes_read_only());
        assert!(write(modes, 7).writes_read_only());
        assert!(write(modes - 1, 2).writes_read_only());
        assert!(write(2, 1).writes_read_only());
    }
}
