//! numpy's `.npy` files (`numpy.lib.format`, versions 1 to 3): a header that is a Python
//! dictionary, then the elements.

use std::io::Read;

/// Longest header, in bytes; numpy itself reads no longer ones.
const LONGEST_HEADER: usize = 10_000;
/// Most bytes of elements, enough for a covariance of 11,585 dimensions.
const MOST_BYTES: usize = 1 << 30;
/// Headers are filled up to a multiple of this.
const ALIGNMENT: usize = 64;
const MAGIC: &[u8] = b"\x93NUMPY";

/// An array, its last index running fastest.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f64>,
}

#[derive(Debug, Clone, PartialEq)]
struct Header {
    kind: Kind,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// The element types that are read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    F4,
    F8,
    I8,
}

impl Kind {
    fn of(descr: &str) -> Result<Self, String> {
        match descr {
            "<f4" => Ok(Self::F4),
            "<f8" => Ok(Self::F8),
            "<i8" => Ok(Self::I8),
            other => {
                Err(format!("expected elements \"<f4\", \"<f8\" or \"<i8\", found \"{other}\""))
            }
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::F4 => 4,
            Self::F8 | Self::I8 => 8,
        }
    }

    fn values(self, bytes: &[u8]) -> Vec<f64> {
        let eight = |bytes: &[u8]| bytes.try_into().unwrap_or([0; 8]);
        match self {
            Self::F4 => bytes
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
            Self::F8 => bytes.chunks_exact(8).map(|b| f64::from_le_bytes(eight(b))).collect(),
            Self::I8 => {
                bytes.chunks_exact(8).map(|b| i64::from_le_bytes(eight(b)) as f64).collect()
            }
        }
    }
}

/// Reads an array of numbers; what is wrong, where something is.
pub(super) fn read(mut reader: impl Read) -> Result<Array, String> {
    let mut exactly = |count: usize| -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; count];
        reader.read_exact(&mut bytes).map_err(|error| format!("cut off or damaged: {error}"))?;
        Ok(bytes)
    };
    let start = exactly(MAGIC.len() + 2)?;
    if !start.starts_with(MAGIC) {
        return Err("expected an .npy file, found another".into());
    }
    let length = match start[MAGIC.len()] {
        1 => exactly(2)?.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        2 | 3 => exactly(4)?.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
        other => return Err(format!("expected version 1 to 3 of the format, found {other}")),
    };
    if length > LONGEST_HEADER {
        return Err(format!("expected a header of at most {LONGEST_HEADER} bytes, found {length}"));
    }
    let text = String::from_utf8(exactly(length)?).map_err(|_| "the header is no text")?;
    let Header { kind, fortran_order, shape } = parse(&text)?;
    let count = shape.iter().try_fold(kind.bytes(), |product, length| product.checked_mul(*length));
    let bytes = count
        .filter(|bytes| *bytes <= MOST_BYTES)
        .ok_or_else(|| format!("expected at most {MOST_BYTES} bytes, found the shape {shape:?}"))?;
    let values = kind.values(&exactly(bytes)?);
    match reader.read(&mut [0]) {
        Ok(0) => {}
        Ok(_) => return Err(format!("expected nothing behind the shape {shape:?}, found more")),
        Err(error) => return Err(format!("damaged: {error}")),
    }
    let values = match shape[..] {
        [rows, columns] if fortran_order => (0..rows)
            .flat_map(|row| values.iter().skip(row).step_by(rows).take(columns))
            .copied()
            .collect(),
        _ if fortran_order && shape.len() > 2 => {
            return Err("expected at most two dimensions in Fortran's order".into());
        }
        _ => values,
    };
    Ok(Array { shape, values })
}

/// The file of an array of 64-bit floats.
pub(super) fn write_f64(values: &[f64], shape: &[usize]) -> Vec<u8> {
    write("<f8", shape, values.iter().flat_map(|value| value.to_le_bytes()))
}

/// The file of an array of 64-bit integers.
pub(super) fn write_i64(values: &[i64], shape: &[usize]) -> Vec<u8> {
    write("<i8", shape, values.iter().flat_map(|value| value.to_le_bytes()))
}

fn write(descr: &str, shape: &[usize], elements: impl Iterator<Item = u8>) -> Vec<u8> {
    let lengths: Vec<String> = shape.iter().map(|length| format!("{length},")).collect();
    let mut header = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}), }}",
        lengths.join(" ")
    );
    let before = MAGIC.len() + 4;
    let padded = (before + header.len() + 1).next_multiple_of(ALIGNMENT) - before;
    header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
    header.push('\n');
    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(elements);
    bytes
}

/// Reads `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`: these keys, each once.
fn parse(text: &str) -> Result<Header, String> {
    let broken =
        || format!("expected a header with `descr`, `fortran_order` and `shape`, found {text:?}");
    let (mut kind, mut fortran_order, mut shape) = (None, None, None);
    let mut rest = text.trim().strip_prefix('{').ok_or_else(broken)?.trim_start();
    while !rest.starts_with('}') {
        let (key, after) = quoted(rest).ok_or_else(broken)?;
        let value = after.trim_start().strip_prefix(':').ok_or_else(broken)?.trim_start();
        let after = match key {
            "descr" if kind.is_none() => {
                let (descr, after) = quoted(value).ok_or_else(broken)?;
                kind = Some(Kind::of(descr)?);
                after
            }
            "fortran_order" if fortran_order.is_none() => {
                let (truth, after) = match value.strip_prefix("True") {
                    Some(after) => (true, after),
                    None => (false, value.strip_prefix("False").ok_or_else(broken)?),
                };
                fortran_order = Some(truth);
                after
            }
            "shape" if shape.is_none() => {
                let (inside, after) = value
                    .strip_prefix('(')
                    .and_then(|value| value.split_once(')'))
                    .ok_or_else(broken)?;
                shape = Some(lengths(inside).ok_or_else(broken)?);
                after
            }
            _ => return Err(broken()),
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(after) => after.trim_start(),
            None if after.starts_with('}') => after,
            None => return Err(broken()),
        };
    }
    match (rest, kind, fortran_order, shape) {
        ("}", Some(kind), Some(fortran_order), Some(shape)) => {
            Ok(Header { kind, fortran_order, shape })
        }
        _ => Err(broken()),
    }
}

/// The text in the quotes a text begins with, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

/// `3, 4` or `3,` or nothing; one number without a comma would be no tuple.
fn lengths(text: &str) -> Option<Vec<usize>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let (all_but_last, last) = text.rsplit_once(',')?;
    let parts = all_but_last.split(',').chain(Some(last).filter(|last| !last.trim().is_empty()));
    parts.map(|part| part.trim().parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_read_back() {
        for shape in [vec![], vec![6], vec![2, 3], vec![1, 6, 1]] {
            let count = shape.iter().product::<usize>();
            let values: Vec<f64> = (0..count).map(|i| i as f64 / 3.0).collect();
            let bytes = write_f64(&values, &shape);
            assert_eq!(bytes.len() % ALIGNMENT, 8 * count % ALIGNMENT);
            assert_eq!(read(&bytes[..]).unwrap(), Array { shape, values });
        }
        assert_eq!(read(&write_i64(&[-7], &[])[..]).unwrap().values, [-7.0]);
    }

    fn with_header(version: u8, header: &str, elements: usize) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend([version, 0]);
        let length = (header.len() as u32).to_le_bytes();
        bytes.extend(&length[..if version == 1 { 2 } else { 4 }]);
        bytes.extend(header.bytes());
        bytes.extend(vec![0; elements]);
        bytes
    }

    #[test]
    fn headers_of_every_version_and_spelling_are_read() {
        for (version, header, shape) in [
            (1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }   \n", vec![2]),
            (2, "{\"shape\":(1,2),\"descr\":\"<f4\",\"fortran_order\":True}\n", vec![1, 2]),
            (3, "{'descr': '<i8', 'fortran_order': False, 'shape': (), }\n", vec![]),
        ] {
            let count: usize = shape.iter().product();
            let bytes = if header.contains("f4") { 4 } else { 8 };
            let array = read(&with_header(version, header, count * bytes)[..]).unwrap();
            assert_eq!((array.shape, array.values), (shape, vec![0.0; count]));
        }
    }

    #[test]
    fn broken_headers_and_sizes_are_refused() {
        let plain = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
        for (version, header, elements, word) in [
            (4, plain.to_string(), 16, "version"),
            (1, plain.replace("<f8", ">f8"), 16, ">f8"),
            (1, plain.replace("<f8", "|O"), 16, "|O"),
            (1, plain.replace("(2,)", "(2)"), 16, "shape"),
            (1, plain.replace("(2,)", "(-2,)"), 16, "shape"),
            (1, plain.replace("'shape'", "'descr'"), 16, "header"),
            (1, plain.replace(" 'shape': (2,),", ""), 16, "header"),
            (1, plain.replace('}', ""), 16, "header"),
            (1, format!("{plain} {plain}"), 16, "header"),
            (1, plain.replace("(2,)", "(4294967296, 4294967296)"), 16, "at most"),
            (1, plain.replace("(2,)", "(1000000, 1000000)"), 16, "at most"),
            (2, " ".repeat(20_000), 0, "20000"),
            (1, plain.to_string(), 15, "cut off"),
            (1, plain.to_string(), 17, "more"),
        ] {
            let message = read(&with_header(version, &header, elements)[..]).unwrap_err();
            assert!(message.contains(word), "{header}: {message}");
        }
        assert!(read(&b"PK no array"[..]).unwrap_err().contains("another"));
        assert!(read(&b""[..]).unwrap_err().contains("cut off"));
    }
}
