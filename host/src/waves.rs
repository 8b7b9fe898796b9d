//! Waves of a comparison's lower rung: every block's ports, one time step a clock, as the upper rung's are written.

use std::fs::File;
use std::io::{BufWriter, Result, Write as _};
use std::path::Path;

use bitline_hdl::trace::Port;

/// A VCD file that grows clock by clock.
pub struct Waves {
    file: BufWriter<File>,
    widths: Vec<usize>,
    last: Vec<u64>,
}

impl Waves {
    /// Begin a file with these ports.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(path: &Path, ports: &[Port]) -> Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "$timescale 1ps $end\n$scope module top $end")?;
        let mut open: Vec<&str> = Vec::new();
        for (index, port) in ports.iter().enumerate() {
            let path: Vec<&str> = port.block.split('.').filter(|name| !name.is_empty()).collect();
            let common = open.iter().zip(&path).take_while(|(a, b)| a == b).count();
            for _ in common..open.len() {
                writeln!(file, "$upscope $end")?;
            }
            for name in &path[common..] {
                writeln!(file, "$scope module {name} $end")?;
            }
            writeln!(file, "$var wire {} {} {} $end", port.width, code(index), port.name)?;
            open = path;
        }
        for _ in 0..=open.len() {
            writeln!(file, "$upscope $end")?;
        }
        writeln!(file, "$enddefinitions $end")?;
        Ok(Self { file, widths: ports.iter().map(|port| port.width).collect(), last: Vec::new() })
    }

    /// Write what is new in a clock.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn clock(&mut self, clock: u64, values: &[u64]) -> Result<()> {
        writeln!(self.file, "#{clock}")?;
        let mut at = 0;
        for (index, width) in self.widths.iter().enumerate() {
            let words = at..at + width.div_ceil(64);
            at = words.end;
            if self.last.get(words.clone()) == Some(&values[words.clone()]) {
                continue;
            }
            let value = &values[words];
            let bits = (0..*width).rev().map(|bit| if value[bit / 64] >> (bit % 64) & 1 == 1 { '1' } else { '0' });
            let bits: String = bits.collect();
            match width {
                1 => writeln!(self.file, "{bits}{}", code(index))?,
                _ => writeln!(self.file, "b{bits} {}", code(index))?,
            }
        }
        self.last.clear();
        self.last.extend_from_slice(values);
        Ok(())
    }

    /// Write out what is left.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(mut self) -> Result<()> {
        self.file.flush()
    }
}

/// A signal's short name: the printable characters as digits.
fn code(index: usize) -> String {
    let (mut rest, mut code) = (index, String::new());
    loop {
        code.push(char::from(b'!' + (rest % 94) as u8));
        rest /= 94;
        if rest == 0 {
            return code;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_hold_scopes_and_changes() {
        let port =
            |block: &str, name: &str, width| Port { block: block.into(), name: name.into(), is_output: true, width };
        let ports = [port("", "tx", 1), port("a", "x", 3), port("a.b", "wide", 65), port("c", "y", 1)];
        let path = std::env::temp_dir().join(format!("bitline-waves-{}.vcd", std::process::id()));
        let mut waves = Waves::create(&path, &ports).unwrap();
        waves.clock(0, &[0, 5, 1, 1, 0]).unwrap();
        waves.clock(1, &[1, 5, 1, 1, 0]).unwrap();
        waves.end().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let wide = format!("b1{}1 #", "0".repeat(63));
        let expected = format!(
            "$timescale 1ps $end\n$scope module top $end\n$var wire 1 ! tx $end\n$scope module a $end\n\
             $var wire 3 \" x $end\n$scope module b $end\n$var wire 65 # wide $end\n$upscope $end\n$upscope $end\n\
             $scope module c $end\n$var wire 1 $ y $end\n$upscope $end\n$upscope $end\n$enddefinitions $end\n\
             #0\n0!\nb101 \"\n{wide}\n0$\n#1\n1!\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn codes_differ() {
        let codes: std::collections::HashSet<String> = (0..20_000).map(code).collect();
        assert_eq!(codes.len(), 20_000);
    }
}
