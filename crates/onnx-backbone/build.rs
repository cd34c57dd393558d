//! Translates an ONNX file to Rust when the feature `onnx` is on.

fn main() {
    println!("cargo::rerun-if-env-changed=METRIC_ONNX");
    #[cfg(feature = "onnx")]
    translate();
}

/// Translates the file that `METRIC_ONNX` names, or the tiny one that comes along for tests.
#[cfg(feature = "onnx")]
fn translate() {
    let source = std::env::var("METRIC_ONNX").unwrap_or_else(|_| "model/tiny.onnx".into());
    println!("cargo::rerun-if-changed={source}");
    let out = std::env::var("OUT_DIR").unwrap_or_default();
    // One name whatever the file's, so that the library knows what to include.
    let copy = std::path::Path::new(&out).join("backbone.onnx");
    if let Err(error) = std::fs::copy(&source, &copy) {
        println!("cargo::error=METRIC_ONNX: cannot read `{source}`: {error}");
        return;
    }
    burn_onnx::ModelGen::new()
        .input(&copy.display().to_string())
        .out_dir("backbone/")
        .load_strategy(burn_onnx::LoadStrategy::Embedded)
        .run_from_script();
}
