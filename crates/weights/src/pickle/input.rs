//! The bytes of a pickle, taken from the front.

/// What was not yet read.
#[derive(Debug)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("the pickle is truncated")?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn number(&mut self, bytes: usize) -> Result<usize, String> {
        let mut value = [0; 8];
        value[..bytes].copy_from_slice(self.take(bytes)?);
        usize::try_from(u64::from_le_bytes(value)).map_err(|error| error.to_string())
    }

    /// Bytes behind a length of `bytes` bytes.
    pub(super) fn counted(&mut self, bytes: usize) -> Result<&'a [u8], String> {
        let count = self.number(bytes)?;
        self.take(count)
    }

    /// Bytes up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a [u8], String> {
        let length = self.0.iter().position(|byte| *byte == b'\n');
        let line = self.take(length.ok_or("the pickle is truncated")? + 1)?;
        Ok(&line[..line.len() - 1])
    }

    /// Up to the end of the line, as text.
    pub(super) fn text_line(&mut self) -> Result<&'a str, String> {
        std::str::from_utf8(self.line()?).map_err(|error| error.to_string())
    }

    /// A place in the memo, in decimal digits.
    pub(super) fn decimal(&mut self) -> Result<usize, String> {
        let line = self.text_line()?;
        line.parse().map_err(|_| format!("`{line}` is no place in a pickle's memo"))
    }
}
