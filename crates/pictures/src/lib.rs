//! RGB pictures: decoding within limits, PNG files with text, resizing as Pillow and torch do it,
//! folders of pictures, and captioned sets in the Hugging Face `imagefolder` layout.
//!
//! ```no_run
//! use pictures::{Filter, Frame, RgbImage, resize_like_pillow};
//!
//! let picture = RgbImage::open("in.jpg")?;
//! let square = Frame::middle(picture.size(), 512)?;
//! resize_like_pillow(&picture, square, Filter::Bicubic)?.save_png("out.png", &[])?;
//! # Ok::<(), pictures::PictureError>(())
//! ```

#![warn(missing_docs)]

mod dataset;
mod decode;
mod encode;
mod error;
mod folder;
mod resample;
mod rgb;
mod text;
mod upright;

pub use dataset::{Dataset, Example};
pub use decode::Limits;
pub use error::{DecodeError, EncodeError, PictureError, SizeError};
pub use folder::{list_pictures, pair_by_name};
pub use resample::{Filter, Frame, resize_antialiased, resize_bilinear, resize_like_pillow};
pub use rgb::{Planes, RgbImage};
pub use text::png_text;
