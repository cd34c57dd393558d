//! Pictures turned as their EXIF data say that they are to be seen.

use std::io::BufReader;
use std::path::Path;

use exif::{In, Reader, Tag};

use crate::{PictureError, RgbImage};

impl RgbImage {
    /// [`Self::open`], then turned as the file's EXIF data say (Pillow's `exif_transpose`, which
    /// diffusers' `load_image` applies): what a camera held sideways has taken stands upright.
    ///
    /// # Errors
    /// As [`Self::open`]; EXIF data that cannot be read turn nothing.
    pub fn open_upright(path: impl AsRef<Path>) -> Result<Self, PictureError> {
        let path = path.as_ref();
        let picture = Self::open(path)?;
        let file = BufReader::new(files::open(path)?);
        let orientation = Reader::new()
            .read_from_container(&mut { file })
            .ok()
            .and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0));
        Ok(match orientation {
            Some(orientation @ 2..=8) => picture.turned(orientation),
            _ => picture,
        })
    }

    /// As it is to be seen: `orientation` is EXIF's, 2 to 8.
    fn turned(&self, orientation: u32) -> Self {
        let [height, width] = self.size();
        let swapped = orientation >= 5;
        let [turned_height, turned_width] = if swapped { [width, height] } else { [height, width] };
        let mut rgb = Vec::with_capacity(self.rgb.len());
        for y in 0..turned_height {
            for x in 0..turned_width {
                let (right, below) = (turned_width - 1 - x, turned_height - 1 - y);
                let (row, column) = match orientation {
                    2 => (y, right),
                    3 => (below, right),
                    4 => (below, x),
                    5 => (x, y),
                    6 => (right, y),
                    7 => (right, below),
                    _ => (x, below),
                };
                rgb.extend_from_slice(&self.rgb[3 * (row * width + column)..][..3]);
            }
        }
        Self { width: turned_width, height: turned_height, rgb }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels by one number each.
    fn picture(rows: &[&[u8]]) -> RgbImage {
        let rgb = rows.iter().flat_map(|row| row.iter().flat_map(|value| [*value; 3])).collect();
        RgbImage { width: rows[0].len(), height: rows.len(), rgb }
    }

    #[test]
    fn turned_is_what_pillow_makes_of_each_orientation() {
        let seen = picture(&[&[0, 1, 2], &[3, 4, 5]]);
        for (orientation, expected) in [
            (2, [&[2, 1, 0][..], &[5, 4, 3][..]].as_slice()),
            (3, [&[5, 4, 3][..], &[2, 1, 0][..]].as_slice()),
            (4, [&[3, 4, 5][..], &[0, 1, 2][..]].as_slice()),
            (5, [&[0, 3][..], &[1, 4][..], &[2, 5][..]].as_slice()),
            (6, [&[3, 0][..], &[4, 1][..], &[5, 2][..]].as_slice()),
            (7, [&[5, 2][..], &[4, 1][..], &[3, 0][..]].as_slice()),
            (8, [&[2, 5][..], &[1, 4][..], &[0, 3][..]].as_slice()),
        ] {
            assert_eq!(seen.turned(orientation), picture(expected), "{orientation}");
        }
    }

    #[test]
    fn open_upright_follows_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let seen = picture(&[&[0, 1, 2], &[3, 4, 5]]);
        seen.save_png(&path, &[]).unwrap();
        assert_eq!(RgbImage::open_upright(&path).unwrap(), seen);
        for (name, first) in [("turned.png", [180, 75, 90]), ("turned.jpg", [148, 98, 71])] {
            let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/");
            let upright = RgbImage::open_upright(format!("{data}{name}")).unwrap();
            assert_eq!(upright.size(), [6, 4], "{name}");
            let near = upright.rgb.iter().zip(first).all(|(a, b)| a.abs_diff(b) < 16);
            assert!(near, "{name}: {:?}", &upright.rgb[..3]);
        }
        // An `eXIf` chunk behind the header: big-endian TIFF with one entry, orientation 6.
        let entry = [1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0];
        let tiff = [b"MM\0*\0\0\0\x08\0\x01".as_slice(), &entry, &[0; 4]].concat();
        let chunk =
            [&(tiff.len() as u32).to_be_bytes(), b"eXIf".as_slice(), &tiff, &[0; 4]].concat();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.splice(33..33, chunk);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(RgbImage::open_upright(&path).unwrap(), picture(&[&[3, 0], &[4, 1], &[5, 2]]));
    }
}
