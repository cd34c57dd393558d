//! Which shard a job of an array does.

use anyhow::{Context as _, bail};
use reproduce::Shard;

/// The shard that a job array of Slurm gives a job, by the environment's `variable`s.
pub(crate) fn shard_of_array(
    variable: &dyn Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<Shard>> {
    let Some(id) = variable("SLURM_ARRAY_TASK_ID") else { return Ok(None) };
    let number = |name: &str| {
        let text = variable(&format!("SLURM_ARRAY_TASK_{name}")).unwrap_or_default();
        let wrong = || format!("expected a number in SLURM_ARRAY_TASK_{name}, found `{text}`");
        text.parse::<usize>().with_context(wrong)
    };
    let (min, max, count) = (number("MIN")?, number("MAX")?, number("COUNT")?);
    let index = number("ID")?.checked_sub(min).filter(|index| *index < count);
    match index {
        Some(index) if max.checked_sub(min) == count.checked_sub(1) => {
            Ok(Some(Shard { index, count }))
        }
        _ => bail!(
            "expected a job array without gaps, found job {id} of {count} from {min} to {max}: \
             --shard says which part of the work is meant"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_of_array_follows_arrays_without_gaps_and_refuses_others() {
        let of = |values: [&str; 4]| {
            let names = ["ID", "MIN", "MAX", "COUNT"];
            shard_of_array(&|name| {
                let name = name.strip_prefix("SLURM_ARRAY_TASK_")?;
                let place = names.iter().position(|each| *each == name)?;
                Some(values[place].into()).filter(|value: &String| !value.is_empty())
            })
        };
        assert_eq!(of(["", "", "", ""]).unwrap(), None);
        let shard = |index, count| Some(Shard { index, count });
        assert_eq!(of(["3", "1", "8", "8"]).unwrap(), shard(2, 8));
        assert_eq!(of(["0", "0", "0", "1"]).unwrap(), shard(0, 1));
        for gaps in [["3", "3", "7", "2"], ["4", "0", "8", "5"], ["9", "1", "8", "8"]] {
            assert!(of(gaps).unwrap_err().to_string().contains("--shard"), "{gaps:?}");
        }
        assert!(of(["1", "1", "x", "8"]).unwrap_err().to_string().contains("TASK_MAX"));
    }
}
