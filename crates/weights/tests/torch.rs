//! Hostile and old PyTorch files: each is refused for what it is before it costs memory.

use std::io::Write;
use std::path::{Path, PathBuf};

use weights::WeightsFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A zip archive with `entries`, compressed where asked.
fn archive(path: &Path, entries: &[(&str, &[u8])], method: CompressionMethod) -> PathBuf {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path.to_path_buf()
}

/// What protocol 2 of Python's `pickle` makes of a dictionary with one f32 tensor `a` on a storage
/// of `stored` values; as the pickler of `torch.save` writes it.
fn one_tensor(shape: &[i32], stride: &[i32], stored: i32) -> Vec<u8> {
    let mut pickle = b"\x80\x02}X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n((".to_vec();
    let text =
        |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let number = |number: i32| [b"J", &number.to_le_bytes()[..]].concat();
    let tuple = |numbers: &[i32]| {
        let numbers: Vec<u8> = numbers.iter().flat_map(|n| number(*n)).collect();
        [b"(", &numbers[..], b"t"].concat()
    };
    pickle.extend(text("storage"));
    pickle.extend(b"ctorch\nFloatStorage\n");
    pickle.extend([text("0"), text("cpu"), number(stored)].concat());
    pickle.extend(b"tQK\x00");
    pickle.extend([tuple(shape), tuple(stride)].concat());
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    pickle
}

fn error(path: &Path) -> String {
    let error = WeightsFile::open(path).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    error
}

#[test]
fn open_a_plain_checkpoint_gives_its_tensor() {
    let at = tempfile::tempdir().unwrap();
    let values: Vec<u8> = [1f32, 2.0, 3.0, 4.0].iter().flat_map(|v| v.to_le_bytes()).collect();
    let pickle = one_tensor(&[2, 2], &[1, 2], 4);
    let entries: [(&str, &[u8]); 2] = [("m/data.pkl", &pickle), ("m/data/0", &values)];
    let path = archive(&at.path().join("a.pt"), &entries, CompressionMethod::Stored);
    let file = WeightsFile::open(&path).unwrap();
    let tensors = file.tensors();
    assert_eq!(tensors["a"].shape(), [2, 2]);
    assert_eq!(tensors["a"].to_f32().unwrap().unwrap(), [1., 3., 2., 4.]);
}

#[test]
fn open_what_claims_more_than_the_file_has_is_refused() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("a.pt");
    // One stored value, repeated for 8 GB by strides of 0.
    let pickle = one_tensor(&[1 << 16, 1 << 15], &[0, 0], 1);
    let entries: [(&str, &[u8]); 2] = [("m/data.pkl", &pickle), ("m/data/0", &[0; 4])];
    archive(&path, &entries, CompressionMethod::Stored);
    let message = error(&path);
    assert!(message.contains("[65536, 32768] claims 8589934592 bytes"), "{message}");
    // A hundred thousand bytes that unfold to a description of 30 MiB.
    let unfolding = vec![b'N'; 30 << 20];
    archive(&path, &[("m/data.pkl", &unfolding)], CompressionMethod::Deflated);
    assert!(std::fs::metadata(&path).unwrap().len() < 100_000);
    let message = error(&path);
    assert!(message.contains("`m/data.pkl` claims 31457280 bytes"), "{message}");
}

#[test]
fn open_a_second_description_is_refused_wherever_it_stands() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("a.pt");
    let (good, bad) = (one_tensor(&[1], &[1], 1), b"cos\nsystem\n.".to_vec());
    let data: &[u8] = &[0; 4];
    for entries in [
        [("long/data.pkl", &good[..]), ("m/data.pkl", &bad), ("m/data/0", data)],
        [("m/data.pkl", &good), ("data.pkl", &bad), ("m/data/0", data)],
        [("data.pkl", &bad), ("m/data.pkl", &good), ("m/data/0", data)],
    ] {
        archive(&path, &entries, CompressionMethod::Stored);
        let message = error(&path);
        assert!(message.contains("both") && message.contains("data.pkl"), "{message}");
    }
    archive(&path, &[("m/data.pkl", &bad), ("m/data/0", data)], CompressionMethod::Stored);
    assert!(error(&path).contains("`os.system`"));
    archive(&path, &[("m/data/0", data)], CompressionMethod::Stored);
    assert!(error(&path).contains("no `data.pkl`"));
}

#[test]
fn open_old_pickles_and_other_files_are_called_what_they_are() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("weights.safetensors");
    let tar = [&[b'a'; 257][..], b"ustar", &[0; 250]].concat();
    for (bytes, words) in [
        (
            &b"(dp0\nV0\ncos\nsystem\n."[..],
            "a PyTorch checkpoint that can be read: the pickle imports",
        ),
        (b"\x80\x02}q\x00.", "a PyTorch checkpoint that can be read: it holds no tensors"),
        (&tar, "from before 2017"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs"),
        (b"<!doctype html><html></html>", "HTML"),
        (b"GGUF\x03\x00\x00\x00\x00\x00\x00\x00", "GGUF"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let message = error(&path);
        assert!(message.contains(words) && !message.contains("header"), "{message}");
    }
}
