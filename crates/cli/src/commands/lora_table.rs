//! What LoRAs change, part by part: the rows of `inspect --lora`.

use lora::LoraChoice;
use pipeline::{LoraNorms, LoraPart, PipelineConfigs, lora_norms};
use serde_json::{Value, json};

/// The name that LoRA block weights give to text encoders.
const BASE: &str = "BASE";

/// What each LoRA changes: itself, `parts` and `whole`.
pub fn facts(
    configs: &PipelineConfigs,
    (model, base): (&str, Option<&str>),
    choices: &[LoraChoice],
) -> anyhow::Result<Vec<Value>> {
    let of = |norms: LoraNorms| {
        let LoraNorms { lora, parts, whole } = norms;
        let mut facts = serde_json::to_value(lora)?;
        facts["parts"] = parts.iter().map(|part| part_facts(configs, part)).collect();
        facts["whole"] = part_facts(configs, &whole);
        Ok(facts)
    };
    lora_norms(model, base, choices)?.into_iter().map(of).collect()
}

fn part_facts(configs: &PipelineConfigs, part: &LoraPart) -> Value {
    let table = configs.unet.blocks();
    let block = table.iter().find(|block| block.path == part.path);
    let names = match (block, part.path.starts_with("text_encoder")) {
        (Some(block), _) => Some(block.lora_block_weights()),
        (None, true) => Some(vec![BASE.to_string()]),
        (None, false) => None,
    };
    json!({
        "path": part.path,
        "index": block.map(|block| block.site.index),
        "comfyui": block.map(|block| &block.comfyui),
        "lora_block_weight": names,
        "layers": part.layers,
        "ranks": part.ranks,
        "parameters": part.parameters,
        "change": part.change,
        "weights": part.weights,
        "relative": part.relative(),
    })
}

/// The table of one LoRA.
pub fn print(facts: &Value) -> anyhow::Result<()> {
    terminal::line(format!(
        "{}, strength {}{}: norms of its changes, and of the weights of the layers that it changes",
        facts["file"].as_str().unwrap_or(""),
        facts["strength"],
        match facts["blocks"].as_array() {
            Some(blocks) => format!(", merged into {}", joined(blocks, ", ")),
            None => String::new(),
        }
    ))?;
    terminal::line(format!(
        "block  path             layers  {:>7}  {:>12}  {:>9}  {:>9}  {:>8}  {:<30}  LoRA block weight",
        "rank", "parameters M", "change", "weights", "relative", "ComfyUI"
    ))?;
    let parts = facts["parts"].as_array().into_iter().flatten();
    parts.chain([&facts["whole"]]).try_for_each(|part| terminal::line(row(part)))
}

fn row(part: &Value) -> String {
    let rank = match &part["ranks"] {
        Value::Array(ranks) if ranks[0] == ranks[1] => ranks[0].to_string(),
        Value::Array(ranks) => format!("{}–{}", ranks[0], ranks[1]),
        _ => "-".into(),
    };
    let number = |value: &Value| value.as_f64();
    let text = |value: Option<f64>, form: &dyn Fn(f64) -> String| {
        value.map_or_else(|| "-".to_string(), form)
    };
    let names =
        |key: &str| part[key].as_array().map_or_else(String::new, |names| joined(names, " "));
    let line = format!(
        "{:>5}  {:<15}  {:>6}  {rank:>7}  {:>12.3}  {:>9.4}  {:>9}  {:>8}  {:<30}  {}",
        part["index"].as_u64().map_or_else(|| "-".into(), |index| index.to_string()),
        part["path"].as_str().unwrap_or(""),
        part["layers"],
        number(&part["parameters"]).unwrap_or(0.0) / 1e6,
        number(&part["change"]).unwrap_or(0.0),
        text(number(&part["weights"]), &|value| format!("{value:.2}")),
        text(number(&part["relative"]), &|value| format!("{:.2} %", 100.0 * value)),
        names("comfyui"),
        names("lora_block_weight"),
    );
    line.trim_end().to_string()
}

fn joined(names: &[Value], by: &str) -> String {
    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(by)
}
