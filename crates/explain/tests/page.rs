//! A page about the shipped model: what is in it, and what becomes of an interrupted one.

use std::path::Path;

use burn::tensor::{Device, FloatDType};
use explain::{FACTORS, ModelSource, Progress, Question};
use pipeline::{Generation, GenerationSettings, NoiseKind, Pipeline, SchedulerChoice};
use probe::ProbeConfig;
use scheduler::{SchedulerKind, SigmaSpacing};
use serde_json::{Value, json};

fn pipeline() -> Pipeline {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/emoji-sd");
    Pipeline::from_folder(folder, FloatDType::F32, &Device::flex()).unwrap()
}

fn generation(pipeline: &Pipeline) -> Generation {
    let settings = GenerationSettings {
        // What must not end the page's script, nor its attributes.
        prompt: "a red heart</script><b>\"".into(),
        seeds: vec![1],
        steps: Some(2),
        guidance_scale: Some(1.0),
        ..GenerationSettings::default()
    };
    pipeline.resolve(settings).unwrap()
}

fn question<'a>(pipeline: &'a Pipeline, generation: &'a Generation, out: &'a Path) -> Question<'a> {
    Question {
        pipeline,
        generation,
        image: None,
        scorer: None,
        facts: json!({ "prompt": generation.prompt, "seeds": [1] }),
        model_sha256: "0123456789abcdef",
        source: ModelSource {
            arguments: ["--model", "emoji sd"].map(String::from).to_vec(),
            class: "StableDiffusionPipeline".into(),
            place: "emoji sd".into(),
            ..ModelSource::default()
        },
        vote: None,
        unet_batch: 16,
        out,
    }
}

/// The JSON inside the page.
fn data(page: &str) -> Value {
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    serde_json::from_str(&page[start..end]).unwrap()
}

#[test]
fn answer_shows_every_variant_and_survives_interruption() {
    let (pipeline, folder) = (pipeline(), tempfile::tempdir().unwrap());
    let generation = generation(&pipeline);
    let (whole, cut) = (folder.path().join("whole"), folder.path().join("cut"));
    let asked = question(&pipeline, &generation, &whole);
    let plan = asked.plan().unwrap();
    // Windows of two steps: all and early from the first on, late from the second; none between.
    assert_eq!(plan.unet_samples, 5 * 2 * 8 + 7 * (2 + 4 * (2 + 2 + 1)));
    assert_eq!(plan.pictures, 1 + 7 * 3 * FACTORS.len());
    let mut seen: Vec<Progress> = Vec::new();
    let answer = asked.answer(&mut |progress| seen.push(progress)).unwrap();
    assert!(seen.windows(2).all(|pair| pair[0].done <= pair[1].done));
    assert!(seen.iter().all(|progress| progress.done <= progress.total));
    assert!(answer.summary.len() >= 4 && answer.summary[0].contains("_block"));
    let page = std::fs::read_to_string(whole.join("index.html")).unwrap();
    let shown = data(&page);
    assert_eq!(shown["prompt"], generation.prompt);
    assert_eq!(shown["model"], "--model 'emoji sd'");
    assert_eq!((&shown["sampling"], &shown["arguments"]), (&json!(""), &json!("")));
    let source = shown["source"].as_str().unwrap();
    assert!(source.contains("StableDiffusionPipeline.from_pretrained(\"emoji sd\")"), "{source}");
    assert!(!page.contains("Kendall"), "no vote was asked for");
    let pictures = shown["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), plan.pictures);
    for picture in pictures {
        assert!(whole.join(picture["file"].as_str().unwrap()).is_file());
        assert_eq!(picture["psnr"] == 100.0, picture["variant"] == Value::Null, "{picture}");
    }
    assert_eq!(page.matches("</script>").count(), 2, "the prompt ends no element");
    // An interrupted page goes on to the same pictures and numbers; only times differ.
    std::fs::create_dir(&cut).unwrap();
    let read_state = |folder: &Path| -> Value {
        let text = std::fs::read_to_string(folder.join("state.json")).unwrap();
        serde_json::from_str(&files::checked(&text).unwrap()).unwrap()
    };
    let write_state = |state: &Value| {
        let text = files::with_checksum(&state.to_string());
        std::fs::write(cut.join("state.json"), text).unwrap();
    };
    let mut state = read_state(&whole);
    state["pictures"].as_array_mut().unwrap().truncate(3);
    std::fs::create_dir(cut.join("pictures")).unwrap();
    for entry in std::fs::read_dir(whole.join("pictures")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        // Of the third block a picture was lost.
        if !name.to_string_lossy().starts_with("1-block2-late") {
            std::fs::copy(&path, cut.join("pictures").join(name)).unwrap();
        }
    }
    write_state(&state);
    let resumed = question(&pipeline, &generation, &cut).answer(&mut |_| {}).unwrap();
    assert_eq!(resumed.pictures, answer.pictures);
    assert_eq!(resumed.importance.scores, answer.importance.scores);
    let again = std::fs::read_to_string(cut.join("index.html")).unwrap();
    assert_eq!(data(&again)["pictures"], shown["pictures"]);
    // With the vote it goes on as well, and a vote that was lost comes out the same.
    let config = ProbeConfig { rounds: 3, epochs: 2, ..ProbeConfig::paper() };
    let voting =
        || Question { vote: Some(config.clone()), ..question(&pipeline, &generation, &cut) };
    assert_eq!(voting().plan().unwrap().unet_samples, plan.unet_samples + 2 * 8);
    let with_vote = voting().answer(&mut |_| {}).unwrap();
    let vote = with_vote.vote.unwrap();
    assert_eq!(with_vote.pictures, answer.pictures);
    assert_eq!((vote.steps.len(), vote.blocks.len()), (2, 7));
    assert!(vote.cost.unet_samples >= 2 * 8);
    let again = std::fs::read_to_string(cut.join("index.html")).unwrap();
    assert!(again.contains("Kendall") && again.contains("3 rounds agree"), "vote's sentence");
    let mut state = read_state(&cut);
    state["vote"] = Value::Null;
    write_state(&state);
    let anew = voting().answer(&mut |_| {}).unwrap().vote.unwrap();
    assert_eq!((anew.scores, anew.cost.unet_samples), (vote.scores, vote.cost.unet_samples));
    // Another question does not go on from it.
    let other =
        Question { facts: json!({ "prompt": "else" }), ..question(&pipeline, &generation, &cut) };
    let error = other.answer(&mut |_| {}).unwrap_err().to_string();
    assert!(error.contains("state.json") && error.contains("another page"), "{error}");
}

#[test]
fn what_the_page_copies_samples_as_its_pictures_were() {
    let pipeline = pipeline();
    let settings = GenerationSettings {
        prompt: "a".into(),
        negative_prompt: Some("it's \"b\"".into()),
        seeds: vec![1],
        steps: Some(2),
        noise: NoiseKind::TorchCpu,
        sampler_noise: Some(NoiseKind::Counter),
        scheduler: SchedulerChoice::Kind(SchedulerKind::DpmSolverMultistepSde),
        sigmas: Some(SigmaSpacing::Karras),
        width: Some(96),
        ..GenerationSettings::default()
    };
    let generation = pipeline.resolve(settings).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let asked = question(&pipeline, &generation, folder.path());
    asked.answer(&mut |_| ()).unwrap();
    let shown = data(&std::fs::read_to_string(folder.path().join("index.html")).unwrap());
    assert_eq!(
        shown["sampling"],
        "--scheduler dpm++2m-sde --sigmas karras --noise torch-cpu --sampler-noise counter \
         --height 64 --width 96"
    );
    assert_eq!(shown["arguments"], ", negative_prompt=\"it's \\\"b\\\"\", height=64, width=96");
    let scheduler = shown["scheduler"].as_str().unwrap();
    let from = "DPMSolverMultistepScheduler.from_config(pipe.scheduler.config, \
                algorithm_type=\"sde-dpmsolver++\", use_karras_sigmas=True, \
                use_exponential_sigmas=False)";
    assert!(scheduler.ends_with(from), "{scheduler}");
}
