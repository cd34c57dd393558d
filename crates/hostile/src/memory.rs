//! How much address space a command needs.

use std::io;
use std::process::Command;

use crate::{Ending, Limits, run};

/// Address space is told to this many bytes.
const GRAIN: u64 = 8 << 20;

/// The least address space, in bytes and to 8 MiB, with which a command ends well; `None` where that
/// of `limits` is not enough.
///
/// # Errors
/// Where it cannot be started.
pub fn least_address_space(command: &Command, limits: Limits) -> io::Result<Option<u64>> {
    let ends_well = |grains: u64| {
        let limits = Limits { address_space: grains * GRAIN, ..limits };
        Ok::<_, io::Error>(run(command, limits)?.ending == Ending::Code(0))
    };
    let (mut too_few, mut enough) = (0, limits.address_space / GRAIN);
    if !ends_well(enough)? {
        return Ok(None);
    }
    while enough - too_few > 1 {
        let middle = too_few.midpoint(enough);
        if ends_well(middle)? { enough = middle } else { too_few = middle }
    }
    Ok(Some(enough * GRAIN))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn least_address_space_is_that_of_the_limit_where_it_begins_to_fail() {
        let limits = Limits { address_space: 1 << 30, time: Duration::from_secs(5) };
        let mut command = Command::new("sh");
        command.args(["-c", "test $(ulimit -v) -ge 200000"]);
        let least = least_address_space(&command, limits).unwrap().unwrap();
        assert!(least >= 200_000 * 1024 && least < 200_000 * 1024 + GRAIN, "{least}");
        let small = Limits { address_space: 100 << 20, ..limits };
        assert_eq!(least_address_space(&command, small).unwrap(), None);
    }
}
