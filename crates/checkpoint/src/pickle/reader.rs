/// Reads a byte slice from front to back; running out is an error, never a panic.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the byte at `start`, which must not be past the end.
    pub(crate) fn new(bytes: &'a [u8], start: usize) -> Self {
        Self { bytes, at: start }
    }

    /// The offset of the next byte.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..length).ok_or_else(|| {
            format!(
                "the file ends where {length} more bytes are declared, {} are left; it seems cut short: fetch it again",
                rest.len()
            )
        })?;
        self.at += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many bytes as were taken"))
    }

    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    /// A little-endian length of `N` bytes.
    pub(crate) fn length<const N: usize>(&mut self) -> Result<usize, String> {
        let bytes = self.array::<N>()?;
        let value = bytes
            .iter()
            .rev()
            .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
        usize::try_from(value).map_err(|_| format!("a length of {value} bytes"))
    }

    /// The bytes up to the next newline, which is passed over.
    pub(crate) fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or("the file ends within a line; it seems cut short: fetch it again")?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }
}
