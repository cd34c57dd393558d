//! What a pickle would import, read without running anything.
//!
//! `torch.load` builds objects by calling whatever a pickle names. The reader of PyTorch files
//! calls nothing, but a file that names anything beyond tensors and plain containers is refused
//! all the same: it was not made by saving a `state_dict`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest description of tensors that is read; real ones have some hundred kilobytes.
const MAX_PICKLE: u64 = 256 << 20;

/// The names a saved `state_dict` consists of.
fn is_known(module: &str, name: &str) -> bool {
    match module {
        "torch" => name.ends_with("Storage") || matches!(name, "Size" | "device" | "dtype"),
        "torch.storage" => matches!(name, "TypedStorage" | "UntypedStorage"),
        "torch._utils" => {
            matches!(name, "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_parameter")
        }
        "torch.nn.parameter" => name == "Parameter",
        "collections" => matches!(name, "OrderedDict" | "defaultdict"),
        _ => false,
    }
}

/// Reads every import in the pickle of a PyTorch file, zip archive or legacy stream.
///
/// # Errors
/// What is wrong with the file, or the first name in it that is not one of a `state_dict`.
pub(crate) fn check_imports(path: &Path) -> Result<(), String> {
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut start = [0; 4];
    file.read_exact(&mut start).map_err(|error| error.to_string())?;
    if start == *b"PK\x03\x04" {
        return Walker { bytes: &zipped(path)?, at: 0 }.check(1);
    }
    // A legacy file is five pickles (magic number, protocol, system, object, storage keys) before
    // the tensors' bytes; a plain pickle is one.
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_PICKLE).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Walker { bytes: &bytes, at: 0 }.check(5)
}

/// The `data.pkl` of a zip archive.
fn zipped(path: &Path) -> Result<Vec<u8>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut archive = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
        .map(std::borrow::Cow::into_owned)
        .ok_or("the archive holds no `data.pkl`")?;
    let entry = archive.by_name(&name).map_err(|error| error.to_string())?;
    if entry.size() > MAX_PICKLE {
        return Err(format!("`{name}` of {} bytes is too large", entry.size()));
    }
    let mut bytes = Vec::new();
    entry.take(MAX_PICKLE).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Steps through the operations of a pickle; arguments are passed over, names are checked.
struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walker<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("the pickle is truncated")?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, String> {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(self.take(bytes)?);
        usize::try_from(u64::from_le_bytes(value)).map_err(|error| error.to_string())
    }

    /// Bytes behind a length of `bytes` bytes.
    fn counted(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let count = self.number(bytes)?;
        self.take(count)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let length =
            rest.iter().position(|byte| *byte == b'\n').ok_or("the pickle is truncated")?;
        let line = &self.take(length + 1)?[..length];
        std::str::from_utf8(line).map_err(|error| error.to_string())
    }

    fn check(&mut self, pickles: usize) -> Result<(), String> {
        for pickle in 0..pickles {
            if pickle > 0 && self.at == self.bytes.len() {
                break;
            }
            self.pickle()?;
        }
        Ok(())
    }

    fn pickle(&mut self) -> Result<(), String> {
        // The latest two strings, which is where protocol 4 keeps an import's module and name.
        let mut strings: [&str; 2] = ["", ""];
        loop {
            let operation = self.take(1)?[0];
            match operation {
                b'.' => return Ok(()),
                b'c' => check(self.line()?, self.line()?)?,
                0x93 => check(strings[0], strings[1])?,
                b'X' | 0x8c | 0x8d => {
                    let width = match operation {
                        b'X' => 4,
                        0x8c => 1,
                        _ => 8,
                    };
                    let text = std::str::from_utf8(self.counted(width)?);
                    strings = [strings[1], text.map_err(|error| error.to_string())?];
                }
                // A string from the memo may stand where an import looks; its text is not known.
                b'g' | b'h' | b'j' => {
                    self.argument(operation)?;
                    strings = [strings[1], "?"];
                }
                b'i' | b'o' | 0x82..=0x84 | 0x92 => {
                    return Err(format!("the pickle's operation 0x{operation:02x} builds objects"));
                }
                _ => self.argument(operation)?,
            }
        }
    }

    /// Passes over the argument of an operation that names nothing.
    fn argument(&mut self, operation: u8) -> Result<(), String> {
        match operation {
            b'F' | b'I' | b'L' | b'P' | b'S' | b'V' | b'g' | b'p' => drop(self.line()?),
            b'K' | b'h' | b'q' | 0x80 => drop(self.take(1)?),
            b'M' => drop(self.take(2)?),
            b'J' | b'j' | b'r' => drop(self.take(4)?),
            b'G' | 0x95 => drop(self.take(8)?),
            b'U' | b'C' | 0x8a => drop(self.counted(1)?),
            b'T' | b'B' | 0x8b => drop(self.counted(4)?),
            0x8e | 0x96 => drop(self.counted(8)?),
            b'('
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'Q'
            | b'R'
            | b'a'
            | b'b'
            | b'd'
            | b'}'
            | b'e'
            | b'l'
            | b']'
            | b's'
            | b't'
            | b')'
            | b'u'
            | 0x81
            | 0x85..=0x89
            | 0x8f..=0x91
            | 0x94 => {}
            other => return Err(format!("0x{other:02x} is no operation of a pickle")),
        }
        Ok(())
    }
}

fn check(module: &str, name: &str) -> Result<(), String> {
    if is_known(module, name) {
        return Ok(());
    }
    Err(format!(
        "the pickle imports `{module}.{name}`; expected nothing but tensors and plain containers \
         (save a `state_dict`, or convert the file to safetensors)"
    ))
}

#[cfg(test)]
mod tests {
    use super::Walker;

    fn check(bytes: &[u8]) -> Result<(), String> {
        Walker { bytes, at: 0 }.check(5)
    }

    #[test]
    fn imports_of_code_are_refused_in_every_spelling() {
        assert!(check(b"\x80\x02ccollections\nOrderedDict\n)R.").is_ok());
        let bad: [&[u8]; 5] = [
            b"cos\nsystem\n(S'echo x'\ntR.",
            b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x01x\x85R.",
            b"\x80\x04\x8c\x05torch\x94\x8c\x05dtype\x94h\x00h\x01\x93.",
            b"(ios\nsystem\n.",
            b"\x80\x02}.cos\nsystem\n(tR.",
        ];
        for bytes in bad {
            assert!(check(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn truncation_anywhere_is_an_error() {
        let whole = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01ctorch\nFloatStorage\nq\x02s.";
        assert!(check(whole).is_ok());
        for end in 0..whole.len() {
            assert!(check(&whole[..end]).is_err(), "{end}");
        }
    }
}
