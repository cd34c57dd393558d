//! numpy's archives of arrays, as far as statistics need them.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use npyz::{NpyFile, WriterBuilder};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::FeatureStatistics;
use crate::MetricsError;

pub(super) fn load(path: &Path) -> Result<FeatureStatistics, MetricsError> {
    let broken = |reason: String| MetricsError::broken(path, reason);
    let file = File::open(path).map_err(MetricsError::io(path))?;
    let mut archive = ZipArchive::new(file)
        .map_err(|error| broken(format!("expected an .npz archive: {error}")))?;
    let (mean, mean_shape) = array(&mut archive, "mu").map_err(broken)?;
    let (covariance, shape) = array(&mut archive, "sigma").map_err(broken)?;
    let dims = mean.len() as u64;
    if mean_shape != [dims] || shape != [dims, dims] {
        return Err(broken(format!(
            "expected `mu` [d] and `sigma` [d, d], found {mean_shape:?} and {shape:?}"
        )));
    }
    let count = match array(&mut archive, "n") {
        Ok((values, _)) => values.first().map(|count| *count as usize),
        Err(_) => None,
    };
    Ok(FeatureStatistics { count, mean, covariance })
}

/// An array of floats, row by row, and its shape.
fn array<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    name: &str,
) -> Result<(Vec<f64>, Vec<u64>), String> {
    let entry = archive
        .by_name(&format!("{name}.npy"))
        .map_err(|_| format!("expected an array `{name}`, found none"))?;
    let describe = |error: &dyn std::fmt::Display| format!("array `{name}`: {error}");
    let npy = NpyFile::new(entry).map_err(|error| describe(&error))?;
    let shape = npy.shape().to_vec();
    if npy.order() != npyz::Order::C && shape.len() > 1 {
        return Err(describe(&"expected rows one after the other, found columns"));
    }
    let kind = npy.dtype().descr();
    let values = if kind.contains("f4") {
        npy.into_vec::<f32>().map(|values| values.into_iter().map(f64::from).collect())
    } else if kind.contains("i8") {
        npy.into_vec::<i64>().map(|values| values.into_iter().map(|v| v as f64).collect())
    } else {
        npy.into_vec::<f64>()
    };
    Ok((values.map_err(|error| describe(&error))?, shape))
}

pub(super) fn save(statistics: &FeatureStatistics, path: &Path) -> Result<(), MetricsError> {
    let io = |error: std::io::Error| MetricsError::Io { path: path.into(), source: error };
    let zip = |error: zip::result::ZipError| io(std::io::Error::other(error));
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
    let mut archive = ZipWriter::new(&mut file);
    let dims = statistics.dims() as u64;
    let options = SimpleFileOptions::default();
    archive.start_file("mu.npy", options).map_err(zip)?;
    archive.write_all(&npy(&statistics.mean, &[dims]).map_err(io)?).map_err(io)?;
    archive.start_file("sigma.npy", options).map_err(zip)?;
    archive.write_all(&npy(&statistics.covariance, &[dims, dims]).map_err(io)?).map_err(io)?;
    if let Some(count) = statistics.count {
        archive.start_file("n.npy", options).map_err(zip)?;
        archive.write_all(&npy(&[count as i64], &[]).map_err(io)?).map_err(io)?;
    }
    archive.finish().map_err(zip)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

fn npy<T: npyz::AutoSerialize + Copy>(values: &[T], shape: &[u64]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes);
    let mut writer = options.begin_nd()?;
    writer.extend(values.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_round_trip_and_broken_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npz");
        let statistics = FeatureStatistics {
            count: Some(3),
            mean: vec![1.0, -2.5],
            covariance: vec![2.0, 0.5, 0.5, 1.0],
        };
        save(&statistics, &path).unwrap();
        assert_eq!(load(&path).unwrap(), statistics);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("a.npz"));
        assert!(save(&statistics, &folder.path().join("none/a.npz")).is_err());
    }
}
