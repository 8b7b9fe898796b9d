//! Frames of the serial link.
//!
//! A frame is `length, sequence, operation, payload[length], crc[4]`: the CRC-32 (ISO-HDLC, least significant byte
//! first) covers everything before it. On the wire it stands between END bytes, with END and ESC inside it escaped
//! as SLIP does (RFC 1055), so that after any garbage the next END starts afresh. Words in payloads are 16 bits,
//! low byte first; an address is 3 bytes, low byte first.
//!
//! | operation | request's payload | reply's payload |
//! | --- | --- | --- |
//! | IDENTIFY | none | the first words of the register map |
//! | READ | address, count (1..=[`MAX_WORDS`]) | the words |
//! | WRITE | address, words | none |
//!
//! A reply has the request's sequence number and its operation with the top bit set. A refusal has operation
//! [`REFUSED`] and one byte of [`Refusal`]; its sequence number is 0 where the frame's own could not be trusted.
//! A WRITE whose sequence number is that of the last frame executed is acknowledged again and not executed again;
//! IDENTIFY and READ are executed again. So a host opens with IDENTIFY, and raises the number with every request.
//!
//! A good frame is judged in this order: operation known; payload length right for it (IDENTIFY 0, READ 4, WRITE an
//! odd 5 or more); a WRITE executed before (acknowledged again, nothing further judged); address and count
//! ([`crate::registers::range_exists`]); busy (memories and every WRITE, while a run or a checksum is under way);
//! read-only. A refused frame changes nothing and is not a frame executed.

use thiserror::Error;

/// Marks the start and the end of a frame.
pub const END: u8 = 0xC0;
/// Escapes END and itself.
pub const ESC: u8 = 0xDB;
/// After ESC: an END.
pub const ESC_END: u8 = 0xDC;
/// After ESC: an ESC.
pub const ESC_ESC: u8 = 0xDD;

/// Operation: answer who you are.
pub const IDENTIFY: u8 = 0x01;
/// Operation: read words.
pub const READ: u8 = 0x02;
/// Operation: write words.
pub const WRITE: u8 = 0x03;
/// Bit that a reply adds to the operation.
pub const REPLY: u8 = 0x80;
/// Operation of a refusal.
pub const REFUSED: u8 = 0xFF;

/// Most words a READ or WRITE may carry.
pub const MAX_WORDS: usize = 64;
/// Longest payload: an address and [`MAX_WORDS`] words.
pub const MAX_PAYLOAD: usize = 3 + 2 * MAX_WORDS;
/// Bytes of a frame besides its payload.
pub const OVERHEAD: usize = 7;
/// Content of the CRC register after a good frame, its CRC included, before the final inversion.
pub const CRC_RESIDUE: u32 = 0xDEBB_20E3;

/// Why the machine refused a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[repr(u8)]
pub enum Refusal {
    /// The CRC did not match.
    #[error("the frame's CRC was wrong")]
    BadCrc = 1,
    /// The frame was shorter than its parts, longer than the buffer, or its length field was wrong.
    #[error("the frame's length was wrong")]
    BadLength = 2,
    /// The operation is none of the three.
    #[error("the operation is unknown")]
    UnknownOperation = 3,
    /// An address, or the end of the range, does not exist, or the count is 0 or too large.
    #[error("the address or the count is out of range")]
    BadAddress = 4,
    /// A run or a checksum is under way.
    #[error("the machine is busy; wait for status to clear")]
    Busy = 5,
    /// The register is read-only.
    #[error("the register is read-only")]
    ReadOnly = 6,
}

impl Refusal {
    /// The reason of that code.
    pub fn from_code(code: u8) -> Option<Self> {
        use Refusal::*;
        [BadCrc, BadLength, UnknownOperation, BadAddress, Busy, ReadOnly].into_iter().find(|r| *r as u8 == code)
    }
}

/// One step of CRC-32 (reflected, polynomial 0xEDB88320), a byte at a time, without initial or final inversion.
pub fn crc_step(crc: u32, byte: u8) -> u32 {
    (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
}

/// CRC-32 of bytes, as it stands at a frame's end.
pub fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| crc_step(crc, *byte))
}

/// A frame without its wire dress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Sequence number.
    pub sequence: u8,
    /// Operation.
    pub operation: u8,
    /// Payload, at most [`MAX_PAYLOAD`] bytes.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire, END to END.
    ///
    /// # Panics
    /// If the payload is longer than [`MAX_PAYLOAD`]: callers split their data first.
    pub fn encode(&self) -> Vec<u8> {
        assert!(self.payload.len() <= MAX_PAYLOAD, "payload of {} bytes", self.payload.len());
        let mut body = vec![self.payload.len() as u8, self.sequence, self.operation];
        body.extend_from_slice(&self.payload);
        body.extend_from_slice(&crc(&body).to_le_bytes());
        let mut wire = vec![END];
        for byte in body {
            match byte {
                END => wire.extend([ESC, ESC_END]),
                ESC => wire.extend([ESC, ESC_ESC]),
                _ => wire.push(byte),
            }
        }
        wire.push(END);
        wire
    }

    /// A READ of `count` words.
    pub fn read(sequence: u8, address: u32, count: u8) -> Self {
        let [a, b, c, _] = address.to_le_bytes();
        Self { sequence, operation: READ, payload: vec![a, b, c, count] }
    }

    /// A WRITE of words.
    pub fn write(sequence: u8, address: u32, words: &[u16]) -> Self {
        let mut payload = address.to_le_bytes()[..3].to_vec();
        payload.extend(words.iter().flat_map(|w| w.to_le_bytes()));
        Self { sequence, operation: WRITE, payload }
    }

    /// An IDENTIFY.
    pub fn identify(sequence: u8) -> Self {
        Self { sequence, operation: IDENTIFY, payload: vec![] }
    }

    /// The payload as 16-bit words, low byte first; an odd last byte is left out.
    pub fn words(&self) -> Vec<u16> {
        self.payload.chunks_exact(2).map(|w| u16::from_le_bytes([w[0], w[1]])).collect()
    }
}

/// Takes bytes off the wire, gives frames.
///
/// Mirrors the gateware's `link_receiver`. Bytes between two ENDs are one frame; none at all are none.
#[derive(Debug, Clone)]
pub struct Decoder {
    bytes: Vec<u8>,
    escaped: bool,
    broken: bool,
    crc: u32,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), escaped: false, broken: false, crc: u32::MAX }
    }
}

impl Decoder {
    /// Take one byte; at the END of a frame give it, or why it is dropped.
    ///
    /// A frame that holds an escape of anything but END or ESC, or more bytes than the longest frame, or whose
    /// length field is not the payload's, has a bad length; that is judged before the CRC.
    pub fn push(&mut self, byte: u8) -> Option<Result<Frame, Refusal>> {
        if byte == END {
            let frame = std::mem::take(self);
            if frame.bytes.is_empty() && !frame.escaped && !frame.broken {
                return None;
            }
            return Some(frame.finish());
        }
        let plain = match (self.escaped, byte) {
            (false, ESC) => {
                self.escaped = true;
                return None;
            }
            (false, byte) => byte,
            (true, ESC_END) => END,
            (true, ESC_ESC) => ESC,
            (true, _) => {
                self.broken = true;
                self.escaped = false;
                return None;
            }
        };
        self.escaped = false;
        if self.bytes.len() == MAX_PAYLOAD + OVERHEAD {
            self.broken = true;
        } else {
            self.bytes.push(plain);
            self.crc = crc_step(self.crc, plain);
        }
        None
    }

    fn finish(self) -> Result<Frame, Refusal> {
        let n = self.bytes.len();
        if self.broken || self.escaped || n < OVERHEAD || usize::from(self.bytes[0]) != n - OVERHEAD {
            return Err(Refusal::BadLength);
        }
        if self.crc != CRC_RESIDUE {
            return Err(Refusal::BadCrc);
        }
        Ok(Frame { sequence: self.bytes[1], operation: self.bytes[2], payload: self.bytes[3..n - 4].to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Vec<Result<Frame, Refusal>> {
        let mut decoder = Decoder::default();
        bytes.iter().filter_map(|b| decoder.push(*b)).collect()
    }

    #[test]
    fn crc_of_the_check_string_is_the_published_one() {
        assert_eq!(crc(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn frame_after_garbage_is_still_received() {
        let frame = Frame::write(7, 0x02_00C0, &[0xDBC0, 1]);
        let mut wire = vec![1, ESC, 9, 200, ESC];
        wire.extend(frame.encode());
        assert_eq!(decode(&wire), vec![Err(Refusal::BadLength), Ok(frame)]);
    }

    #[test]
    fn cut_and_overlong_frames_are_dropped_and_the_next_is_good() {
        let frame = Frame::read(1, 3, 2);
        let mut wire = frame.encode();
        wire.truncate(wire.len() - 3);
        wire.push(END);
        wire.extend([1u8; 300]);
        wire.extend(frame.encode());
        assert_eq!(decode(&wire), vec![Err(Refusal::BadLength), Err(Refusal::BadLength), Ok(frame)]);
    }

    proptest! {
        #[test]
        fn frame_survives_the_wire(sequence: u8, operation: u8, payload in prop::collection::vec(any::<u8>(), 0..=MAX_PAYLOAD)) {
            let frame = Frame { sequence, operation, payload };
            prop_assert_eq!(decode(&frame.encode()), vec![Ok(frame)]);
        }

        #[test]
        fn frame_with_a_flipped_bit_is_never_accepted_as_another(payload in prop::collection::vec(any::<u8>(), 0..40), at: prop::sample::Index, bit in 0u8..8) {
            let frame = Frame { sequence: 5, operation: WRITE, payload };
            let mut wire = frame.encode();
            let at = at.index(wire.len());
            wire[at] ^= 1 << bit;
            for got in decode(&wire).into_iter().flatten() {
                prop_assert_eq!(got, frame.clone());
            }
        }
    }
}
