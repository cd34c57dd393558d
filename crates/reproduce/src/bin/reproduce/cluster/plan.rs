//! What falls to each job, as the plan has it.

use reproduce::Balance;

use super::Planned;
use super::args::Array;
use crate::args::ReproduceArgs;
use crate::progress::spoken;

/// Says how much the jobs have to do; nothing counts as done.
pub(crate) fn say(args: &ReproduceArgs, planned: &[Planned], array: Array) -> anyhow::Result<()> {
    let (mut common, mut shards) = (0u64, vec![0u64; array.count]);
    for Planned { study, parts, .. } in planned {
        let balance = Balance::new(study, parts, array.count)?;
        common = common.saturating_add(balance.common);
        for (sum, shard) in shards.iter_mut().zip(&balance.shards) {
            *sum = sum.saturating_add(*shard);
        }
    }
    let time = |samples: u64| match args.seconds_per_sample {
        Some(seconds) => format!(", {}", spoken(samples as f64 * seconds)),
        None => String::new(),
    };
    let (least, most) =
        (shards.iter().min().copied().unwrap_or(0), shards.iter().max().copied().unwrap_or(0));
    terminal::line(format_args!(
        "U-Net samples, with one for each unit of work: common {common}{}; each of {} shards \
         {least} to {most}{}",
        time(common),
        array.count,
        time(most)
    ))
}
