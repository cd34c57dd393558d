//! The colour that a picture mostly has.

use std::collections::BTreeMap;

/// Share of the foreground that has to be of one colour.
const MOSTLY: f32 = 0.5;
/// Share of a picture that is foreground at least, where a colour is named.
const LEAST_FOREGROUND: f32 = 1.0 / 16.0;

/// The name of the colour that at least half of the foreground has; `None` for pictures of many
/// colours, and for almost empty ones.
///
/// `pixels` are in [-1, 1], channel first, on a white ground.
pub(crate) fn main_colour(pixels: &[f32]) -> Option<&'static str> {
    let count = pixels.len() / 3;
    let mut shares: BTreeMap<&str, usize> = BTreeMap::new();
    for i in 0..count {
        let rgb = [0, 1, 2].map(|channel| 0.5 + 0.5 * pixels[channel * count + i]);
        if rgb.iter().any(|value| *value < 0.95) {
            *shares.entry(name(rgb)).or_default() += 1;
        }
    }
    let foreground: usize = shares.values().sum();
    if (foreground as f32) < LEAST_FOREGROUND * count as f32 {
        return None;
    }
    let mostly = |(_, share): &(&str, usize)| *share as f32 >= MOSTLY * foreground as f32;
    shares.into_iter().find(mostly).map(|(name, _)| name)
}

/// The name of a colour with channels in [0, 1], by hue, saturation and value.
fn name([r, g, b]: [f32; 3]) -> &'static str {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let range = max - min;
    if max < 0.25 {
        return "black";
    }
    if range < 0.15 * max {
        return if max > 0.85 { "white" } else { "grey" };
    }
    // Degrees on the circle of hues, red at 0.
    let hue = match max {
        max if max == r => 60.0 * ((g - b) / range).rem_euclid(6.0),
        max if max == g => 60.0 * ((b - r) / range + 2.0),
        _ => 60.0 * ((r - g) / range + 4.0),
    };
    match hue {
        15.0..45.0 if max < 0.7 => "brown",
        15.0..38.0 => "orange",
        38.0..70.0 => "yellow",
        70.0..165.0 => "green",
        165.0..255.0 => "blue",
        255.0..300.0 => "purple",
        300.0..345.0 => "pink",
        _ => "red",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture of `parts`: a colour with channels in [0, 1], and how many pixels have it.
    fn picture(parts: &[([f32; 3], usize)]) -> Vec<f32> {
        let channel = |channel: usize| {
            parts.iter().flat_map(move |(rgb, count)| vec![2.0 * rgb[channel] - 1.0; *count])
        };
        (0..3).flat_map(channel).collect()
    }

    const WHITE: [f32; 3] = [1.0; 3];

    #[test]
    fn main_colour_names_what_half_of_the_foreground_has() {
        for (rgb, expected) in [
            ([0.9, 0.1, 0.1], "red"),
            ([1.0, 0.5, 0.1], "orange"),
            ([0.5, 0.3, 0.1], "brown"),
            ([1.0, 0.85, 0.1], "yellow"),
            ([0.2, 0.7, 0.2], "green"),
            ([0.2, 0.5, 0.9], "blue"),
            ([0.6, 0.2, 0.9], "purple"),
            ([0.9, 0.3, 0.7], "pink"),
            ([0.1, 0.1, 0.1], "black"),
            ([0.5, 0.5, 0.52], "grey"),
        ] {
            let parts = [(rgb, 10), ([0.0, 0.0, 0.0], 1), (WHITE, 30)];
            assert_eq!(main_colour(&picture(&parts)), Some(expected));
        }
    }

    #[test]
    fn main_colour_of_many_colours_or_of_nothing_has_no_name() {
        let many = [([0.9, 0.1, 0.1], 4), ([0.2, 0.7, 0.2], 4), ([0.2, 0.5, 0.9], 4), (WHITE, 4)];
        assert_eq!(main_colour(&picture(&many)), None);
        assert_eq!(main_colour(&picture(&[([0.9, 0.1, 0.1], 1), (WHITE, 99)])), None);
    }
}
