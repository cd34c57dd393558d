//! What is no model, or no whole one: each says what it is and what to do.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use pipeline::{Pipeline, PipelineConfigs, PipelineError, tiny, write_synthetic};
use safetensors::tensor::{Dtype, TensorView};

fn model(preset: &str, at: &Path) -> PathBuf {
    let folder = at.join(preset);
    write_synthetic(&tiny(hub::preset(preset).unwrap()), &folder, Dtype::F16, 1).unwrap();
    folder
}

fn open(name: &str) -> Result<Pipeline, PipelineError> {
    Pipeline::open(name, None, FloatDType::F32, &Device::flex())
}

fn error(path: &Path) -> String {
    open(&path.display().to_string()).unwrap_err().to_string()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn open_wrong_folders_say_which_is_meant() {
    let at = tempfile::tempdir().unwrap();
    let folder = model("sd-turbo", at.path());
    let shown = folder.display().to_string();
    let part = error(&folder.join("unet"));
    assert!(part.contains("one part of a pipeline") && part.contains(&shown), "{part}");
    let above = error(at.path());
    assert!(above.contains("did you mean") && above.contains(&shown), "{above}");
    let repository = at.path().join("models--o--m");
    std::fs::create_dir_all(repository.join("snapshots")).unwrap();
    std::fs::rename(&folder, repository.join("snapshots/abc")).unwrap();
    let cached = error(&repository);
    assert!(cached.contains("snapshots/abc"), "{cached}");
    let empty = at.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    assert!(error(&empty).contains("no `model_index.json`"));
    std::fs::write(empty.join("adapter_config.json"), "{}").unwrap();
    assert!(error(&empty).contains("LoRA adapter"));
    std::fs::remove_file(empty.join("adapter_config.json")).unwrap();
    std::fs::write(empty.join("all.safetensors"), "").unwrap();
    assert!(error(&empty).contains("all.safetensors"));
    std::fs::write(empty.join("model_index.json"), r#"{"_class_name": "FluxPipeline"}"#).unwrap();
    assert!(error(&empty).contains("found `FluxPipeline`"));
    std::fs::write(empty.join("model_index.json"), "{").unwrap();
    assert!(error(&empty).contains("model_index.json"));
}

#[test]
fn open_parts_that_make_no_picture_together_are_told() {
    // Weights that fit each configuration by itself.
    for (part, key, channels, words) in [
        ("unet", "out_channels", 8, "4 channels of the latents, found 8"),
        ("vae", "out_channels", 4, "found 3 in and 4 out"),
        ("vae", "in_channels", 1, "found 1 in and 3 out"),
    ] {
        let at = tempfile::tempdir().unwrap();
        let mut preset = tiny(hub::preset("sd-turbo").unwrap());
        preset.config[part][key] = channels.into();
        write_synthetic(&preset, at.path(), Dtype::F16, 1).unwrap();
        let error = error(at.path());
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn open_lora_in_place_of_the_unet_is_told() {
    let at = tempfile::tempdir().unwrap();
    let folder = model("sd-turbo", at.path());
    let path = folder.join("unet/diffusion_pytorch_model.fp16.safetensors");
    let bytes = [0; 8];
    let name = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight";
    let lora = [(name.replace("lora_A", "lora_down"), bytes), (name.to_string(), bytes)];
    let views = lora
        .iter()
        .map(|(name, bytes)| (name, TensorView::new(Dtype::F16, vec![2, 2], bytes).unwrap()));
    safetensors::serialize_to_file(views, None, &path).unwrap();
    let error = error(&folder);
    assert!(error.contains("LoRA") && error.contains("fp16.safetensors"), "{error}");
}

#[test]
fn open_parts_of_different_models_are_told() {
    let at = tempfile::tempdir().unwrap();
    let (sd, xl) = (model("sd-turbo", at.path()), model("sdxl-base", at.path()));
    // A U-Net that expects 64 channels of text beside an encoder that gives 32.
    let mixed = at.path().join("mixed");
    for part in ["scheduler", "text_encoder", "tokenizer", "vae"] {
        copy(&sd.join(part), &mixed.join(part));
    }
    copy(&xl.join("unet"), &mixed.join("unet"));
    std::fs::copy(sd.join("model_index.json"), mixed.join("model_index.json")).unwrap();
    let error = open(&mixed.display().to_string()).unwrap_err();
    assert!(matches!(error, PipelineError::Mixed { .. }), "{error}");
    let error = error.to_string();
    assert!(error.contains("64 channels of text") && error.contains("found 32"), "{error}");
    // A weights file of another revision than its configuration.
    std::fs::remove_dir_all(mixed.join("unet")).unwrap();
    copy(&sd.join("unet"), &mixed.join("unet"));
    std::fs::copy(xl.join("unet/config.json"), mixed.join("unet/config.json")).unwrap();
    let error = self::error(&mixed);
    assert!(error.contains("missing") && error.contains("add_embedding"), "{error}");
}

#[test]
fn open_unknown_and_absent_names_say_what_to_do() {
    let error = error(Path::new("sd-trubo"));
    assert!(error.contains("did you mean `sd-turbo`?"), "{error}");
    let configs = PipelineConfigs::open("sdxl-turbo", None).unwrap();
    assert_eq!((configs.text.len(), configs.unet.num_attention_blocks()), (2, 5));
    let absent = PipelineConfigs::open("/nowhere/model.safetensors", None).unwrap_err().to_string();
    assert!(absent.contains("/nowhere/model.safetensors"), "{absent}");
}

/// Replaces a part of one file of a model.
fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn open_two_scheduler_classes_are_told() {
    let at = tempfile::tempdir().unwrap();
    let folder = model("sd-turbo", at.path());
    edit(&folder.join("model_index.json"), "EulerDiscreteScheduler", "PNDMScheduler");
    let configs = PipelineConfigs::from_folder(&folder).unwrap_err().to_string();
    for error in [error(&folder), configs] {
        for part in [
            "model_index.json` names the scheduler `PNDMScheduler`",
            "scheduler_config.json` is `EulerDiscreteScheduler`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
    // One of both is enough.
    let config = folder.join("scheduler/scheduler_config.json");
    edit(&config, r#""_class_name": "EulerDiscreteScheduler","#, "");
    let kind = PipelineConfigs::from_folder(&folder).unwrap().scheduler.kind().unwrap();
    assert_eq!(kind.class_name(), "PNDMScheduler");
}

#[test]
fn open_configuration_typos_name_file_and_key() {
    let at = tempfile::tempdir().unwrap();
    let folder = model("sd-turbo", at.path());
    for (file, key) in [
        ("unet/config.json", "layers_per_block"),
        ("vae/config.json", "scaling_factor"),
        ("text_encoder/config.json", "hidden_act"),
        ("scheduler/scheduler_config.json", "prediction_type"),
        ("tokenizer/special_tokens_map.json", "pad_token"),
    ] {
        let path = folder.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        edit(&path, key, &format!("{key}t"));
        let error = error(&folder);
        let expected = format!("{file}`: unknown key `{key}t`");
        assert!(error.contains(&expected) && error.contains("did you mean"), "{error}");
        std::fs::write(&path, text).unwrap();
    }
    assert!(open(&folder.display().to_string()).is_ok());
}

#[test]
fn open_tokenizer_of_another_encoder_is_told() {
    let at = tempfile::tempdir().unwrap();
    let folder = model("sd-turbo", at.path());
    let config = folder.join("text_encoder/config.json");
    edit(&config, r#""max_position_embeddings": 77"#, r#""max_position_embeddings": 24"#);
    let path = folder.join("text_encoder/model.fp16.safetensors");
    std::fs::remove_file(&path).unwrap();
    let small = clip::CLIPTextConfig::from_file(&config).unwrap().init(&Device::flex());
    weights::write_random(&path, &weights::outline(&small), Dtype::F16, 1).unwrap();
    let error = error(&folder);
    assert!(error.contains("77 tokens") && error.contains("is 24"), "{error}");
}
