//! Models in the form that other programs read.

use weights::WeightsFile;

use crate::support::{fail, model, succeed};

#[test]
fn export_checkpoint_writes_one_file_and_never_over_what_is_not_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("emoji.safetensors");
    let (model, out) = (model().display().to_string(), path.display().to_string());
    let export = ["export", "checkpoint", "--model", &model, "--out", &out];
    assert_eq!(succeed(&export).trim(), out);
    let bytes = std::fs::read(&path).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    for name in [
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
        "first_stage_model.decoder.mid.attn_1.q.weight",
        "cond_stage_model.model.transformer.resblocks.1.attn.in_proj_weight",
    ] {
        assert!(file.tensors().contains_key(name), "{name}");
    }
    // The same again, over its own.
    succeed(&export);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    std::fs::write(&path, "another's").unwrap();
    assert!(fail(&export).contains("--force"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "another's");
    succeed(&[&export[..], &["--force"]].concat());
    assert!(fail(&["export", "checkpoint", "--out", "a.ckpt"]).contains(".safetensors"));
    let own = format!("{model}/unet/diffusion_pytorch_model.safetensors");
    let error = fail(&["export", "checkpoint", "--model", &model, "--force", "--out", &own]);
    assert!(error.contains("is read by this command"), "{error}");
}
