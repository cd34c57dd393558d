use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::table::escape;
use crate::tables::Rendered;
use crate::{Context, ReproduceError, paper};

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:1200px;margin:2em auto;padding:0 1em;\
color:#222}table{border-collapse:collapse;margin:1em 0;font-size:13px}th,td{border:1px solid #ccc;\
padding:3px 8px;text-align:left}th{background:#f4f4f4}.better{background:#e2f4e2}.worse{background:\
#fbe3e3}.note{color:#555;max-width:60em}.paper{color:#555}figure{display:inline-block;margin:4px;\
text-align:center;font-size:12px}img{width:128px;image-rendering:pixelated;border:1px solid #ddd}\
.wide{overflow-x:auto}";

/// One self-contained page with everything that was measured.
pub(crate) fn report(context: &Context, rendered: &Rendered) -> Result<String, ReproduceError> {
    let (study, experiment) = (&context.study, context.experiment());
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>\
         <style>{STYLE}</style><h1>{0}</h1><p class=\"note\">Model {1} ({2}…), {3} prompts in {4} \
         categories, guidance {5}, DDIM, seeds {6} and {7}, version {8}. All values in the tables \
         below were measured on this model{9}.</p>",
        escape(&experiment.name),
        escape(context.pipeline.name()),
        context.model_sha256.get(..12).unwrap_or(""),
        study.examples(),
        study.styles.len(),
        experiment.guidance_scale,
        experiment.train_seed,
        experiment.test_seed,
        env!("CARGO_PKG_VERSION"),
        if paper::is_of_the_paper(study)? {
            "; what the paper prints for it stands in brackets, and again at the end"
        } else {
            "; the paper's own figures, for other models and another metric, stand at the end"
        },
    );
    for table in &rendered.tables {
        let _ = write!(page, "<div class=\"wide\">{}</div>", table.to_html());
        let figure = match table.name.as_str() {
            "table-2" => "heat-map",
            other => other,
        };
        for (_, svg) in rendered.figures.iter().filter(|(name, _)| name == figure) {
            page.push_str(svg);
        }
    }
    if !rendered.pictures.is_empty() {
        page.push_str("<h2>Pictures side by side</h2>");
    }
    for (caption, pictures) in &rendered.pictures {
        let _ = write!(page, "<h4>{}</h4>", escape(caption));
        for (label, png) in pictures {
            let _ = write!(
                page,
                "<figure><img alt=\"\" src=\"data:image/png;base64,{}\"><br>{}</figure>",
                STANDARD.encode(png),
                escape(label)
            );
        }
    }
    page.push_str("<h2>What the paper prints</h2>");
    for table in paper::beside(study)? {
        let _ = write!(page, "<div class=\"wide\">{}</div>", table.to_html());
    }
    page.push_str("</html>\n");
    Ok(page)
}
