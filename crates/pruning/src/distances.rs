//! How far a student's pictures are from its teacher's (the axes of Fig. 3).

use metrics::{FeatureNetwork, Features, Lpips, extract, frechet_from_features, kernel_distance};
use pictures::RgbImage;
use serde::{Deserialize, Serialize};

use crate::PruningError;

/// Pictures that go through a network together; distances do not depend on it.
const BATCH: usize = 8;
/// Subsets whose kernel distances are averaged, and the seed that draws them.
const KERNEL_SUBSETS: usize = 100;
const KERNEL_SEED: u64 = 1;

/// The networks that distances are measured by.
#[derive(Clone, Copy, Default)]
pub struct DistanceNetworks<'a> {
    /// Whose features Fréchet and kernel distance compare.
    pub features: Option<&'a dyn FeatureNetwork>,
    /// The perceptual distance.
    pub lpips: Option<&'a Lpips>,
}

/// How far a student's pictures are from the teacher's of the same noise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distances {
    /// Fréchet distance of the features, 0 or more; absent without features, or for fewer than 2
    /// pictures. With fewer pictures than features it is biased upwards.
    pub fid: Option<f64>,
    /// Kernel distance of the features (unbiased, may be below 0), over subsets of half the
    /// pictures; absent without features, or for fewer than 4 pictures.
    pub kid: Option<f64>,
    /// Mean LPIPS of the pairs, 0 or more; absent without LPIPS.
    pub lpips: Option<f64>,
}

/// The teacher's pictures, to which those of every student are compared.
pub struct TeacherPictures<'a> {
    networks: DistanceNetworks<'a>,
    pictures: Vec<RgbImage>,
    features: Option<Features>,
}

impl<'a> TeacherPictures<'a> {
    /// Prepares the teacher's pictures, whose features are computed once.
    ///
    /// # Errors
    /// [`PruningError::Settings`] where there is no picture, [`PruningError::Metrics`].
    pub fn new(
        pictures: Vec<RgbImage>,
        networks: DistanceNetworks<'a>,
    ) -> Result<Self, PruningError> {
        if pictures.is_empty() {
            return Err(PruningError::Settings(
                "expected at least one picture of the teacher's, found none".into(),
            ));
        }
        let features = features(networks.features, &pictures)?;
        Ok(Self { networks, pictures, features })
    }

    /// The distances of a student's pictures, in the order of the teacher's.
    ///
    /// # Errors
    /// [`PruningError::Settings`] for another number of pictures, [`PruningError::Metrics`] for
    /// pictures that differ in size.
    pub fn distances(&self, student: &[RgbImage]) -> Result<Distances, PruningError> {
        let (expected, found) = (self.pictures.len(), student.len());
        if found != expected {
            return Err(PruningError::Settings(format!(
                "expected as many pictures of the student's as of the teacher's, {expected}, found \
                 {found}"
            )));
        }
        let lpips = self.networks.lpips.map(|lpips| self.mean_lpips(lpips, student)).transpose()?;
        let student = features(self.networks.features, student)?;
        let (Some(student), Some(teacher)) = (student, &self.features) else {
            return Ok(Distances { fid: None, kid: None, lpips });
        };
        let fid = match found {
            0 | 1 => None,
            _ => Some(frechet_from_features(&student, teacher)?),
        };
        let kid = match found {
            0..=3 => None,
            _ => {
                let half = found / 2;
                Some(kernel_distance(&student, teacher, KERNEL_SUBSETS, half, KERNEL_SEED)?.mean)
            }
        };
        Ok(Distances { fid, kid, lpips })
    }

    fn mean_lpips(&self, lpips: &Lpips, student: &[RgbImage]) -> Result<f64, PruningError> {
        let mut sum = 0.0;
        for (student, teacher) in student.chunks(BATCH).zip(self.pictures.chunks(BATCH)) {
            sum += lpips.distances(student, teacher)?.total.iter().sum::<f64>();
        }
        Ok(sum / student.len() as f64)
    }
}

fn features(
    network: Option<&dyn FeatureNetwork>,
    pictures: &[RgbImage],
) -> Result<Option<Features>, PruningError> {
    let open = |index: usize| Ok(pictures[index].clone());
    let extract = |network| extract(network, pictures.len(), &open, BATCH, &mut |_| {});
    Ok(network.map(extract).transpose()?)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Tensor};
    use pictures::Planes;

    use super::*;

    /// The mean of each channel.
    struct MeanColour;

    impl FeatureNetwork for MeanColour {
        fn name(&self) -> String {
            "mean colour".into()
        }
        fn dims(&self) -> usize {
            3
        }
        fn device(&self) -> Device {
            Device::flex()
        }
        fn preprocess(&self, picture: &RgbImage) -> Result<Planes, metrics::MetricsError> {
            Ok(picture.to_unit())
        }
        fn forward(&self, pixels: Tensor<4>) -> Tensor<2> {
            let [batch, channels, height, width] = pixels.dims();
            pixels.reshape([batch, channels, height * width]).mean_dim(2).reshape([batch, channels])
        }
    }

    /// Pictures of one colour: red 10, 20, 30, …, and as much more as `shift`.
    fn reds(count: u8, shift: u8) -> Vec<RgbImage> {
        let red = |i: u8| 10 * (i + 1) + shift;
        (0..count)
            .map(|i| RgbImage { width: 4, height: 4, rgb: [red(i), 0, 0].repeat(16) })
            .collect()
    }

    fn teacher(count: u8) -> TeacherPictures<'static> {
        let networks = DistanceNetworks { features: Some(&MeanColour), lpips: None };
        TeacherPictures::new(reds(count, 0), networks).unwrap()
    }

    #[test]
    fn distances_of_a_shifted_set_are_the_shift() {
        // Equal covariances: the Fréchet distance is the squared distance of the means.
        let shift = 51.0 / 255.0;
        let shifted = teacher(6).distances(&reds(6, 51)).unwrap();
        // The means are rounded to f32: 2 · 0.2 · (two roundings of at most 0.5 · 2⁻²⁴) < 1e-7.
        assert!((shifted.fid.unwrap() - shift * shift).abs() < 1e-7, "{shifted:?}");
        let same = teacher(6).distances(&reds(6, 0)).unwrap();
        assert!(same.fid.unwrap().abs() < 1e-9, "{same:?}");
        assert!(shifted.kid.unwrap() > same.kid.unwrap());
        assert_eq!(shifted.lpips, None);
    }

    #[test]
    fn distances_are_absent_where_too_few_pictures_give_none() {
        let of = |count| teacher(count).distances(&reds(count, 5)).unwrap();
        assert_eq!(of(1), Distances { fid: None, kid: None, lpips: None });
        assert!(of(3).fid.is_some() && of(3).kid.is_none());
        assert!(of(4).fid.is_some() && of(4).kid.is_some());
        let nothing = TeacherPictures::new(reds(4, 0), DistanceNetworks::default()).unwrap();
        assert_eq!(nothing.distances(&reds(4, 1)).unwrap().fid, None);
    }

    #[test]
    fn distances_of_another_number_of_pictures_are_refused() {
        let error = teacher(4).distances(&reds(3, 0)).unwrap_err().to_string();
        assert!(error.contains("4, found 3"), "{error}");
        assert!(TeacherPictures::new(vec![], DistanceNetworks::default()).is_err());
    }
}
