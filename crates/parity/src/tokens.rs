use std::path::Path;

use anyhow::Context;
use clip::CLIPTokenizer;

use crate::golden::json;
use crate::report::Report;

/// The ids of the reference tokenizer (`primary`); those of other libraries are on record only.
pub(crate) fn run(path: &Path, root: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = json(path)?;
    let primary = facts["primary"].as_str().context("`primary`")?;
    let prompts: Vec<String> =
        serde_json::from_value(facts["prompts"].clone()).context("`prompts`")?;
    let all = facts["ids"].as_object().context("`ids`")?;
    for (key, rows) in all {
        let Some((folder, variant)) = key.split_once('|') else { continue };
        if variant != primary {
            continue;
        }
        let tokenizer = CLIPTokenizer::from_folder(root.join(folder))?;
        let rows: Vec<Vec<u32>> = serde_json::from_value(rows.clone()).context("rows of ids")?;
        for (i, (prompt, expected)) in prompts.iter().zip(&rows).enumerate() {
            report.equal(&format!("tokens/{key}[{i}]"), &tokenizer.encode(prompt), expected);
        }
    }
    let others = all.keys().filter(|key| !key.ends_with(&format!("|{primary}"))).count();
    report.note(&format!("tokens: {others} lists are other libraries' ids, which ours are not"));
    Ok(())
}
