//! The tokenizers and text encoders of a pipeline.

use burn::tensor::{Device, FloatDType, Tensor};
use clip::{CLIPTextModel, CLIPTokenizer};
use weights::Additions;

use crate::folder::text_encoders;
use crate::{Conditioning, PipelineError};

/// The tokenizers and text encoders of a pipeline.
#[derive(Debug)]
pub(crate) enum TextEncoders {
    /// One encoder; its last hidden state after the final norm (SD 1.x, 2.x).
    Single { tokenizer: Box<CLIPTokenizer>, encoder: Box<CLIPTextModel> },
    /// Two encoders; their penultimate hidden states side by side, and the second's pooled
    /// projection (SDXL).
    Double {
        tokenizers: Box<[CLIPTokenizer; 2]>,
        encoders: Box<[CLIPTextModel; 2]>,
        /// Whether an absent negative prompt is all zeros instead of an encoded empty text.
        zeros_for_absent_negative: bool,
    },
}

impl TextEncoders {
    /// Encodes every prompt by itself, so that its rounding does not depend on its neighbours.
    pub(crate) fn encode(&self, prompts: &[String]) -> Result<Conditioning, PipelineError> {
        let encoded = prompts.iter().map(|prompt| self.encode_one(prompt));
        encoded.reduce(Conditioning::followed_by).ok_or_else(|| {
            PipelineError::Request("expected at least one prompt, found none".into())
        })
    }

    fn encode_one(&self, prompt: &str) -> Conditioning {
        match self {
            Self::Single { tokenizer, encoder } => {
                let output = encoder.forward(&[tokenizer.encode(prompt)]);
                Conditioning { embeds: output.last_hidden_state, pooled: None }
            }
            Self::Double { tokenizers, encoders, .. } => {
                let mut outputs = tokenizers
                    .iter()
                    .zip(encoders.iter())
                    .map(|(tokenizer, encoder)| encoder.forward(&[tokenizer.encode(prompt)]));
                let (Some(first), Some(second)) = (outputs.next(), outputs.next()) else {
                    unreachable!("there are two encoders");
                };
                let penultimate = |states: &[Tensor<3>]| states[states.len() - 2].clone();
                let states = [&first.hidden_states, &second.hidden_states].map(|s| penultimate(s));
                Conditioning {
                    embeds: Tensor::cat(states.to_vec(), 2),
                    pooled: Some(second.text_embeds.unwrap_or(second.pooled)),
                }
            }
        }
    }

    /// The negative side of guidance for `like`'s samples.
    pub(crate) fn encode_negative(
        &self,
        negative: Option<&str>,
        like: &Conditioning,
    ) -> Result<Conditioning, PipelineError> {
        if let (None, Self::Double { zeros_for_absent_negative: true, .. }) = (negative, self) {
            return Ok(Conditioning {
                embeds: like.embeds.zeros_like(),
                pooled: like.pooled.as_ref().map(Tensor::zeros_like),
            });
        }
        let one = self.encode(&[negative.unwrap_or("").to_string()])?;
        Ok(one.repeated(like.batch()))
    }

    /// Those of `prompts` that are longer than the encoders can read.
    pub(crate) fn truncated<'a>(&self, prompts: &'a [String]) -> Vec<&'a str> {
        let tokenizer = match self {
            Self::Single { tokenizer, .. } => &**tokenizer,
            Self::Double { tokenizers, .. } => &tokenizers[0],
        };
        prompts.iter().filter(|prompt| tokenizer.is_truncated(prompt)).map(String::as_str).collect()
    }

    pub(crate) fn load(
        folder: &std::path::Path,
        index: &serde_json::Value,
        additions: &[Additions; 2],
        dtype: FloatDType,
        device: &Device,
    ) -> Result<Self, PipelineError> {
        let names = text_encoders(index);
        let tokenizers = ["tokenizer", "tokenizer_2"][..names.len()]
            .iter()
            .map(|name| CLIPTokenizer::from_folder(folder.join(name)))
            .collect::<Result<Vec<_>, _>>()?;
        let encoders = names
            .iter()
            .zip(additions)
            .map(|(name, additions)| {
                CLIPTextModel::from_folder_with(folder.join(name), additions, dtype, device)
            })
            .collect::<Result<Vec<_>, _>>()?;
        for (tokenizer, encoder) in tokenizers.iter().zip(&encoders) {
            encoder.config().check_fits(tokenizer)?;
        }
        // diffusers' default, where a model has two encoders.
        let zeros = index["force_zeros_for_empty_prompt"].as_bool().unwrap_or(true);
        Self::assemble(tokenizers, encoders, zeros).ok_or_else(|| PipelineError::Folder {
            path: folder.to_path_buf(),
            reason: "it has no text encoder".into(),
        })
    }

    /// One tokenizer and encoder, or two of each; `None` for any other number.
    pub(crate) fn assemble(
        tokenizers: Vec<CLIPTokenizer>,
        encoders: Vec<CLIPTextModel>,
        zeros_for_absent_negative: bool,
    ) -> Option<Self> {
        if tokenizers.len() != encoders.len() {
            return None;
        }
        let (mut tokenizers, mut encoders) = (tokenizers.into_iter(), encoders.into_iter());
        let (tokenizer, encoder) = (tokenizers.next()?, encoders.next()?);
        Some(match (tokenizers.next(), encoders.next()) {
            (Some(second), Some(second_encoder)) => Self::Double {
                tokenizers: Box::new([tokenizer, second]),
                encoders: Box::new([encoder, second_encoder]),
                zeros_for_absent_negative,
            },
            _ => Self::Single { tokenizer: Box::new(tokenizer), encoder: Box::new(encoder) },
        })
    }

    /// Channels of the context the encoders make, and of the pooled embedding where there is one.
    pub(crate) fn widths(&self) -> (usize, Option<usize>) {
        match self {
            Self::Single { encoder, .. } => (encoder.config().hidden_size, None),
            Self::Double { encoders, .. } => {
                let [first, second] = [encoders[0].config(), encoders[1].config()];
                let pooled = if second.with_projection() {
                    second.projection_dim
                } else {
                    second.hidden_size
                };
                (first.hidden_size + second.hidden_size, Some(pooled))
            }
        }
    }
}
