use clip::CLIPTokenizer;

#[test]
fn tmp() {
    let t = CLIPTokenizer::from_folder("/work/shared/fixtures/tiny-sd/tokenizer").unwrap();
    let j: serde_json::Value = serde_json::from_str(
        &std::fs::read_to_string("/work/shared/fixtures/tokens/tokens.json").unwrap(),
    )
    .unwrap();
    let prompts = j["prompts"].as_array().unwrap();
    for key in ["tiny-sd/tokenizer|hf_slow_ftfy"] {
        let ids = j["ids"][key].as_array().unwrap();
        for (i, p) in prompts.iter().enumerate() {
            let want: Vec<u32> =
                ids[i].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u32).collect();
            let got = t.encode(p.as_str().unwrap());
            if want != got {
                println!("{i} {p}\n want {want:?}\n got  {got:?}");
            }
        }
    }
}
