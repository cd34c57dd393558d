//! LoRAs merged into a model give the weights and the pictures that diffusers' `fuse_lora` gives, and
//! what does not fit is an error that names file and key. The files, the references and the script
//! that makes both are in `lora-check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use lora::LoraChoice;
use pipeline::{Control, Guidance, Pipeline, PipelineError, SampleRequest, tiny, write_synthetic};
use reweight::BatchPolicy;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize_to_file};
use scheduler::SchedulerKind;
use weights::{StoredDtype, save};

pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

pub(crate) fn check(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lora-check").join(name)
}

pub(crate) fn open(model: &Path, loras: &[LoraChoice]) -> Result<Pipeline, PipelineError> {
    let model = model.display().to_string();
    Pipeline::open_with(&model, None, loras, FloatDType::F32, &Device::flex())
}

/// Channels of the first level of the shipped U-Net.
const FIRST: usize = 48;

fn choice(path: PathBuf, strength: f64) -> LoraChoice {
    LoraChoice { strength, ..LoraChoice::new(path) }
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// All weights of the U-Net by diffusers' names.
pub(crate) fn unet_weights(pipeline: &Pipeline) -> BTreeMap<String, Vec<f32>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unet.safetensors");
    save(pipeline.unet(), &path, StoredDtype::F32).unwrap();
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_string(), floats(&view))).collect()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0.0, |largest, (a, b)| largest.max((a - b).abs()))
}

#[test]
fn merged_weights_texts_and_latents_are_those_of_diffusers() {
    let bytes = std::fs::read(check("golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let start = std::fs::read(shipped().join("diffusers-check/golden.safetensors")).unwrap();
    let start = floats(&SafeTensors::deserialize(&start).unwrap().tensor("initial").unwrap());
    let before = unet_weights(&open(&shipped(), &[]).unwrap());
    for (form, strength, changed) in
        [("kohya", 0.7, 11), ("diffusers", 1.0, 11), ("processor", -0.5, 4)]
    {
        let file = check(&format!("{form}.safetensors"));
        let pipeline = open(&shipped(), &[choice(file, strength)]).unwrap();
        let merged = unet_weights(&pipeline);
        let differ = merged.iter().filter(|(name, values)| before[*name] != **values);
        assert_eq!(differ.count(), changed, "{form}");
        let mut compared = 0;
        for (name, view) in golden.iter() {
            let Some(name) = name.strip_prefix(&format!("{form}/unet.")) else { continue };
            let expected = floats(&view);
            let error = largest_difference(&merged[name][..expected.len()], &expected);
            assert!(error < 1e-6, "{form}: {name}: largest error {error}");
            compared += 1;
        }
        assert_eq!(compared, changed, "{form}");
        let prompts = pipeline.encode_prompts(&["a cartoon of a dragon".to_string()]).unwrap();
        let embeds: Vec<f32> = prompts.embeds.to_data().iter::<f32>().collect();
        let expected = floats(&golden.tensor(&format!("{form}/embeds")).unwrap());
        let error = largest_difference(&embeds, &expected);
        assert!(error < 1e-4, "{form}: text: largest error {error}");
        let negative = pipeline.encode_negative(None, &prompts).unwrap();
        let request = SampleRequest {
            prompts,
            guidance: Some(Guidance { scale: 3.0, negative }),
            noise: Tensor::from_data(
                TensorData::new(start.clone(), [1, 4, 16, 16]),
                &Device::flex(),
            ),
            fresh_noise: None,
            scheduler: SchedulerKind::Ddim,
            scheduler_config: pipeline.scheduler_config().clone(),
            steps: 4,
            sizes: None,
        };
        let latents =
            pipeline.sample(&request, &BatchPolicy::vanilla(), &mut |_| Control::Continue).unwrap();
        let latents: Vec<f32> = latents.into_data().iter::<f32>().collect();
        let expected = floats(&golden.tensor(&format!("{form}/latents")).unwrap());
        let error = largest_difference(&latents, &expected);
        assert!(error < 1e-3, "{form}: latents: largest error {error}");
    }
}

#[test]
fn blocks_that_are_chosen_are_changed_and_no_others() {
    let before = unet_weights(&open(&shipped(), &[]).unwrap());
    let chosen = |text: &str| {
        let choice = format!("{}={text}", check("kohya.safetensors").display()).parse().unwrap();
        open(&shipped(), &[choice])
    };
    let merged = unet_weights(&chosen("1@mid_block,down_blocks.1").unwrap());
    let differ: Vec<_> = merged.keys().filter(|name| before[*name] != merged[*name]).collect();
    assert_eq!(differ.len(), 3);
    let within =
        |name: &&&String| name.starts_with("mid_block") || name.starts_with("down_blocks.1.");
    assert_eq!(differ.iter().filter(within).count(), 3);
    let error = chosen("1@up_blocks.0").unwrap_err().to_string();
    assert!(error.contains("no layers in `up_blocks.0`"), "{error}");
    assert!(error.contains("`mid_block`") && error.contains("`text_encoder`"), "{error}");
}

#[test]
fn several_loras_add_up_and_are_told_by_name_and_fingerprint() {
    let loras = [choice(check("kohya.safetensors"), 0.5), choice(check("kohya.safetensors"), 0.2)];
    let (two, one) = (open(&shipped(), &loras).unwrap(), {
        let lora = choice(check("kohya.safetensors"), 0.7);
        open(&shipped(), &[lora]).unwrap()
    });
    let (both, single) = (unet_weights(&two), unet_weights(&one));
    for (name, values) in &both {
        assert!(largest_difference(values, &single[name]) < 1e-6, "{name}");
    }
    assert_eq!(two.name(), "emoji-sd + kohya.safetensors=0.5 + kohya.safetensors=0.2");
    assert_eq!(two.loras().len(), 2);
    let plain = open(&shipped(), &[]).unwrap();
    let prints = [&plain, &one, &two].map(|pipeline| pipeline.fingerprint().unwrap());
    assert!(prints[0] != prints[1] && prints[1] != prints[2] && prints[0] != prints[2]);
}

/// A LoRA file with these tensors; all values are `value`.
fn file(folder: &Path, tensors: &[(&str, &[usize])], value: f32) -> PathBuf {
    let path = folder.join("made.safetensors");
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, shape)| value.to_le_bytes().repeat(shape.iter().product()))
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    serialize_to_file(views, None, &path).unwrap();
    path
}

#[test]
fn what_does_not_fit_is_named_with_its_file() {
    const TO_Q: &str = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
    const TO_K: &str = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k";
    let folder = tempfile::tempdir().unwrap();
    let down = |layer: &str| format!("{layer}.lora_A.weight");
    let up = |layer: &str| format!("{layer}.lora_B.weight");
    let error = |tensors: &[(&str, &[usize])], value: f32| {
        let path = file(folder.path(), tensors, value);
        let error = open(&shipped(), &[LoraChoice::new(&path)]).unwrap_err().to_string();
        assert!(error.contains("made.safetensors"), "{error}");
        error
    };
    let (q, q_up, k, k_up) = (down(TO_Q), up(TO_Q), down(TO_K), up(TO_K));
    let nan = error(&[(&q, &[2, FIRST]), (&q_up, &[FIRST, 2])], f32::NAN);
    assert!(nan.contains(&q) && nan.contains("NaN"), "{nan}");
    let rank = error(&[(&q, &[2, FIRST]), (&q_up, &[FIRST, 3])], 0.1);
    assert!(rank.contains(&q_up) && rank.contains("rank 2"), "{rank}");
    let alone = error(&[(&q, &[2, FIRST])], 0.1);
    assert!(alone.contains(TO_Q) && alone.contains("one alone"), "{alone}");
    let shape = error(&[(&q, &[2, 64]), (&q_up, &[FIRST, 2])], 0.1);
    assert!(shape.contains(&q) && shape.contains("48 inputs") && shape.contains("64"), "{shape}");
    let other = error(&[(&k, &[2, 768]), (&k_up, &[FIRST, 2])], 0.1);
    assert!(other.contains("SD 1.x"), "{other}");
    let strange = "unet.down_blocks.9.attentions.0.proj_in";
    let (strange_down, strange_up) = (down(strange), up(strange));
    let unknown = error(&[(&strange_down, &[2, FIRST]), (&strange_up, &[FIRST, 2])], 0.1);
    assert!(unknown.contains(strange) && unknown.contains("1 of its 1"), "{unknown}");
    let dora = format!("{TO_Q}.lora_magnitude_vector");
    let refused = error(&[(&q, &[2, FIRST]), (&q_up, &[FIRST, 2]), (&dora, &[FIRST])], 0.1);
    assert!(refused.contains(&dora) && refused.contains("DoRA"), "{refused}");
    let second = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
    let (again, again_up) = (down(second), up(second));
    let twice = [
        (&*q, &[2, FIRST][..]),
        (&q_up, &[FIRST, 2]),
        (&again, &[2, FIRST]),
        (&again_up, &[FIRST, 2]),
    ];
    assert!(error(&twice, 0.1).contains("same layer"));
    assert!(error(&[], 0.1).contains("no tensors"));
    let absent = open(&shipped(), &[LoraChoice::new("nowhere.safetensors")]).unwrap_err();
    assert!(absent.to_string().contains("nowhere.safetensors"), "{absent}");
}

#[test]
fn convolutions_through_a_middle_factor_are_merged() {
    const CONV: &str = "lora_unet_down_blocks_0_resnets_0_conv1";
    let folder = tempfile::tempdir().unwrap();
    let key = |end: &str| format!("{CONV}.{end}");
    let (down, mid, up) = (key("lora_down.weight"), key("lora_mid.weight"), key("lora_up.weight"));
    let shapes: [(&str, &[usize]); 3] =
        [(&down, &[2, FIRST, 1, 1]), (&mid, &[2, 2, 3, 3]), (&up, &[FIRST, 2, 1, 1])];
    let path = file(folder.path(), &shapes, 0.5);
    let before = unet_weights(&open(&shipped(), &[]).unwrap());
    let merged = unet_weights(&open(&shipped(), &[LoraChoice::new(path)]).unwrap());
    let name = "down_blocks.0.resnets.0.conv1.weight";
    // Two by two products of three factors.
    let expected: Vec<f32> = before[name].iter().map(|value| value + 4.0 * 0.125).collect();
    assert!(largest_difference(&merged[name], &expected) < 1e-6);
    assert!(before.iter().all(|(other, values)| other == name || *values == merged[other]));
}

#[test]
fn sdxl_loras_under_ldm_names_reach_all_three_parts() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("sdxl");
    write_synthetic(&tiny(hub::preset("sdxl-base").unwrap()), &model, Dtype::F16, 1).unwrap();
    let pairs = [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q", 32),
        ("lora_unet_output_blocks_2_2_conv", 64),
        ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 32),
        ("lora_te2_text_model_encoder_layers_0_self_attn_v_proj", 32),
    ];
    let keys: Vec<(String, String)> = pairs
        .iter()
        .map(|(layer, _)| (format!("{layer}.lora_down.weight"), format!("{layer}.lora_up.weight")))
        .collect();
    let shapes: Vec<(Vec<usize>, Vec<usize>)> = pairs
        .iter()
        .map(|(layer, width)| match layer.ends_with("conv") {
            true => (vec![1, *width, 3, 3], vec![*width, 1, 1, 1]),
            false => (vec![1, *width], vec![*width, 1]),
        })
        .collect();
    let tensors: Vec<(&str, &[usize])> = keys
        .iter()
        .zip(&shapes)
        .flat_map(|((down, up), (narrow, wide))| [(&**down, &**narrow), (&**up, &**wide)])
        .collect();
    let lora = LoraChoice::new(file(folder.path(), &tensors, 0.25));
    let (plain, merged) = (open(&model, &[]).unwrap(), open(&model, &[lora]).unwrap());
    let (before, after) = (unet_weights(&plain), unet_weights(&merged));
    let differ: Vec<_> = after.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(
        differ,
        [
            "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.weight",
            "up_blocks.0.upsamplers.0.conv.weight"
        ]
    );
    // Both encoders are changed: the first half of the channels is the first one's.
    let embeds = |pipeline: &Pipeline| {
        let prompts = pipeline.encode_prompts(&["a red apple".to_string()]).unwrap();
        prompts.embeds
    };
    let difference = (embeds(&merged) - embeds(&plain)).abs();
    let [_, tokens, channels] = difference.dims();
    for half in [0..channels / 2, channels / 2..channels] {
        let largest = difference.clone().slice([0..1, 0..tokens, half]).max();
        assert!(largest.into_scalar::<f32>() > 0.0);
    }
}
