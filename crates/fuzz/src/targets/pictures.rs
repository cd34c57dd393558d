//! Pictures, what is written in them, and sets of them.

use std::path::Path;

use pictures::{Dataset, RgbImage, png_text};
use pipeline::PictureRecord;

use super::{accepted, alone, files, path};
use crate::target::{Form, Target, Verdict};

/// What a decoded picture may take: default limits allow 512 MiB, beside which stand the decoder's
/// own rows and the converted pixels.
const ROOM: u64 = 2 << 30;

/// Readers of pictures.
pub fn targets() -> Vec<Target> {
    let picture =
        |name, file, form, seeds| Target { room: ROOM, ..alone(name, file, form, seeds, picture) };
    vec![
        picture("png", "a.png", Form::Png, pngs),
        picture("jpeg", "a.jpg", Form::Bytes, jpegs),
        picture("webp", "a.webp", Form::Bytes, webps),
        alone("png-record", "a.png", Form::Png, recorded, |path| {
            // Another text may be broken beside a record that is whole, a picture's head may not.
            let head = png_text(path, "a keyword of no text");
            match (head, png_text(path, "parameters"), PictureRecord::of_png(path)) {
                (Err(_), _, Ok(_)) => Verdict::Broken("a record without a picture".into()),
                (_, Err(_), Err(_)) => Verdict::Refused,
                _ => Verdict::Accepted,
            }
        }),
        alone("picture-record", "a.json", Form::Json, records, |path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            record(&text)
        }),
        Target {
            beside: |folder| {
                let name = "food_banana_flat.png";
                std::fs::copy(path("models/emoji-sd/validation").join(name), folder.join(name))?;
                Ok(())
            },
            ..alone("dataset", "metadata.jsonl", Form::Text, rows, |path| {
                accepted(Dataset::open(path.parent().unwrap_or(path)))
            })
        },
    ]
}

fn of_pictures(names: &[&str]) -> anyhow::Result<Vec<Vec<u8>>> {
    let names: Vec<String> =
        names.iter().map(|name| format!("crates/pictures/tests/data/{name}")).collect();
    files(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn pngs() -> anyhow::Result<Vec<Vec<u8>>> {
    of_pictures(&[
        "bilevel.png",
        "grey16.png",
        "grey_alpha.png",
        "palette.png",
        "rgba.png",
        "broken_palette.png",
        "turned.png",
    ])
}

fn jpegs() -> anyhow::Result<Vec<Vec<u8>>> {
    of_pictures(&["colour.jpg", "grey.jpg", "ink.jpg", "progressive.jpg", "turned.jpg"])
}

fn webps() -> anyhow::Result<Vec<Vec<u8>>> {
    of_pictures(&["lossless.webp"])
}

const RECORD: &str = r#"{"prompt": "p", "negative_prompt": null, "seed": 1, "steps": 2,
    "guidance_scale": 3.0, "scheduler": "DDIMScheduler", "size": [8, 8], "model": "m",
    "model_sha256": "0123abcd", "version": "0.1.0", "intervention": {"weights": [[1.0]]},
    "image": {"sha256": "ab", "noised": {"strength": 0.5}}, "dtype": "f32", "device": "cpu"}"#;

fn records() -> anyhow::Result<Vec<Vec<u8>>> {
    Ok(vec![RECORD.into()])
}

fn recorded() -> anyhow::Result<Vec<Vec<u8>>> {
    let picture = RgbImage { width: 1, height: 2, rgb: vec![1, 2, 3, 4, 5, 6] };
    let texts = [("parameters", "a cat\nSteps: 2, Seed: 1"), ("unet-reweight", RECORD)];
    let other = [("parameters", "ein Bär ★"), ("unet-reweight", RECORD)];
    Ok(vec![picture.to_png(&texts)?, picture.to_png(&other)?])
}

fn rows() -> anyhow::Result<Vec<Vec<u8>>> {
    let row = r#"{"file_name": "food_banana_flat.png", "text": "flat icon of a banana",
        "caption": "a banana", "style": "flat"}"#;
    Ok(vec![row.replace('\n', "").into()])
}

/// What is accepted has as many bytes as its sides say, also turned upright, and is the same when
/// written and read.
fn picture(path: &Path) -> Verdict {
    let Ok(picture) = RgbImage::open(path) else { return Verdict::Refused };
    let (bytes, [height, width]) = (picture.rgb.len(), picture.size());
    if bytes != 3 * width * height {
        return Verdict::Broken(format!("{width}×{height} pixels in {bytes} bytes"));
    }
    match RgbImage::open_upright(path) {
        Ok(upright) if upright.rgb.len() == bytes => {}
        upright => return Verdict::Broken(format!("upright: {:?}", upright.map(|one| one.size()))),
    }
    // Larger ones take longer than they tell.
    if bytes > 1 << 20 || bytes == 0 {
        return Verdict::Accepted;
    }
    let again = picture.to_png(&[]).map(|png| RgbImage::decode(&png));
    Verdict::holds(matches!(&again, Ok(Ok(again)) if *again == picture), || {
        format!("{width}×{height} pixels differ when written and read again")
    })
}

/// What is accepted is the same when written and read again, also in a picture.
fn record(text: &str) -> Verdict {
    let Ok(record) = serde_json::from_str::<PictureRecord>(text) else { return Verdict::Refused };
    let written = serde_json::to_string(&record).unwrap_or_default();
    let again = serde_json::from_str::<PictureRecord>(&written);
    if !again.as_ref().is_ok_and(|again| *again == record) {
        return Verdict::Broken(format!("written and read again: {again:?} for {record:?}"));
    }
    let pixel = RgbImage { width: 1, height: 1, rgb: vec![0; 3] };
    accepted(record.to_png(&pixel))
}
