//! Checkpoints in one file. Which of its tensors become which is in `single-file-check`, with the
//! script that has diffusers confirm it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType};
use pipeline::{Pipeline, PipelineError, tiny, write_synthetic};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use weights::StoredDtype;

use crate::support;

/// Shape and f16 values.
type Stored = (Vec<usize>, Vec<u8>);
type File = BTreeMap<String, Stored>;

/// All tensors of a pipeline folder by `part/name`.
fn tensors(folder: &Path) -> File {
    let mut all = File::new();
    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        for entry in std::fs::read_dir(folder.join(part)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "safetensors") {
                let bytes = std::fs::read(path).unwrap();
                for (name, view) in SafeTensors::deserialize(&bytes).unwrap().tensors() {
                    let stored = (view.shape().to_vec(), view.data().to_vec());
                    all.insert(format!("{part}/{name}"), stored);
                }
            }
        }
    }
    all
}

/// The same tensors as one file has them.
fn combined(names: &str, folder: &Path) -> File {
    let own = tensors(folder);
    let entries: Vec<Vec<String>> = serde_json::from_str(names).unwrap();
    let used: usize = entries.iter().map(|entry| entry.len() - 1).sum();
    assert_eq!(used, own.len(), "every tensor of the folder has a place");
    let one = |entry: Vec<String>| {
        let (mut shape, mut bytes) = own[&entry[1]].clone();
        for other in &entry[2..] {
            let (rows, more) = &own[other];
            shape[0] += rows[0];
            bytes.extend(more);
        }
        if entry[0].contains("attn_1.") && shape.len() == 2 {
            shape.extend([1, 1]);
        }
        if entry[0].ends_with(".text_projection") {
            let (rows, columns) = (shape[0], shape[1]);
            let value = |row: usize, column: usize| &bytes[2 * (row * columns + column)..][..2];
            bytes = (0..columns)
                .flat_map(|column| (0..rows).flat_map(move |row| [row, column]))
                .collect::<Vec<_>>()
                .chunks(2)
                .flat_map(|at| value(at[0], at[1]).to_vec())
                .collect();
            shape.reverse();
        }
        (entry[0].clone(), (shape, bytes))
    };
    let mut all: File = entries.into_iter().map(one).collect();
    // What training leaves behind.
    all.insert("alphas_cumprod".into(), (vec![2], vec![0; 4]));
    all.insert("model_ema.decay".into(), (vec![1], vec![0; 2]));
    all
}

/// The tensors of a file in f16.
fn stored(path: &Path) -> File {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let one = |(name, view): (String, TensorView<'_>)| {
        assert_eq!(view.dtype(), Dtype::F16);
        (name, (view.shape().to_vec(), view.data().to_vec()))
    };
    tensors.tensors().into_iter().map(one).collect()
}

fn write(file: &File, path: &Path) {
    let view = |(shape, bytes): &'_ Stored| (shape.clone(), bytes.clone());
    let stored: Vec<(String, Stored)> = file.iter().map(|(k, v)| (k.clone(), view(v))).collect();
    let views = stored.iter().map(|(name, (shape, bytes))| {
        (name.as_str(), TensorView::new(Dtype::F16, shape.clone(), bytes).unwrap())
    });
    serialize_to_file(views, None, path).unwrap();
}

/// A tiny pipeline folder of a preset, and the preset it has the configuration of.
fn folder(preset: &str, at: &Path) -> (PathBuf, hub::Manifest) {
    let preset = tiny(hub::preset(preset).unwrap());
    let folder = at.join("folder");
    write_synthetic(&preset, &folder, Dtype::F16, 3).unwrap();
    (folder, preset)
}

fn pixels(pipeline: &Pipeline) -> Vec<f32> {
    pipeline.decode(support::latents(pipeline)).unwrap().into_data().iter::<f32>().collect()
}

fn load(path: &Path, preset: Option<&hub::Manifest>) -> Result<Pipeline, PipelineError> {
    Pipeline::from_single_file(path, preset, FloatDType::F32, &Device::flex())
}

#[test]
fn from_single_file_sd_gives_what_the_folder_gives() {
    let at = tempfile::tempdir().unwrap();
    let (folder, preset) = folder("sd-turbo", at.path());
    let mut file = combined(include_str!("single-file-check/names-sd.json"), &folder);
    let prefix = "cond_stage_model.model.";
    // OpenCLIP's last layer, which SD 2.x never runs, and what only scoring needs.
    let last: File = file
        .iter()
        .filter(|(name, _)| name.contains("resblocks.1."))
        .map(|(name, stored)| (name.replace("resblocks.1.", "resblocks.2."), stored.clone()))
        .collect();
    assert_eq!(last.len(), 12);
    file.extend(last);
    file.insert(format!("{prefix}text_projection"), (vec![32, 32], vec![0; 2048]));
    file.insert(format!("{prefix}logit_scale"), (vec![1], vec![0; 2]));
    file.insert(format!("{prefix}attn_mask"), (vec![77, 77], vec![0; 2 * 77 * 77]));
    let path = at.path().join("sd.safetensors");
    write(&file, &path);
    let expected =
        pixels(&Pipeline::from_folder(&folder, FloatDType::F32, &Device::flex()).unwrap());
    assert_eq!(pixels(&load(&path, Some(&preset)).unwrap()), expected);
    // Noise or velocity: the file does not say.
    let mut wide = file.clone();
    let name = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
    wide.insert(name.into(), (vec![1, 1024], vec![0; 2048]));
    write(&wide, &path);
    let error = load(&path, None).unwrap_err().to_string();
    assert!(error.contains("--base sd-turbo"), "{error}");
}

#[test]
fn from_single_file_sdxl_gives_what_the_folder_gives() {
    let at = tempfile::tempdir().unwrap();
    let (folder, preset) = folder("sdxl-base", at.path());
    let file = combined(include_str!("single-file-check/names-sdxl.json"), &folder);
    let path = at.path().join("sdxl.safetensors");
    write(&file, &path);
    let expected =
        pixels(&Pipeline::from_folder(&folder, FloatDType::F32, &Device::flex()).unwrap());
    assert_eq!(pixels(&load(&path, Some(&preset)).unwrap()), expected);
    // Without a preset it is taken for full-size SDXL, whose shapes it has not.
    let error = load(&path, None).unwrap_err().to_string();
    assert!(error.contains("sdxl.safetensors") && error.contains("shape"), "{error}");
}

#[test]
fn from_single_file_sd_1_gives_what_the_folder_gives() {
    let at = tempfile::tempdir().unwrap();
    let (folder, preset) = folder("sd-1.5", at.path());
    let mut file = combined(include_str!("single-file-check/names-sd1.json"), &folder);
    assert_eq!(file["model.diffusion_model.middle_block.1.proj_in.weight"].0, [64, 64, 1, 1]);
    let positions = "cond_stage_model.transformer.text_model.embeddings.position_ids";
    file.insert(positions.into(), (vec![1, 77], vec![0; 2 * 77]));
    let path = at.path().join("sd1.safetensors");
    write(&file, &path);
    let expected =
        pixels(&Pipeline::from_folder(&folder, FloatDType::F32, &Device::flex()).unwrap());
    assert_eq!(pixels(&load(&path, Some(&preset)).unwrap()), expected);
    // Without a preset it is taken for full-size SD 1.5, whose shapes it has not.
    let name = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";
    file.insert(name.into(), (vec![1, 768], vec![0; 1536]));
    write(&file, &path);
    let error = load(&path, None).unwrap_err().to_string();
    assert!(error.contains("sd1.safetensors") && error.contains("shape"), "{error}");
}

#[test]
fn from_single_file_what_is_no_checkpoint_is_named() {
    let at = tempfile::tempdir().unwrap();
    let path = at.path().join("x.safetensors");
    let zeros = (vec![2], vec![0; 4]);
    for (name, words) in [
        ("lora_unet_down_blocks_0_attentions_0_proj_in.lora_up.weight", "LoRA"),
        ("transformer.h.0.attn.weight", "expected tensors that begin with"),
        ("model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight", "found"),
    ] {
        write(&File::from([(name.to_string(), zeros.clone())]), &path);
        let error = load(&path, None).unwrap_err().to_string();
        assert!(error.contains(words) && error.contains("x.safetensors"), "{name}: {error}");
    }
    let (folder, preset) = folder("sd-turbo", at.path());
    let mut file = combined(include_str!("single-file-check/names-sd.json"), &folder);
    file.insert("control_model.time_embed.0.weight".into(), zeros);
    write(&file, &path);
    let error = load(&path, Some(&preset)).unwrap_err().to_string();
    assert!(error.contains("1 tensors") && error.contains("control_model"), "{error}");
    file.remove("control_model.time_embed.0.weight");
    file.remove("model.diffusion_model.out.2.bias");
    write(&file, &path);
    let error = load(&path, Some(&preset)).unwrap_err().to_string();
    assert!(error.contains("conv_out.bias"), "{error}");
}

#[test]
fn write_single_file_gives_every_tensor_its_name_and_every_bit() {
    let at = tempfile::tempdir().unwrap();
    for (name, names) in [
        ("sd-turbo", include_str!("single-file-check/names-sd.json")),
        ("sdxl-base", include_str!("single-file-check/names-sdxl.json")),
        ("sd-1.5", include_str!("single-file-check/names-sd1.json")),
    ] {
        let (folder, preset) = folder(name, &at.path().join(name));
        let mut expected = combined(names, &folder);
        expected.retain(|name, _| name != "alphas_cumprod" && name != "model_ema.decay");
        let path = at.path().join(format!("{name}.safetensors"));
        for dtype in [FloatDType::F16, FloatDType::F32] {
            let pipeline = Pipeline::from_folder(&folder, dtype, &Device::flex()).unwrap();
            pipeline.write_single_file(&path, StoredDtype::F16).unwrap();
            assert_eq!(stored(&path), expected, "{name}");
        }
        let loaded = load(&path, Some(&preset)).unwrap();
        let own = Pipeline::from_folder(&folder, FloatDType::F32, &Device::flex()).unwrap();
        assert_eq!(pixels(&loaded), pixels(&own));
        // What was read from such a file is written again.
        let again = at.path().join("again.safetensors");
        loaded.write_single_file(&again, StoredDtype::F16).unwrap();
        assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&path).unwrap());
        // In f32 the values are the same.
        loaded.write_single_file(&again, StoredDtype::F32).unwrap();
        let wide = load(&again, Some(&preset)).unwrap();
        wide.write_single_file(&again, StoredDtype::F16).unwrap();
        assert_eq!(stored(&again), expected, "{name}");
    }
}
