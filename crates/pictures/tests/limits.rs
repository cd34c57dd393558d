//! Files that ask for more than they are worth, and files that are none.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pictures::{DecodeError, Limits, PictureError, RgbImage};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// A file with a header of another size, and the bytes around it as they were.
fn claiming(name: &str, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(data(name)).unwrap();
    if name.ends_with(".jpg") {
        let frame = bytes.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 7].copy_from_slice(&(height as u16).to_be_bytes());
        bytes[frame + 7..frame + 9].copy_from_slice(&(width as u16).to_be_bytes());
    } else {
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let checksum = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[test]
fn headers_that_ask_for_too_much_are_refused_at_once() {
    for (name, width, height) in [
        ("colour.jpg", 30_000, 30_000),
        ("colour.jpg", 65_535, 65_535),
        ("grey.jpg", 65_535, 65_535),
        ("rgba.png", 30_000, 30_000),
        ("rgba.png", 1, 2_000_000),
        ("rgba.png", 2_000_000_000, 1),
        ("grey16.png", u32::MAX >> 1, u32::MAX >> 1),
    ] {
        let start = Instant::now();
        let error = RgbImage::decode(&claiming(name, width, height)).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge { .. }), "{name}: {error}");
        let message = error.to_string();
        assert!(message.contains(&format!("{width}×{height}")), "{message}");
        assert!(start.elapsed() < Duration::from_secs(1), "{name}");
    }
}

#[test]
fn limits_can_be_set() {
    let path = data("colour.jpg");
    let bytes = 24 * 16 * 3;
    let open = |max_side, max_bytes| RgbImage::open_within(&path, Limits { max_side, max_bytes });
    assert!(open(24, bytes).is_ok());
    for error in [open(23, bytes).unwrap_err(), open(24, bytes - 1).unwrap_err()] {
        assert!(error.to_string().contains("colour.jpg"), "{error}");
        assert!(error.to_string().contains("24×16"), "{error}");
    }
}

#[test]
fn files_that_hold_no_picture_are_named_with_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.png");
    let whole = |name: &str| std::fs::read(data(name)).unwrap();
    for (content, word) in [
        (Vec::new(), "found nothing"),
        (b"GIF89a..".to_vec(), "GIF89a"),
        (whole("rgba.png")[..60].to_vec(), "unreadable PNG"),
        (whole("colour.jpg")[..200].to_vec(), "unreadable JPEG"),
        (whole("lossless.webp")[..30].to_vec(), "unreadable WebP"),
    ] {
        std::fs::write(&path, content).unwrap();
        let message = RgbImage::open(&path).unwrap_err().to_string();
        assert!(message.contains("broken.png") && message.contains(word), "{message}");
    }
    for absent in [folder.path().join("absent.png"), folder.path().to_path_buf()] {
        assert!(matches!(RgbImage::open(absent), Err(PictureError::File(_))));
    }
}

/// Its palette has 11 bytes, which are no whole number of colours.
#[test]
fn palettes_that_are_no_colours_are_refused() {
    let error = RgbImage::open(data("broken_palette.png")).unwrap_err().to_string();
    assert!(error.contains("broken_palette.png"), "{error}");
    assert!(error.contains("1 to 256 colours, found 11 bytes"), "{error}");
}
