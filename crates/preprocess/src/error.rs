/// A photo that cannot be read, or a transform that makes no sense.
#[derive(Debug, thiserror::Error)]
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
    /// Sizes or statistics that no image can be prepared with.
    #[error("preprocessing: {0}")]
    Transform(String),
}

impl From<image::ImageError> for PreprocessError {
    fn from(error: image::ImageError) -> Self {
        Self::Decode(Box::new(error))
    }
}

impl From<libjpeg_turbo_rs::JpegError> for PreprocessError {
    fn from(error: libjpeg_turbo_rs::JpegError) -> Self {
        Self::Decode(Box::new(error))
    }
}
