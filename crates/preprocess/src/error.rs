/// A photo that cannot be read, or a transform that is not valid.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessError {
    /// The bytes are no image of a known format, or a damaged one.
    #[error("cannot be read as a JPEG, PNG, WebP or BMP image: {0}")]
    Decode(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An image without pixels.
    #[error("the image is empty: {width} x {height} pixels")]
    Empty {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// An image whose header asks for more memory than a photo may take.
    #[error(
        "the image is too large: {width} x {height} pixels, which take {bytes} bytes to decode, and {limit} are allowed; \
         make it smaller"
    )]
    TooLarge {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The bytes that decoding it takes.
        bytes: u64,
        /// The bytes that it may take.
        limit: u64,
    },
    /// The machine lacks the memory that an image takes.
    #[error("there is no memory for the image: {bytes} bytes")]
    Memory {
        /// The bytes that were asked for.
        bytes: u64,
    },
    /// Sizes or statistics with which no image can be prepared.
    #[error("preprocessing: {0}")]
    Transform(String),
}

impl PreprocessError {
    /// A file that is refused, and why.
    pub(crate) fn decode(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Decode(why.into())
    }
}

impl From<libjpeg_turbo_rs::JpegError> for PreprocessError {
    fn from(error: libjpeg_turbo_rs::JpegError) -> Self {
        Self::decode(error)
    }
}

impl From<png::DecodingError> for PreprocessError {
    fn from(error: png::DecodingError) -> Self {
        Self::decode(error)
    }
}

impl From<image_webp::DecodingError> for PreprocessError {
    fn from(error: image_webp::DecodingError) -> Self {
        Self::decode(error)
    }
}
