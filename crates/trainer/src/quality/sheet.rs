//! Many pictures in one.

use pictures::RgbImage;

/// White pixels between pictures.
const GAP: usize = 2;

/// The pictures of each row beside each other, the rows below each other, on white.
///
/// All pictures have one size; rows may be of different lengths.
pub fn sheet(rows: &[Vec<RgbImage>]) -> RgbImage {
    let [height, width] = rows.iter().flatten().next().map_or([0, 0], RgbImage::size);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut sheet = RgbImage {
        width: columns * (width + GAP),
        height: rows.len() * (height + GAP),
        rgb: Vec::new(),
    };
    sheet.rgb = vec![255; 3 * sheet.width * sheet.height];
    for (row, pictures) in rows.iter().enumerate() {
        for (column, picture) in pictures.iter().enumerate() {
            for (y, line) in picture.rgb.chunks_exact(3 * width).enumerate() {
                let top = row * (height + GAP) + y;
                let start = 3 * (top * sheet.width + column * (width + GAP));
                sheet.rgb[start..start + line.len()].copy_from_slice(line);
            }
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sheet_puts_pictures_in_their_places() {
        let picture = |value: u8| RgbImage { width: 2, height: 1, rgb: vec![value; 6] };
        let sheet = sheet(&[vec![picture(1)], vec![picture(2), picture(3)]]);
        assert_eq!((sheet.width, sheet.height), (8, 6));
        sheet.check().unwrap();
        let at = |x: usize, y: usize| sheet.rgb[3 * (y * 8 + x)];
        assert_eq!([at(0, 0), at(1, 0), at(2, 0), at(4, 0)], [1, 1, 255, 255]);
        assert_eq!([at(0, 3), at(3, 3), at(4, 3), at(5, 3), at(0, 4)], [2, 255, 3, 3, 255]);
    }
}
