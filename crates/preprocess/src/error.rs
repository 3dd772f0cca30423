/// A photo that cannot be read, or a transform that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum PreprocessError {
    /// The bytes are no image of a known format, or a damaged one.
    #[error("cannot be read as a JPEG or PNG image: {0}")]
    Decode(#[from] image::ImageError),
    /// An image without pixels.
    #[error("the image is empty: {width} x {height} pixels")]
    Empty {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Sizes or statistics that no image can be prepared with.
    #[error("preprocessing: {0}")]
    Transform(String),
}
