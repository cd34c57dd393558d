//! Token ids of the tokenizers of the other folders.

use std::path::Path;

use clip::CLIPTokenizer;

use crate::facts::Facts;
use crate::report::Report;

/// The ids of the reference tokenizer (`primary`); those of other libraries are on record only.
pub(crate) fn run(path: &Path, root: &Path, report: &mut Report<'_>) -> anyhow::Result<()> {
    let facts = Facts::open(path)?;
    let primary: String = facts.read("primary")?;
    let prompts: Vec<String> = facts.read("prompts")?;
    let mut others = 0;
    for (key, rows) in facts.get("ids")?.fields()? {
        let Some((folder, _)) = key.split_once('|').filter(|(_, variant)| *variant == primary)
        else {
            others += 1;
            continue;
        };
        let tokenizer = CLIPTokenizer::from_folder(root.join(folder))?;
        let rows: Vec<Vec<u32>> = rows.parse()?;
        if rows.len() != prompts.len() {
            report.missed(&format!("tokens/{key}"), "it has not as many rows as there are prompts");
        }
        for (i, (prompt, expected)) in prompts.iter().zip(&rows).enumerate() {
            report.equal(&format!("tokens/{key}[{i}]"), &tokenizer.encode(prompt), expected);
        }
    }
    report.note(&format!("tokens: {others} lists are other libraries' ids, which ours are not"));
    Ok(())
}
