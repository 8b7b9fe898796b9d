//! A board: its part, its clock and its pins, read from `boards/boards/*.toml`.

use crate::error::BoardError;
use bitline_golden::machine::Machine;
use serde::{Deserialize, Serialize};

/// LEDs that show the counter `correct`: nine, as S001 has.
pub const LEDS: usize = 9;

/// Which tools a part needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Lattice iCE40: synth_ice40, nextpnr-ice40, icepack.
    Ice40,
    /// Lattice ECP5: synth_ecp5, nextpnr-ecp5, ecppack.
    Ecp5,
}

impl Family {
    /// The tools of its flow: Yosys, nextpnr, the packer.
    pub fn tools(self) -> [&'static str; 3] {
        match self {
            Self::Ice40 => ["yosys", "nextpnr-ice40", "icepack"],
            Self::Ecp5 => ["yosys", "nextpnr-ecp5", "ecppack"],
        }
    }
}

/// The FPGA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Which tools it needs.
    pub family: Family,
    /// nextpnr's name for its size, for example `up5k` or `85k`.
    pub part: String,
    /// nextpnr's name for its package.
    pub package: String,
    /// Speed grade, where the family has any.
    #[serde(default)]
    pub speed_grade: Option<u8>,
    /// Clock in hertz that place and route is told to aim at, above what any machine needs: nextpnr works on the paths
    /// that miss it.
    pub aim_hz: u32,
    /// nextpnr's router, where its default does not serve.
    #[serde(default)]
    pub router: Option<String>,
}

/// Resistor of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// None.
    None,
    /// To the supply.
    Up,
    /// To ground.
    Down,
}

/// Where one wire of the gateware meets the board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The package's name of the pin.
    pub site: String,
    /// Whether the board's level is the opposite of the gateware's (a button that pulls low, an LED lit by a 0).
    #[serde(default)]
    pub inverted: bool,
    /// The FPGA's own resistor; only written for families whose constraint file has it.
    #[serde(default)]
    pub pull: Option<Pull>,
    /// Strength of an output.
    #[serde(default)]
    pub drive_milliamperes: Option<u8>,
    /// What the board's print says beside it.
    #[serde(default)]
    pub label: Option<String>,
}

/// The pins of the gateware's `top`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// Input, the crystal.
    pub clock: Pin,
    /// Input, what the host sends.
    pub uart_rx: Pin,
    /// Output, what the host receives.
    pub uart_tx: Pin,
    /// Input, S001's SW0: 1 starts a run.
    pub start_switch: Pin,
    /// Input, S001's BTN0: 1 resets.
    pub reset_button: Pin,
    /// Outputs, the counter `correct`, least significant bit first.
    pub leds: [Pin; LEDS],
}

/// A pin that the board needs at a constant level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tied {
    /// Name of the port in `board_top`.
    pub port: String,
    /// The package's name of the pin.
    pub site: String,
    /// 0 or 1.
    pub level: u8,
}

/// A program that writes a bitstream into the board's memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loader {
    /// Name of the program.
    pub tool: String,
    /// Its options; the bitstream's path comes after them.
    #[serde(default)]
    pub options: Vec<String>,
}

/// Where a part has logic, for a design that has to be spread over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floorplan {
    /// First and last column of tiles to use, as nextpnr counts them.
    pub columns: (u32, u32),
    /// First and last row of tiles to use.
    pub rows: (u32, u32),
    /// Rows of tiles between these that hold other things: block RAM, multipliers.
    #[serde(default)]
    pub without_logic: Vec<u32>,
    /// Block RAMs from the middle of the part outwards, as nextpnr names their sites.
    #[serde(default)]
    pub block_rams: Vec<String>,
    /// nextpnr's placer for such a design, where its default does not serve.
    #[serde(default)]
    pub placer: Option<String>,
    /// Clock in hertz that such a design reaches, aimed at in place of the device's `aim_hz`: nextpnr's router then takes
    /// nets apart that miss it until none does, which ends where the aim can be met and nowhere else.
    #[serde(default)]
    pub reach_hz: Option<u32>,
}

/// A board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name on the command line.
    pub name: String,
    /// Name in tables.
    pub title: String,
    /// Which published constraint file the pins were taken from, and its revision.
    pub source: String,
    /// The crystal, in hertz.
    pub clock_hz: u32,
    /// Whether the crystal's pin is a phase-locked loop's own, which then has to take it from there (iCE40: `SB_PLL40_PAD`).
    #[serde(default)]
    pub pll_at_pin: bool,
    /// Clock of the machine in hertz, made by a phase-locked loop; none where the crystal clocks it.
    #[serde(skip)]
    pub pll_hz: Option<u32>,
    /// The FPGA.
    pub device: Device,
    /// The gateware's pins.
    pub pins: Pins,
    /// Pins held at a constant level.
    #[serde(default)]
    pub tied: Vec<Tied>,
    /// Where the part has logic, if large designs are to be spread over it.
    #[serde(default)]
    pub floorplan: Option<Floorplan>,
    /// Programs that write its memory, the best first.
    #[serde(rename = "loader")]
    pub loaders: Vec<Loader>,
}

/// Largest error of the serial line's speed, in parts of a thousand: a receiver samples the tenth bit of a byte half a
/// bit from its edge, so both ends together may be 5 % apart; the other end needs its share.
const BAUD_ERROR_PER_MILLE: u64 = 20;

const BUILT_IN: [(&str, &str); 4] = [
    ("icebreaker", include_str!("../boards/icebreaker.toml")),
    ("hx8k", include_str!("../boards/hx8k.toml")),
    ("ulx3s", include_str!("../boards/ulx3s.toml")),
    ("colorlight-i5", include_str!("../boards/colorlight-i5.toml")),
];

impl Board {
    /// Names of the boards in `boards/boards/`.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The board of that name in `boards/boards/`, as it stood when this crate was built.
    ///
    /// # Errors
    /// [`BoardError::Unknown`] lists the names there are.
    pub fn named(name: &str) -> Result<Self, BoardError> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == name).ok_or_else(|| BoardError::Unknown {
            name: name.to_string(),
            known: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Self::from_toml(name, text)
    }

    /// Read and check a definition; `file` names it in errors.
    ///
    /// # Errors
    /// [`BoardError::Syntax`], [`BoardError::SiteTwice`] or [`BoardError::NoLoader`].
    pub fn from_toml(file: &str, text: &str) -> Result<Self, BoardError> {
        let board: Self = toml::from_str(text).map_err(|e| BoardError::Syntax {
            file: file.to_string(),
            reason: e.to_string().trim().to_string(),
            example: "boards/boards/icebreaker.toml",
        })?;
        if board.loaders.is_empty() {
            return Err(BoardError::NoLoader { board: board.name });
        }
        let mut taken: Vec<(String, String)> = Vec::new();
        let sites = board.wires().into_iter().map(|(port, pin)| (port, pin.site.clone()));
        for (port, site) in sites.chain(board.tied.iter().map(|t| (t.port.clone(), t.site.clone()))) {
            if let Some((first, _)) = taken.iter().find(|(_, other)| *other == site) {
                return Err(BoardError::SiteTwice {
                    board: board.name.clone(),
                    site,
                    first: first.clone(),
                    second: port,
                });
            }
            taken.push((port, site));
        }
        Ok(board)
    }

    /// Every wire of the gateware by its port's name in `board_top`, with its pin.
    pub fn wires(&self) -> Vec<(String, &Pin)> {
        let pins = &self.pins;
        let single = [
            ("clock", &pins.clock),
            ("uart_rx", &pins.uart_rx),
            ("uart_tx", &pins.uart_tx),
            ("start_switch", &pins.start_switch),
            ("reset_button", &pins.reset_button),
        ];
        let leds = pins.leds.iter().enumerate().map(|(bit, pin)| (format!("leds[{bit}]"), pin));
        single.into_iter().map(|(port, pin)| (port.to_string(), pin)).chain(leds).collect()
    }

    /// The same board, whose machine a phase-locked loop clocks at `hz`; its crystal's own frequency needs none.
    #[must_use]
    pub fn clocked_at(self, hz: u32) -> Self {
        Self { pll_hz: (hz != self.clock_hz).then_some(hz), ..self }
    }

    /// What clocks the machine, in hertz: the phase-locked loop if there is one, else the crystal.
    pub fn machine_hz(&self) -> u32 {
        self.pll_hz.unwrap_or(self.clock_hz)
    }

    /// The machine as it is on this board: at the board's clock and the machine's own baud rate.
    ///
    /// # Errors
    /// [`BoardError::Baud`] if no whole number of clocks is close enough to a bit.
    pub fn adapt(&self, machine: &Machine) -> Result<Machine, BoardError> {
        let mut adapted = machine.clone();
        let clock_hz = self.machine_hz();
        adapted.link.clock_hz = clock_hz;
        let clocks = adapted.link.clocks_per_bit();
        let (wanted, made) = (u64::from(machine.link.baud), u64::from(clock_hz) / u64::from(clocks.max(1)));
        if clocks < 4 || wanted.abs_diff(made) * 1000 > wanted * BAUD_ERROR_PER_MILLE {
            return Err(BoardError::Baud {
                machine: machine.name.clone(),
                baud: machine.link.baud,
                board: self.name.clone(),
                board_hz: clock_hz,
                clocks,
                made,
            });
        }
        Ok(adapted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn board_built_in_all_parse_and_answer_to_their_file_name() {
        for name in Board::names() {
            assert_eq!(Board::named(name).unwrap().name, name);
        }
        assert_eq!(
            Board::named("basys").unwrap_err().to_string(),
            "no board is called basys; there are: icebreaker, hx8k, ulx3s, colorlight-i5"
        );
    }

    #[test]
    fn board_with_one_site_twice_is_refused() {
        let text = include_str!("../boards/icebreaker.toml").replace("site = \"9\"", "site = \"6\"");
        let error = Board::from_toml("icebreaker", &text).unwrap_err();
        assert_eq!(
            error,
            BoardError::SiteTwice {
                board: "icebreaker".into(),
                site: "6".into(),
                first: "uart_rx".into(),
                second: "uart_tx".into()
            }
        );
    }

    #[test]
    fn board_without_a_loader_is_refused() {
        let text = include_str!("../boards/icebreaker.toml");
        let (before, _) = text.split_once("[[loader]]").unwrap();
        let error = Board::from_toml("x", &format!("loader = []\n{before}")).unwrap_err();
        assert_eq!(error, BoardError::NoLoader { board: "icebreaker".into() });
    }

    #[test]
    fn board_with_eight_leds_is_refused() {
        let text = include_str!("../boards/icebreaker.toml").replace("    { site = \"26\", label = \"LED1\" },\n", "");
        assert!(matches!(Board::from_toml("x", &text), Err(BoardError::Syntax { .. })));
    }

    #[test]
    fn board_adapts_a_machine_to_its_crystal_or_names_the_baud_rate() {
        let mut machine = Machine::named("digits").unwrap();
        let (ice, ulx) = (Board::named("icebreaker").unwrap(), Board::named("ulx3s").unwrap());
        assert_eq!(ice.adapt(&machine).unwrap().link.clocks_per_bit(), 12);
        let adapted = ulx.adapt(&machine).unwrap();
        assert_eq!((adapted.link.clock_hz, adapted.link.clocks_per_bit()), (25_000_000, 25));
        machine.link.baud = 1_843_200;
        // 25 MHz / 14 is 3.1 % slow; 12 MHz / 7 is 7 % slow.
        assert_eq!(
            ulx.adapt(&machine).unwrap_err().to_string(),
            "machine digits wants 1843200 baud, board ulx3s has a clock of 25000000 Hz, and 14 clocks a bit make 1785714 \
             baud; choose a baud rate within 2 % of a whole number of at least 4 clocks"
        );
        machine.link.baud = 6_000_000;
        assert!(ice.adapt(&machine).is_err(), "two clocks a bit are too few");
    }
}
