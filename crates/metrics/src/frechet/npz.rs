//! numpy's archives of arrays, as far as statistics need them.

use std::fs::File;
use std::io::{Error, Write};
use std::path::Path;

use files::{AtomicFile, FileError};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::FeatureStatistics;
use super::npy::{self, Array};
use crate::MetricsError;

pub(super) fn load(path: &Path) -> Result<FeatureStatistics, MetricsError> {
    let broken = |reason: String| MetricsError::broken(path, reason);
    let mut archive = ZipArchive::new(files::open(path)?)
        .map_err(|error| broken(format!("expected an .npz archive: {error}")))?;
    let required = |array: Option<Array>, name: &str| {
        array.ok_or_else(|| broken(format!("expected an array `{name}`, found none")))
    };
    let mean = required(array(&mut archive, "mu").map_err(broken)?, "mu")?;
    let covariance = required(array(&mut archive, "sigma").map_err(broken)?, "sigma")?;
    let dims = mean.values.len();
    if mean.shape != [dims] || covariance.shape != [dims, dims] {
        return Err(broken(format!(
            "expected `mu` [d] and `sigma` [d, d], found {:?} and {:?}",
            mean.shape, covariance.shape
        )));
    }
    let count = array(&mut archive, "n").map_err(broken)?;
    let count = count.and_then(|array| array.values.first().map(|count| *count as usize));
    Ok(FeatureStatistics { count, mean: mean.values, covariance: covariance.values })
}

/// An array of the archive, nothing where there is none of this name.
fn array(archive: &mut ZipArchive<File>, name: &str) -> Result<Option<Array>, String> {
    let describe = |error: &dyn std::fmt::Display| format!("array `{name}`: {error}");
    match archive.by_name(&format!("{name}.npy")) {
        Ok(entry) => npy::read(entry).map(Some).map_err(|error| describe(&error)),
        Err(ZipError::FileNotFound) => Ok(None),
        Err(error) => Err(describe(&error)),
    }
}

pub(super) fn save(statistics: &FeatureStatistics, path: &Path) -> Result<(), MetricsError> {
    let dims = statistics.dims();
    let mut arrays = vec![
        ("mu.npy", npy::write_f64(&statistics.mean, &[dims])),
        ("sigma.npy", npy::write_f64(&statistics.covariance, &[dims, dims])),
    ];
    if let Some(count) = statistics.count {
        arrays.push(("n.npy", npy::write_i64(&[count as i64], &[])));
    }
    let mut file = AtomicFile::create(path)?;
    let mut archive = ZipWriter::new(&mut file);
    let write = || -> Result<(), Error> {
        for (name, bytes) in arrays {
            archive.start_file(name, SimpleFileOptions::default())?;
            archive.write_all(&bytes)?;
        }
        Ok(())
    };
    write().map_err(FileError::at(path))?;
    archive.finish().map_err(|error| FileError::at(path)(error.into()))?;
    Ok(file.commit()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statistics() -> FeatureStatistics {
        FeatureStatistics {
            count: Some(3),
            mean: vec![1.0, -2.5],
            covariance: vec![2.0, 0.5, 0.5, 1.0],
        }
    }

    #[test]
    fn statistics_round_trip_and_broken_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/a.npz");
        save(&statistics(), &path).unwrap();
        assert_eq!(load(&path).unwrap(), statistics());
        let bytes = std::fs::read(&path).unwrap();
        let mut flipped = bytes.clone();
        flipped[60] ^= 1;
        for content in [&bytes[..bytes.len() / 2], &flipped] {
            std::fs::write(&path, content).unwrap();
            assert!(load(&path).unwrap_err().to_string().contains("a.npz"));
        }
        assert!(save(&statistics(), &path.join("a.npz")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn statistics_are_as_readable_as_other_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (plain, path) = (folder.path().join("plain"), folder.path().join("a.npz"));
        std::fs::write(&plain, "").unwrap();
        save(&statistics(), &path).unwrap();
        assert_eq!(mode(&path), mode(&plain));
    }

    /// `tests/data/make_npz.py`.
    #[test]
    fn archives_of_numpy_are_read() {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        let expected = FeatureStatistics {
            count: None,
            mean: vec![0.125, -0.25, 3.0],
            covariance: (0..9).map(|i| f64::from(i / 3 * (i % 3)) / 8.0).collect(),
        };
        for name in ["pytorch_fid.npz", "f4_fortran.npz", "version_2_and_3.npz"] {
            assert_eq!(load(&data.join(name)).unwrap(), expected, "{name}");
        }
        let counted = load(&data.join("counted.npz")).unwrap();
        assert_eq!(counted, FeatureStatistics { count: Some(50), ..expected });
        for (name, word) in
            [("no_sigma.npz", "`sigma`"), ("flat.npz", "[9]"), ("big_endian.npz", ">f8")]
        {
            let message = load(&data.join(name)).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains(name), "{message}");
        }
    }
}
