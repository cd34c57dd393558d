//! How long it takes to write, find and list as many records as the largest runs have.

use std::time::Instant;

use super::store::Store;
use crate::plan::Key;

/// Records, and the folders that they fill: 100,000 in 4 lie as close as 6.4 million in 256.
const CASES: [(usize, usize); 2] = [(100_000, 4), (1_000_000, 256)];
/// Records that are looked for.
const SOUGHT: usize = 20_000;

/// `cargo test -p reproduce --lib -- --ignored --nocapture a_million_records`; 4 GiB and some minutes.
#[test]
#[ignore = "writes a million files"]
fn a_million_records_are_found_and_listed() {
    for (records, folders) in CASES {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let key = |number: usize| Key::of(&number.into());
        let prefix = |key: &Key| usize::from_str_radix(&key.as_str()[..2], 16).unwrap();
        let keys: Vec<Key> =
            (0..).map(key).filter(|key| prefix(key) < folders).take(records).collect();
        let timed = |what: &str, count: usize, work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            let seconds = start.elapsed().as_secs_f64();
            let each = seconds / count as f64 * 1e6;
            println!("{folders} folders: {what}: {seconds:.2} s, {each:.1} µs each");
        };
        timed("write", records, &mut || {
            keys.iter().for_each(|key| store.write(key, &[0.5f64, 0.25]).unwrap());
        });
        let sought = || keys.iter().step_by(records / SOUGHT);
        timed("read", SOUGHT, &mut || {
            for key in sought() {
                assert_eq!(store.read(key), Ok(Some([0.5f64, 0.25])));
            }
        });
        timed("miss", SOUGHT, &mut || {
            for key in sought() {
                let other = Key::of(&key.as_str().into());
                assert_eq!(store.read::<[f64; 2]>(&other), Ok(None));
            }
        });
        let list = |folder: &std::path::Path| std::fs::read_dir(folder).unwrap();
        timed("list", records, &mut || {
            let inside = list(folder.path()).map(|entry| list(&entry.unwrap().path()).count());
            assert_eq!(inside.sum::<usize>(), records);
        });
    }
}
