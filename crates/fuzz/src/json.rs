//! Damage to documents that remain documents: values, keys and nesting.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Damages one to four values of a document.
pub fn damage(value: &mut Value, rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..=4) {
        let steps = rng.random_range(0..6);
        once(below(value, steps, rng), rng);
    }
}

/// A value at most `steps` levels down.
fn below<'a>(value: &'a mut Value, steps: usize, rng: &mut ChaCha8Rng) -> &'a mut Value {
    let inner = match value {
        Value::Array(list) if steps > 0 => list.len(),
        Value::Object(map) if steps > 0 => map.len(),
        _ => 0,
    };
    if inner == 0 {
        return value;
    }
    let at = rng.random_range(0..inner);
    match value {
        Value::Array(list) => below(&mut list[at], steps - 1, rng),
        Value::Object(map) => {
            let key = map.keys().nth(at).cloned().unwrap_or_default();
            below(&mut map[&key], steps - 1, rng)
        }
        other => other,
    }
}

fn once(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(map) if !map.is_empty() && rng.random_bool(0.7) => members(map, rng),
        Value::Array(list) if !list.is_empty() && rng.random_bool(0.7) => elements(list, rng),
        Value::Number(number) if rng.random_bool(0.6) => {
            let number = number.as_f64().unwrap_or_default();
            let whole = number.fract() == 0.0 && number.abs() < 1e15;
            let changed = match rng.random_range(0..6) {
                0 => number + 1.0,
                1 => number - 1.0,
                2 => number * 2.0,
                3 => -number,
                4 => number / 3.0,
                _ => number * 1e6,
            };
            *value = match whole && changed.fract() == 0.0 && changed.abs() < 1e15 {
                true => json!(changed as i64),
                false => json!(changed),
            };
        }
        _ => *value = another(rng),
    }
}

fn members(map: &mut Map<String, Value>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..map.len());
    let Some(key) = map.keys().nth(at).cloned() else { return };
    match rng.random_range(0..4) {
        0 => {
            map.remove(&key);
        }
        1 => {
            let value = map.remove(&key).unwrap_or_default();
            let mut name: Vec<char> = key.chars().collect();
            if !name.is_empty() {
                let at = rng.random_range(0..name.len());
                match rng.random() {
                    true => drop(name.remove(at)),
                    false => name.insert(at, ['.', '_', '9', '\u{0}'][rng.random_range(0..4)]),
                }
            }
            map.insert(name.into_iter().collect(), value);
        }
        2 => {
            let other = rng.random_range(0..map.len());
            let value = map.values().nth(other).cloned().unwrap_or_default();
            map.insert(key, value);
        }
        _ => {
            map.insert(key, another(rng));
        }
    }
}

fn elements(list: &mut Vec<Value>, rng: &mut ChaCha8Rng) {
    let at = rng.random_range(0..list.len());
    match rng.random_range(0..4) {
        0 => drop(list.remove(at)),
        1 => {
            let times = 1 << rng.random_range(0..8);
            let value = list[at].clone();
            list.splice(at..at, std::iter::repeat_n(value, times));
        }
        2 => {
            let other = rng.random_range(0..list.len());
            list.swap(at, other);
        }
        _ => list[at] = another(rng),
    }
}

/// A value that hardly anyone expects.
fn another(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..18) {
        0 => Value::Null,
        1 => json!(rng.random::<bool>()),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(u64::MAX),
        5 => json!(i64::MIN),
        6 => json!(1u64 << rng.random_range(0..64)),
        7 => json!(1e308),
        8 => json!(-1e-320),
        9 => json!(0.5),
        10 => json!(""),
        11 => json!("\u{0}\u{1b}[2J\u{202e}"),
        12 => json!("a".repeat(1 << rng.random_range(0..16))),
        13 => json!([]),
        14 => json!({}),
        15 => (0..rng.random_range(1..200)).fold(json!(1), |inner, _| json!([inner])),
        16 => (0..rng.random_range(1..100)).fold(json!(1), |inner, _| json!({"a": inner})),
        _ => json!(rng.random::<f64>() * 10.0),
    }
}
