//! What a pickle would import, found by running its operations on a stack without values.
//!
//! `torch.load` builds objects by calling whatever a pickle names. The reader of PyTorch files
//! calls nothing, but a file that names anything beyond tensors and plain containers is refused
//! all the same: it was not made by saving a `state_dict`.
//!
//! Every operation has its true effect on stack and memo, so that an import whose names come from
//! anywhere, however often they were moved, is seen as what it is. Operations are those of
//! CPython's `Lib/pickletools.py`; those that no `state_dict` needs are refused.

mod input;
mod machine;

use input::Input;
use machine::Machine;

/// The names a saved `state_dict` consists of.
fn is_known(module: &str, name: &str) -> bool {
    match module {
        "torch" => {
            const TYPES: [&str; 13] = [
                "BFloat16",
                "Bool",
                "Byte",
                "Char",
                "ComplexDouble",
                "ComplexFloat",
                "Double",
                "Float",
                "Half",
                "Int",
                "Long",
                "Short",
                "Untyped",
            ];
            name.strip_suffix("Storage").is_some_and(|kind| TYPES.contains(&kind))
                || matches!(name, "Size" | "device" | "dtype")
        }
        "torch.storage" => matches!(name, "TypedStorage" | "UntypedStorage"),
        "torch._utils" => {
            matches!(name, "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_parameter")
        }
        "torch.nn.parameter" => name == "Parameter",
        "collections" => matches!(name, "OrderedDict" | "defaultdict"),
        _ => false,
    }
}

/// Runs up to `count` pickles that stand one after the other in `bytes`.
///
/// # Errors
/// What is wrong with a pickle, or the first name in it that is not one of a `state_dict`.
pub(crate) fn check_pickles(bytes: &[u8], count: usize) -> Result<(), String> {
    let mut input = Input(bytes);
    for _ in 0..count {
        Machine::default().run(&mut input)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check_pickles;

    fn check(bytes: &[u8]) -> Result<(), String> {
        check_pickles(bytes, 1)
    }

    #[test]
    fn imports_of_code_are_refused_in_every_spelling() {
        assert!(check(b"\x80\x02ccollections\nOrderedDict\n)R.").is_ok());
        let bad: [(&[u8], &str); 8] = [
            (b"cos\nsystem\n(U\x06echo xtR.", "`os.system`"),
            (b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94\x93\x8c\x01x\x85R.", "`posix.system`"),
            // The names were pushed long before, under others, and are found by popping these.
            (
                b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x0bcollections\x8c\x0bOrderedDict00\x93.",
                "`os.system`",
            ),
            // They come from the memo while harmless ones are the latest strings.
            (
                b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x05torch0\x8c\x04Size0h\x00h\x01\x93.",
                "`os.system`",
            ),
            // A mark and what is above it hide them.
            (b"\x80\x04\x8c\x02os\x8c\x06system(\x8c\x05torch\x8c\x04Size1\x93.", "`os.system`"),
            // A name that is spelled with an escape.
            (b"V\\u006fs\nVsystem\n\x93.", "no text"),
            (b"\x80\x02}\x8c\x05torch\x8c\x04Size\x930\x8c\x01xN\x93.", "no text"),
            (b"(ios\nsystem\n.", "0x69"),
        ];
        for (bytes, words) in bad {
            let error = check(bytes).unwrap_err();
            assert!(error.contains(words), "{}: {error}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn calls_of_what_was_not_imported_are_refused() {
        for bytes in [&b"]N\x81."[..], b"]NR.", b"\x80\x04ctorch\nSize\n)R)R.", b"N)\x92."] {
            assert!(check(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn imports_from_stack_and_memo_are_followed_where_they_are_harmless() {
        check(b"\x80\x04\x8c\x05torch\x94\x8c\x05dtype\x94h\x00h\x01\x93000.").unwrap_err();
        check(b"\x80\x04\x8c\x05torch\x94\x8c\x05dtype\x94h\x00h\x01\x93.").unwrap();
    }

    #[test]
    fn only_as_many_pickles_as_asked_for_are_run() {
        let two = b"\x80\x02}.cos\nsystem\n.";
        assert!(check_pickles(two, 1).is_ok() && check_pickles(two, 2).is_err());
    }

    #[test]
    fn truncation_anywhere_is_an_error() {
        let whole = b"\x80\x02}q\x00X\x01\x00\x00\x00aq\x01ctorch\nFloatStorage\nq\x02s.";
        assert!(check(whole).is_ok());
        for end in 0..whole.len() {
            assert!(check(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn millions_of_values_in_a_few_bytes_are_refused() {
        for operation in [b'N', b'(', b'2'] {
            let mut bytes = vec![b'N'];
            bytes.resize(5 << 20, operation);
            assert!(check(&bytes).unwrap_err().contains("more than"));
        }
    }
}
