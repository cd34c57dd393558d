//! A safetensors file: its header is read once, its tensors one by one when asked for.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use files::FileError;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::WeightsError;
use crate::values::{Float, Values};

/// Largest header that is read; the one of the largest published model has a few megabytes.
const MAX_HEADER: u64 = 100_000_000;

/// An open safetensors file.
#[derive(Debug)]
pub(crate) struct SafetensorsFile {
    file: Mutex<File>,
    /// Where the tensors' bytes begin.
    start: u64,
    tensors: Vec<(String, TensorInfo)>,
    metadata: HashMap<String, String>,
}

impl SafetensorsFile {
    /// Reads the header; every tensor it names is known to lie within the file afterwards.
    pub(crate) fn open(path: &Path) -> Result<Self, WeightsError> {
        let mut file = files::open(path)?;
        let length = file.metadata().map_err(FileError::at(path))?.len();
        let broken = |reason| WeightsError::Format { path: PathBuf::from(path), reason };
        if length < 8 {
            return Err(broken(format!(
                "it has {length} bytes, fewer than the length of a header"
            )));
        }
        let mut header_length = [0; 8];
        file.read_exact(&mut header_length).map_err(FileError::at(path))?;
        let header_length = u64::from_le_bytes(header_length);
        if header_length > MAX_HEADER || header_length > length - 8 {
            let most = MAX_HEADER.min(length - 8);
            return Err(broken(format!(
                "its header claims {header_length} bytes; the file of {length} bytes allows {most}"
            )));
        }
        let mut header = vec![0; header_length as usize];
        file.read_exact(&mut header).map_err(FileError::at(path))?;
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| broken(error.to_string()))?;
        let (start, data) = (8 + header_length, metadata.data_len() as u64);
        if length - start != data {
            let found = length - start;
            return Err(broken(format!(
                "its header describes {data} bytes of tensors, behind it are {found}"
            )));
        }
        let tensors = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone()));
        let tensors = tensors.collect();
        let metadata = metadata.metadata().clone().unwrap_or_default();
        Ok(Self { file: Mutex::new(file), start, tensors, metadata })
    }

    /// What the header says under `key`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    pub(crate) fn tensors(&self) -> impl Iterator<Item = (&str, FileTensor<'_>)> {
        self.tensors.iter().map(|(name, info)| (name.as_str(), FileTensor { file: self, info }))
    }
}

/// A tensor in a safetensors file.
#[derive(Debug, Clone, Copy)]
pub struct FileTensor<'a> {
    file: &'a SafetensorsFile,
    info: &'a TensorInfo,
}

impl<'a> FileTensor<'a> {
    pub(crate) fn shape(&self) -> &'a [usize] {
        &self.info.shape
    }

    pub(crate) fn dtype(&self) -> Dtype {
        self.info.dtype
    }

    pub(crate) fn float(&self) -> Option<Float> {
        match self.info.dtype {
            Dtype::F16 => Some(Float::F16),
            Dtype::BF16 => Some(Float::BF16),
            Dtype::F32 => Some(Float::F32),
            Dtype::F64 => Some(Float::F64),
            _ => None,
        }
    }

    /// Its values, which are of type `float`.
    pub(crate) fn read(&self, float: Float) -> io::Result<Values> {
        let (begin, end) = self.info.data_offsets;
        let mut file = self.file.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.file.start + begin as u64))?;
        Values::read(float, (end - begin) / float.size(), |bytes| file.read_exact(bytes))
    }
}
