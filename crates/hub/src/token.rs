//! The access token: never printed, and checked before it is sent.

use std::fmt;

use crate::HubError;

/// An access token of the hub.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    origin: String,
}

impl Token {
    /// The token that `origin`, a variable or file, says; white space around it does not count.
    pub fn new(text: &str, origin: impl Into<String>) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self { text: text.into(), origin: origin.into() })
    }

    /// The token itself, where it can be one.
    ///
    /// # Errors
    /// [`HubError::Token`] where it has characters that cannot be sent, without showing it.
    pub fn secret(&self) -> Result<&str, HubError> {
        let wrong = self.text.chars().position(|character| !character.is_ascii_graphic());
        match wrong {
            None => Ok(&self.text),
            Some(at) => Err(HubError::Token { origin: self.origin.clone(), position: at + 1 }),
        }
    }
}

/// Says where it is from, not what it is.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token(from {})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_trimmed_checked_and_not_shown() {
        let token = Token::new(" hf_abc\r\n", "HF_TOKEN").unwrap();
        assert_eq!(token.secret().unwrap(), "hf_abc");
        assert!(Token::new(" \n", "HF_TOKEN").is_none());
        for wrong in ["hf_a\nb", "hf_a b", "hf_ä", "hf_\u{7f}", "hf_\0"] {
            let token = Token::new(wrong, "HF_TOKEN").unwrap();
            let said = format!("{} {token:?}", token.secret().unwrap_err());
            assert!(said.contains("HF_TOKEN") && !said.contains("hf_"), "{said}");
        }
    }
}
