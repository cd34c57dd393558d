//! How pictures are sampled: batches, interrupted runs, samplers and their noise.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{fail, model, run, succeed};

/// `generate` with the shipped model and few steps.
fn generate(arguments: &[&str]) -> (String, String) {
    let model = model().display().to_string();
    let common = ["generate", "a flat icon of a red heart", "--model", &model, "--steps", "2"];
    let output = run(&[&common[..], arguments].concat());
    let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{arguments:?}: {error}");
    (out, error)
}

fn pictures(folder: &Path, seeds: &[u64]) -> Vec<Vec<u8>> {
    let read = |seed: &u64| std::fs::read(folder.join(format!("{seed}.png"))).unwrap();
    seeds.iter().map(read).collect()
}

#[test]
fn generate_pictures_do_not_depend_on_the_batch_and_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let seeds = ["--seeds", "1,2,3,4,5", "--scheduler", "euler-a"];
    let made = |name: &str, more: &[&str]| {
        let out = at(name).display().to_string();
        generate(&[&seeds[..], &["--out", &out], more].concat())
    };
    let (told, _) = made("whole", &[]);
    assert_eq!(told.lines().count(), 5);
    let expected = pictures(&at("whole"), &[1, 2, 3, 4, 5]);
    for batch in ["1", "4", "100"] {
        made(batch, &["--batch", batch]);
        assert!(pictures(&at(batch), &[1, 2, 3, 4, 5]) == expected, "--batch {batch}");
    }
    // Of an interrupted run: one without its picture, one without its record.
    std::fs::remove_file(at("whole/2.png")).unwrap();
    std::fs::remove_file(at("whole/4.json")).unwrap();
    let written = |seed: u64| {
        let file = std::fs::metadata(at(&format!("whole/{seed}.png"))).unwrap();
        file.modified().unwrap()
    };
    let before = [1, 3, 4, 5].map(written);
    let (told, said) = made("whole", &["--json"]);
    assert!(said.contains("kept 3 of 5 pictures"), "{said}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["pictures"].as_array().unwrap().len(), 5);
    assert!(told["kept"][2].as_str().unwrap().ends_with("5.png"), "{told}");
    let after = [1, 3, 4, 5].map(written);
    assert_eq!([0, 1, 3].map(|i| before[i]), [0, 1, 3].map(|i| after[i]));
    assert_ne!(before[2], after[2]);
    assert!(pictures(&at("whole"), &[1, 2, 3, 4, 5]) == expected);
    // Others in their place are made anew.
    let (_, said) = made("whole", &["--guidance", "2"]);
    assert!(!said.contains("kept"), "{said}");
    assert!(pictures(&at("whole"), &[1]) != expected[..1]);
}

#[test]
fn generate_samplers_and_their_noise_are_in_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let model = model().display().to_string();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for (i, options) in [
        &["--scheduler", "heun", "--sigmas", "karras"][..],
        &["--scheduler", "lcm"],
        &["--scheduler", "lcm", "--sampler-noise", "torch-cpu"],
        &["--scheduler", "dpm++2m-sde", "--sigmas", "exponential", "--noise", "torch-cpu"],
        &["--scheduler", "dpm++2m-sde", "--sigmas", "timesteps", "--noise", "torch-cpu"],
    ]
    .into_iter()
    .enumerate()
    {
        let [first, again] = [at(&format!("{i}")), at(&format!("{i}-again"))];
        generate(&[options, &["--seeds", "8", "--out", first.to_str().unwrap()]].concat());
        let picture = first.join("8.png").display().to_string();
        let like = ["generate", "--like", &picture, "--model", &model];
        succeed(&[&like[..], &["--out", again.to_str().unwrap()]].concat());
        let found = pictures(&first, &[8]).remove(0);
        assert!(pictures(&again, &[8])[0] == found, "{options:?}");
        assert!(!seen.contains(&found), "{options:?}");
        seen.push(found);
    }
    let record = std::fs::read_to_string(at("3/8.json")).unwrap();
    let record: Value = serde_json::from_str(&record).unwrap();
    assert_eq!(record["sigmas"], "exponential");
    assert_eq!(record["scheduler"], "DPMSolverMultistepScheduler(algorithm_type=sde-dpmsolver++)");
}

#[test]
fn generate_spacings_that_a_sampler_has_not_are_refused() {
    let model = model().display().to_string();
    let refused = |more: &[&str]| fail(&[&["generate", "a", "--model", &model][..], more].concat());
    let error = refused(&["--sigmas", "karras"]);
    assert!(error.contains("ddim has no spacing of σ") && error.contains("`dpm++2m`"), "{error}");
    assert!(refused(&["--sigmas", "cosine"]).contains("`timesteps`, `karras` or `exponential`"));
    assert!(refused(&["--scheduler", "lcm", "--steps", "51"]).contains("1 to 50"));
    assert!(refused(&["--batch", "0"]).contains("--batch"));
}

#[test]
fn generate_schedules_are_matched_by_sigma() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // Weights tell σ: from 1 at 100 to 2 at 0.01, along the logarithm.
    let (schedule, rows) = (path("s.json"), [[1.0; 7], [2.0; 7]]);
    let levels = [100.0, 0.01].map(|sigma| json!({ "timestep": 0.0, "sigma": sigma }));
    let text = json!({ "blocks": { "weights": rows }, "steps": levels });
    std::fs::write(&schedule, text.to_string()).unwrap();
    let model = model().display().to_string();
    let common = ["generate", "a", "--model", &model, "--weights", &schedule, "--steps", "4"];
    let roots = |name: &str, more: &[&str]| -> Vec<f64> {
        let out = path(name);
        succeed(&[&common[..], &["--resample", "interpolate", "--out", &out], more].concat());
        let text = std::fs::read_to_string(format!("{out}/42.json")).unwrap();
        let record: Value = serde_json::from_str(&text).unwrap();
        let weights = record["intervention"]["blocks"]["weights"].as_array().unwrap();
        let sigma = |row: &Value| 100.0 * 1e-4f64.powf(row[0].as_f64().unwrap() - 1.0);
        weights.iter().map(|row| sigma(row).powf(1.0 / 7.0)).collect()
    };
    let uneven = |roots: &[f64]| {
        let bend = |three: &[f64]| (three[0] - 2.0 * three[1] + three[2]).abs();
        roots.windows(3).map(bend).fold(0.0, f64::max)
    };
    let karras = roots("karras", &["--scheduler", "euler", "--sigmas", "karras"]);
    assert_eq!(karras.len(), 4);
    assert!(uneven(&karras) < 1e-5, "{karras:?}");
    assert!(uneven(&roots("ddim", &[])) > 1e-2);
    // A step for each of Heun's calls.
    assert_eq!(roots("heun", &["--scheduler", "heun"]).len(), 7);
    let error = fail(&[&common[..], &["--scheduler", "heun", "--out", &path("none")]].concat());
    assert!(error.contains("2 steps, expected 7"), "{error}");
}

#[test]
fn generate_with_the_few_step_model_takes_the_steps_that_it_recommends() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let arguments = ["generate", "a red heart", "--model", "emoji-turbo", "--out", &out, "--force"];
    let record = |more: &[&str]| -> Value {
        succeed(&[&arguments[..], more].concat());
        let text = std::fs::read_to_string(folder.path().join("42.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let made = record(&[]);
    assert_eq!((&made["steps"], &made["guidance_scale"]), (&json!(2), &json!(0.0)));
    let made = record(&["--steps", "3", "--guidance", "1.5"]);
    assert_eq!((&made["steps"], &made["guidance_scale"]), (&json!(3), &json!(1.5)));
}
