/// CLIP's byte-pair tokenizer.
pub struct CLIPTokenizer;
