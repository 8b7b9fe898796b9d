//! A long conversation over a noisy wire, checked word by word against what the machine must hold.

use bitline_golden::array::DeviceArray;
use bitline_golden::machine::Machine;
use bitline_golden::random::stream;
use bitline_golden::registers::{
    ArrayAddress, CONTROL_CLEAR, CONTROL_START, NO_LABEL, Region, checksum, find, pack_image, slot_offset,
};
use bitline_golden::run::run;
use bitline_golden::virtual_machine::VirtualMachine;
use bitline_host::HostError;
use bitline_host::link::{Client, ClientOptions};
use ndarray::Array2;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::noisy_port::NoisyPort;

/// What a campaign went through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Times a request was sent over the noisy wire.
    pub exchanges: u64,
    /// Those of them whose request or reply was damaged.
    pub damaged: u64,
    /// Operations that succeeded.
    pub succeeded: u64,
    /// Operations that were given up, with an error.
    pub given_up: u64,
}

/// Every word of a memory range the client can reach in one frame, by offset.
type Words = BTreeMap<u16, u16>;

/// The conversation: a client on a noisy wire, and what the memories must hold.
pub struct Campaign {
    client: Client<NoisyPort>,
    machine: Machine,
    build_hash: u64,
    random: ChaCha8Rng,
    memories: [(Region, Words); 3],
    tally: Tally,
}

impl Campaign {
    /// Begin with a machine at power-on. `share` of what is sent either way is damaged.
    pub fn new(board: Box<dyn VirtualMachine>, machine: &Machine, build_hash: u64, seed: u64, share: f64) -> Self {
        let port = NoisyPort::new(board, machine.link.clock_hz, seed, share);
        let options = ClientOptions { attempts: 8, timeout: Duration::from_millis(5), ..ClientOptions::default() };
        let zeros = |offsets: Vec<u16>| offsets.into_iter().map(|offset| (offset, 0)).collect::<Words>();
        let array = ArrayAddress::all(machine).map(|address| address.offset(machine)).collect();
        let lanes = 0..machine.slot_words();
        let slots = (0..machine.slots)
            .flat_map(|slot| lanes.clone().map(move |lane| slot_offset(machine, slot, lane)))
            .collect();
        let labels = (0..machine.slots as u16).collect();
        Self {
            client: Client::new(port, options),
            machine: machine.clone(),
            build_hash,
            random: stream("link campaign", seed),
            memories: [(Region::Array, zeros(array)), (Region::Slots, zeros(slots)), (Region::Labels, zeros(labels))],
            tally: Tally::default(),
        }
    }

    fn pick(&mut self, count: usize) -> usize {
        self.random.random_range(0..count as u32) as usize
    }

    /// A range that one frame can carry: its region, first offset and number of words.
    fn pick_range(&mut self) -> (usize, u16, usize) {
        let memory = self.pick(3);
        let machine = self.machine.clone();
        let (first, most) = match self.memories[memory].0 {
            Region::Array => {
                let word = self.pick(machine.array_words());
                let (column, row_group) = (self.pick(machine.columns()), self.pick(machine.row_groups()));
                (ArrayAddress { column, row_group, word }.offset(&machine), machine.array_words() - word)
            }
            Region::Slots => {
                let lane = self.pick(machine.slot_words());
                (slot_offset(&machine, self.pick(machine.slots), lane), machine.slot_words() - lane)
            }
            _ => {
                let label = self.pick(machine.slots);
                (label as u16, (machine.slots - label).min(64))
            }
        };
        (memory, first, 1 + self.pick(most))
    }

    fn held(&self, memory: usize, first: u16, count: usize) -> Vec<u16> {
        (first..).take(count).map(|offset| self.memories[memory].1[&offset]).collect()
    }

    fn hold(&mut self, memory: usize, first: u16, words: &[u16]) {
        for (offset, word) in (first..).zip(words) {
            self.memories[memory].1.insert(offset, *word);
        }
    }

    /// Words to write; in the array, bits of rows that do not exist are 0.
    fn words(&mut self, memory: usize, first: u16, count: usize) -> Vec<u16> {
        (first..)
            .take(count)
            .map(|offset| {
                let word: u16 = self.random.random();
                match self.memories[memory].0 {
                    Region::Array => {
                        let address = ArrayAddress::from_offset(&self.machine, offset).expect("it was picked");
                        word & ((1u32 << address.rows(&self.machine).len()) - 1) as u16
                    }
                    _ => word,
                }
            })
            .collect()
    }

    fn write(&mut self) -> Result<(), HostError> {
        let (memory, first, count) = self.pick_range();
        let region = self.memories[memory].0;
        let words = self.words(memory, first, count);
        if let Err(error) = self.client.write(region, first, &words) {
            // It was done as a whole or not at all.
            self.recover();
            let found = self.client.read(region, first, count).expect("the wire is quiet");
            assert!(
                found == words || found == self.held(memory, first, count),
                "{region:?} {first}: a write was half done"
            );
            self.hold(memory, first, &found);
            return Err(error);
        }
        self.hold(memory, first, &words);
        Ok(())
    }

    fn read(&mut self) -> Result<(), HostError> {
        let (memory, first, count) = self.pick_range();
        let region = self.memories[memory].0;
        let words = self.client.read(region, first, count)?;
        assert_eq!(words, self.held(memory, first, count), "{region:?} {first}: a wrong word was accepted");
        Ok(())
    }

    fn checksum(&mut self) -> Result<(), HostError> {
        let memory = self.pick(3);
        let region = self.memories[memory].0;
        let (first, count) = (self.pick(self.machine.slots), self.pick(8));
        let (first, count) = (first, count.min(self.machine.slots - first));
        let words: Vec<u16> = match region {
            Region::Array => self.memories[0].1.values().copied().collect(),
            Region::Slots => {
                let lanes = self.machine.slot_words();
                let slots = first..first + count;
                slots.flat_map(|slot| self.held(1, slot_offset(&self.machine, slot, 0), lanes)).collect()
            }
            _ => self.held(2, first as u16, count),
        };
        let found = self.client.checksum(region, first as u16, count as u16)?;
        assert_eq!(found, checksum(words), "{region:?}: a wrong checksum was accepted");
        Ok(())
    }

    fn images(&mut self) -> Result<(), HostError> {
        let (first, count) = (self.pick(self.machine.slots), 1 + self.pick(4));
        let count = count.min(self.machine.slots - first);
        let mut array = DeviceArray::new(self.machine.rows, self.machine.columns());
        for address in ArrayAddress::all(&self.machine) {
            let word = self.memories[0].1[&address.offset(&self.machine)];
            for (bit, row) in address.rows(&self.machine).enumerate() {
                array.set(row, address.column, word >> bit & 1 == 1);
            }
        }
        let mut images = Array2::zeros((count, self.machine.inputs()));
        for (i, mut image) in images.rows_mut().into_iter().enumerate() {
            let offset = slot_offset(&self.machine, first + i, 0);
            let words = self.held(1, offset, self.machine.input_words());
            image.iter_mut().enumerate().for_each(|(k, code)| {
                *code = (0..self.machine.input_bits)
                    .map(|bit| (k * self.machine.input_bits + bit, bit))
                    .fold(0u8, |code, (at, bit)| code | ((words[at / 16] >> (at % 16) & 1) as u8) << bit);
            });
            // The packing is the product's; the unpacking above is not.
            let packed = pack_image(&self.machine, &image.to_vec());
            let bits = self.machine.inputs() * self.machine.input_bits;
            assert!((0..bits).all(|at| (packed[at / 16] ^ words[at / 16]) >> (at % 16) & 1 == 0));
        }
        let labels: Vec<u16> = self.held(2, first as u16, count);
        let mut expected = run(&self.machine, &array, &images, &vec![None; count]).expect("the shapes fit");
        expected.counters.correct =
            expected.classes.iter().zip(&labels).filter(|(class, label)| class == label && **label != NO_LABEL).count()
                as u64;

        self.client.write_register("control", CONTROL_CLEAR)?;
        self.client.write(Region::Registers, find("mode").offset, &[0, first as u16, count as u16])?;
        self.client.write_register("control", CONTROL_START)?;
        self.client.wait_until_idle("run")?;
        assert_eq!(self.client.counters()?, expected.counters, "wrong counters were accepted");
        Ok(())
    }

    /// Silence the wire: the next good frame must work, whatever state the noise left the link in.
    fn recover(&mut self) {
        self.client.port_mut().set_quiet(true);
        let before = self.client.statistics();
        self.client.identify_as(&self.machine.clone(), self.build_hash).expect("a quiet wire carries a frame");
        let after = self.client.statistics();
        assert_eq!(after.resent, before.resent, "the next good frame did not work: {before:?} {after:?}");
        self.client.wait_until_idle("run").expect("a quiet wire carries frames");
    }

    /// Read every word over a quiet wire.
    fn check_everything(&mut self) {
        self.recover();
        for (region, words) in self.memories.clone() {
            for (offset, word) in words {
                let found = self.client.read(region, offset, 1).expect("the wire is quiet");
                assert_eq!(found, [word], "{region:?} {offset}: the memory changed behind the client's back");
            }
        }
        self.client.port_mut().set_quiet(false);
    }

    /// Talk until that many exchanges were damaged; read everything now and then and at the end.
    ///
    /// # Panics
    /// When anything wrong was accepted; the seed is in the caller's hands.
    pub fn talk(mut self, damaged: u64) -> Tally {
        self.recover();
        self.client.port_mut().set_quiet(false);
        let mut next_check = damaged / 4;
        while self.client.port().damaged < damaged {
            let result = match self.pick(20) {
                0 => self.images(),
                1 | 2 => self.checksum(),
                3..=10 => self.write(),
                _ => self.read(),
            };
            match result {
                Ok(()) => self.tally.succeeded += 1,
                Err(
                    HostError::Lost { .. }
                    | HostError::Noisy { .. }
                    | HostError::Silent { .. }
                    | HostError::Garbage { .. }
                    | HostError::Stuck { .. },
                ) => {
                    self.tally.given_up += 1;
                    self.recover();
                    self.client.port_mut().set_quiet(false);
                }
                Err(error) => panic!("a damaged exchange was taken for something else: {error}"),
            }
            if self.client.port().damaged >= next_check {
                next_check += damaged / 4;
                self.check_everything();
            }
        }
        self.check_everything();
        let port = self.client.port();
        Tally { exchanges: port.exchanges, damaged: port.damaged, ..self.tally }
    }
}
