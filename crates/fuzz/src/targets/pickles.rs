//! PyTorch checkpoints of one tensor, as `torch.save` writes them.

use zip::CompressionMethod;

use crate::archive::pack;

/// Values of the tensor `a`, of shape [2, 2].
const VALUES: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn number(number: u8) -> [u8; 2] {
    [b'K', number]
}

/// The dictionary `{"a": tensor}` in protocol 2; the storage of a legacy file has a view's place.
fn object(legacy: bool) -> Vec<u8> {
    let mut pickle =
        [b"\x80\x02}", &text("a")[..], b"ctorch._utils\n_rebuild_tensor_v2\n(("].concat();
    pickle.extend(text("storage"));
    pickle.extend(b"ctorch\nFloatStorage\n");
    pickle.extend([text("0"), text("cpu"), number(4).to_vec()].concat());
    pickle.extend(if legacy { &b"NtQ"[..] } else { b"tQ" });
    pickle.extend(number(0));
    for pair in [[2, 2], [2, 1]] {
        pickle.extend([b"(", &pair.map(number).concat()[..], b"t"].concat());
    }
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    pickle
}

fn values() -> Vec<u8> {
    VALUES.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// An archive, as PyTorch writes it since 1.6.
pub fn zipped() -> anyhow::Result<Vec<u8>> {
    let entries = [
        ("m/data.pkl", object(false)),
        ("m/byteorder", b"little".to_vec()),
        ("m/data/0", values()),
        ("m/version", b"3\n".to_vec()),
    ];
    pack(&entries.map(|(name, bytes)| (name.into(), bytes)), CompressionMethod::Stored)
}

/// Pickles one after the other, as before 1.6: magic number, protocol, system, object, keys of the
/// storages; then each storage's length and values.
pub fn legacy() -> Vec<u8> {
    let system = [b"\x80\x02}", &text("little_endian")[..], b"\x88s."].concat();
    let keys = [b"\x80\x02]", &text("0")[..], b"a."].concat();
    [
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
        &b"\x80\x02M\xe9\x03."[..],
        &system,
        &object(true),
        &keys,
        &(VALUES.len() as u64).to_le_bytes(),
        &values(),
    ]
    .concat()
}
