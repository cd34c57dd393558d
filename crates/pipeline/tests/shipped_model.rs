//! The shipped model through the whole pipeline, with the requests people really make.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, FloatDType, Tensor};
use pictures::RgbImage;
use pipeline::{
    Control, Guidance, PictureRecord, Pipeline, PipelineError, RecordExtras, SampleRequest,
    initial_noise,
};
use reweight::BatchPolicy;
use scheduler::SchedulerKind;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd")
}

fn load() -> Pipeline {
    Pipeline::from_folder(folder(), FloatDType::F32, &Device::flex()).unwrap()
}

fn request(pipeline: &Pipeline, prompts: &[&str], seeds: &[u64], steps: usize) -> SampleRequest {
    let prompts: Vec<String> = prompts.iter().map(|prompt| prompt.to_string()).collect();
    let encoded = pipeline.encode_prompts(&prompts).unwrap();
    let negative = pipeline.encode_negative(None, &encoded).unwrap();
    SampleRequest {
        prompts: encoded,
        guidance: Some(Guidance { scale: 3.0, negative }),
        noise: initial_noise(seeds, [4, 16, 16], pipeline.device()),
        fresh_noise: None,
        scheduler: SchedulerKind::Ddim,
        scheduler_config: pipeline.scheduler_config().clone(),
        steps,
        sizes: None,
    }
}

fn sample(pipeline: &Pipeline, request: &SampleRequest) -> Tensor<4> {
    pipeline.sample(request, &BatchPolicy::vanilla(), &mut |_| Control::Continue).unwrap()
}

#[test]
fn sample_picture_depends_on_its_own_seed_only() {
    let pipeline = load();
    let prompts = ["a cartoon of a dragon", "pixel art of a red car", "a flat icon of a compass"];
    let together = sample(&pipeline, &request(&pipeline, &prompts, &[1, 2, 3], 3));
    let pictures = pipeline.pictures(together.clone()).unwrap();
    for (i, (prompt, seed)) in prompts.iter().zip([1, 2, 3]).enumerate() {
        let alone = sample(&pipeline, &request(&pipeline, &[prompt], &[seed], 3));
        assert_eq!(alone.clone().into_data(), together.clone().narrow(0, i, 1).into_data());
        assert_eq!(pipeline.pictures(alone).unwrap()[0], pictures[i]);
    }
}

#[test]
fn sample_unusual_prompts_give_pictures() {
    let pipeline = load();
    let long = "a red heart ".repeat(834);
    assert!(long.len() > 10_000);
    assert_eq!(pipeline.truncated_prompts(&["a".into(), long.clone()]), [long.as_str()]);
    let prompts = ["", long.as_str(), "😀🚀👨‍👩‍👧", "<|endoftext|>", "\u{0}"];
    let latents = sample(&pipeline, &request(&pipeline, &prompts, &[1, 2, 3, 4, 5], 1));
    assert_eq!(latents.dims(), [5, 4, 16, 16]);
}

#[test]
fn sample_impossible_requests_are_refused() {
    let pipeline = load();
    let run = |request: &SampleRequest| {
        let vanilla = BatchPolicy::vanilla();
        pipeline.sample(request, &vanilla, &mut |_| Control::Continue).unwrap_err().to_string()
    };
    assert!(run(&request(&pipeline, &["a"], &[1], 0)).contains("inference steps"));
    assert!(run(&request(&pipeline, &["a"], &[1], 1001)).contains("1001"));
    assert!(run(&request(&pipeline, &["a"], &[1, 2], 1)).contains("one noise sample per prompt"));
    let mut odd = request(&pipeline, &["a"], &[1], 1);
    odd.guidance.as_mut().unwrap().scale = f64::NAN;
    assert!(run(&odd).contains("guidance scale"));
    for size in [[0, 64], [62, 64]] {
        assert!(matches!(pipeline.latent_size(size), Err(PipelineError::Request(_))));
    }
    assert!(matches!(pipeline.encode_prompts(&[]), Err(PipelineError::Request(_))));
}

#[test]
fn sample_callback_can_stop() {
    let pipeline = load();
    let mut seen = 0;
    let request = request(&pipeline, &["a red heart"], &[1], 5);
    pipeline
        .sample(&request, &BatchPolicy::vanilla(), &mut |step| {
            seen += 1;
            if step.info.step == 1 { Control::Stop } else { Control::Continue }
        })
        .unwrap();
    assert_eq!(seen, 2);
}

#[test]
fn from_folder_wrong_folders_are_named() {
    let device = Device::flex();
    let empty = tempfile::tempdir().unwrap();
    for folder in [PathBuf::from("/nowhere"), empty.path().to_path_buf()] {
        let error = Pipeline::from_folder(&folder, FloatDType::F32, &device).unwrap_err();
        assert!(error.to_string().contains(&folder.display().to_string()), "{error}");
    }
    let index = r#"{"_class_name": "FluxPipeline"}"#;
    std::fs::write(empty.path().join("model_index.json"), index).unwrap();
    let error = Pipeline::from_folder(empty.path(), FloatDType::F32, &device).unwrap_err();
    assert!(error.to_string().contains("FluxPipeline"), "{error}");
}

#[test]
fn save_picture_carries_its_record_and_bad_paths_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let picture = RgbImage { width: 2, height: 1, rgb: vec![255, 0, 0, 0, 0, 255] };
    let record = PictureRecord {
        prompt: "a \"red\" heart ♥".into(),
        negative_prompt: None,
        seed: 1,
        steps: 2,
        guidance_scale: 3.0,
        scheduler: "DDIMScheduler".into(),
        noise: Default::default(),
        eta: 0.0,
        initial_noise: None,
        size: [1, 2],
        model: "m".into(),
        model_sha256: "0123456789abcdef".into(),
        loras: Vec::new(),
        dtype: None,
        device: None,
        version: "0".into(),
        intervention: serde_json::json!({ "weights": [[1.1]] }),
        extras: RecordExtras::default(),
    };
    let path = folder.path().join("new/picture.png");
    record.save(&picture, &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(RgbImage::decode(&bytes).unwrap(), picture);
    let json = std::fs::read_to_string(path.with_extension("json")).unwrap();
    assert_eq!(serde_json::from_str::<PictureRecord>(&json).unwrap(), record);
    assert!(bytes.windows(13).any(|window| window == b"unet-reweight"));
    // A file where a folder should be.
    let blocked = path.join("picture.png");
    let error = record.save(&picture, &blocked).unwrap_err().to_string();
    assert!(error.contains("picture.png"), "{error}");
}

#[test]
fn decode_sliced_is_equal_and_tiled_is_close() {
    let pipeline = load();
    let request =
        request(&pipeline, &["a flat icon of a compass", "pixel art of a drum"], &[1, 2], 4);
    let latents = sample(&pipeline, &request);
    let whole = pipeline.decode(latents.clone()).unwrap();
    let sliced = load().with_vae_slicing(true).decode(latents.clone()).unwrap();
    assert_eq!(sliced.into_data(), whole.into_data());
    // 80×80 latents, more than a tile of 64: a wall of one picture, whose parts have the statistics
    // of the whole.
    let wall = latents.narrow(0, 0, 1).repeat_dim(2, 5).repeat_dim(3, 5);
    let whole = pipeline.decode(wall.clone()).unwrap();
    let tiled = load().with_vae_tiling(true).decode(wall).unwrap();
    assert_eq!(tiled.dims(), [1, 3, 320, 320]);
    // Pictures have steps of 2/255. On average a tile's own statistics move a pixel by less than
    // one, and at the edges of the blends, the tiles' own edges, neighbours by less than that.
    let (level, difference) = (2.0 / 255.0, tiled - whole);
    let moved = difference.clone().abs().mean().into_scalar::<f32>();
    assert!(moved < level, "{moved}");
    for edge in [16, 32, 48, 64].map(|latent| 4 * latent) {
        for dim in [2, 3] {
            let line = |at: usize| difference.clone().narrow(dim, at, 1);
            let seam = (line(edge) - line(edge - 1)).abs().mean().into_scalar::<f32>();
            assert!(seam < level / 2.0, "{edge}: {seam}");
        }
    }
}
