//! What diffusers' pipelines take for what a folder's files do not say, or correct of it.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use pipeline::{GenerationSettings, Pipeline, SchedulerChoice, tiny, write_synthetic};
use safetensors::Dtype;
use scheduler::SchedulerKind;
use serde_json::{Value, json};

fn folder(preset: &str, at: &Path) {
    write_synthetic(&tiny(hub::preset(preset).unwrap()), at, Dtype::F32, 5).unwrap();
}

fn load(at: &Path) -> Pipeline {
    Pipeline::from_folder(at, FloatDType::F32, &Device::flex()).unwrap()
}

fn edit(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

#[test]
fn a_pipeline_of_sd_corrects_its_scheduler_and_one_of_sdxl_does_not() {
    for (preset, expected) in [("sd-2.1-base", (1, Some(false))), ("sdxl-base", (7, Some(true)))] {
        let at = tempfile::tempdir().unwrap();
        folder(preset, at.path());
        edit(&at.path().join("scheduler/scheduler_config.json"), |config| {
            config["steps_offset"] = json!(7);
            config["clip_sample"] = json!(true);
        });
        for kind in [SchedulerKind::Ddim, SchedulerKind::Euler, SchedulerKind::Pndm] {
            let scheduler = SchedulerChoice::Kind(kind);
            let settings =
                GenerationSettings { scheduler, seeds: vec![1], ..GenerationSettings::default() };
            let config = load(at.path()).resolve(settings).unwrap().scheduler_config;
            assert_eq!((config.steps_offset, config.clip_sample), expected, "{preset} {kind}");
        }
    }
}

#[test]
fn an_absent_negative_prompt_of_sdxl_is_zeros_unless_the_index_says_otherwise() {
    let at = tempfile::tempdir().unwrap();
    folder("sdxl-base", at.path());
    let index = at.path().join("model_index.json");
    for (said, zeros) in [(None, true), (Some(true), true), (Some(false), false)] {
        edit(&index, |index| {
            let index = index.as_object_mut().unwrap();
            index.remove("force_zeros_for_empty_prompt");
            if let Some(said) = said {
                index.insert("force_zeros_for_empty_prompt".into(), json!(said));
            }
        });
        let pipeline = load(at.path());
        let prompts = pipeline.encode_prompts(&["a cat".into()]).unwrap();
        let negative = pipeline.encode_negative(None, &prompts).unwrap();
        let largest = negative.embeds.abs().max().into_scalar::<f32>();
        assert_eq!(largest == 0.0, zeros, "{said:?}");
    }
}
