//! PyTorch checkpoints: opened after their pickles were found harmless and their sizes possible.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use files::FileError;
use pytorch_reader::PytorchReader;

use crate::WeightsError;
use crate::kind::is_legacy;
use crate::pickle::check_pickles;

/// Largest description of tensors that is read; real ones have some hundred kilobytes.
const MAX_PICKLE: u64 = 32 << 20;
/// Pickles before the tensors' bytes in a legacy file: magic number, protocol, system, the saved
/// object, keys of the storages.
const LEGACY_PICKLES: usize = 5;

/// Opens a checkpoint that is a zip archive (`zipped`) or a stream of pickles.
pub(crate) fn open(path: &Path, zipped: bool) -> Result<PytorchReader, WeightsError> {
    let broken = |reason: String| WeightsError::Torch { path: path.to_path_buf(), reason };
    let file = files::open(path)?;
    let length = file.metadata().map_err(FileError::at(path))?.len();
    if zipped {
        let pickle = data_pickle(file, length).map_err(broken)?;
        check_pickles(&pickle, 1).map_err(broken)?;
    } else {
        let mut start = Vec::new();
        file.take(MAX_PICKLE).read_to_end(&mut start).map_err(FileError::at(path))?;
        let pickles = if is_legacy(&start) { LEGACY_PICKLES } else { 1 };
        check_pickles(&start, pickles).map_err(broken)?;
    }
    let reader = PytorchReader::new(path).map_err(|error| broken(error.to_string()))?;
    if reader.is_empty() {
        return Err(broken("it holds no tensors".into()));
    }
    // A view can repeat a few stored values without end, and a compressed storage can unfold to
    // a thousand times its size; `torch.save` writes neither of the weights of a model.
    let claimed = |tensor: &pytorch_reader::Tensor| tensor.byte_len() as u64;
    match reader.tensors().values().find(|tensor| claimed(tensor) > length) {
        Some(tensor) => Err(broken(format!(
            "`{}` of shape {:?} claims {} bytes, more than the {length} of the whole file",
            tensor.name,
            tensor.shape(),
            claimed(tensor)
        ))),
        None => Ok(reader),
    }
}

/// The one `data.pkl` of a zip archive of `length` bytes.
fn data_pickle(file: File, length: u64) -> Result<Vec<u8>, String> {
    let mut archive = zip::ZipArchive::new(file).map_err(|error| error.to_string())?;
    let names = archive.file_names().collect::<Result<Vec<_>, _>>();
    let names = names.map_err(|error| error.to_string())?;
    let mut pickles = names
        .iter()
        .filter(|name| name.as_ref() == "data.pkl" || name.ends_with("/data.pkl"))
        .map(|name| name.to_string());
    let name = match (pickles.next(), pickles.next()) {
        (Some(name), None) => name,
        (Some(first), Some(second)) => {
            return Err(format!("the archive holds both `{first}` and `{second}`; expected one"));
        }
        _ => return Err("the archive holds no `data.pkl`".into()),
    };
    let entry = archive.by_name(&name).map_err(|error| error.to_string())?;
    // Stored as PyTorch stores it, it cannot be larger than the file; compressed, it could unfold
    // to anything.
    let most = length.min(MAX_PICKLE);
    if entry.size() > most {
        return Err(format!("`{name}` claims {} bytes; expected at most {most}", entry.size()));
    }
    let mut bytes = Vec::new();
    entry.take(most).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}
