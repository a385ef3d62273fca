//! `watch`: how long a put takes until it stands in a follower's file. Reads one
//! marked slot over and over; its value begins with the time of its put (see the
//! leader's `rate`).

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Fallible;
use crate::args::Args;
use crate::json;

/// Bytes before a file's first slot.
pub const HEADER: u64 = 4096;
const PAUSE: Duration = Duration::from_micros(20);

/// Unix time, ns: the same clock in every process of this machine.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(0))
}

pub fn run(args: &Args) -> Fallible<()> {
    let file = File::open(args.required::<String>("file")?)?;
    let key_len: u64 = args.required("key")?;
    let value_len: u64 = args.required("value")?;
    let wanted = crate::content::unhex_any(&args.required::<String>("marked")?)?;
    let seconds: f64 = args.required("seconds")?;
    let slot_size = (8 + key_len + value_len).div_ceil(8) * 8;
    let slot = find(&file, slot_size, &wanted)?;
    let offset = HEADER + slot * slot_size + 8 + key_len;
    let mut delays = Vec::new();
    let mut last = read_stamp(&file, offset)?;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let stamp = read_stamp(&file, offset)?;
        if stamp == last {
            std::thread::sleep(PAUSE);
            continue;
        }
        last = stamp;
        delays.push(now_ns().saturating_sub(stamp) / 1000);
    }
    delays.sort_unstable();
    let at = |share: f64| {
        let index = (delays.len() as f64 * share) as usize;
        delays
            .get(index.min(delays.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    };
    json::say(
        &json::object()
            .number("samples", delays.len())
            .number("p50us", at(0.5))
            .number("p99us", at(0.99))
            .number("p999us", at(0.999)),
    );
    Ok(())
}

fn find(file: &File, slot_size: u64, wanted: &[u8]) -> Fallible<u64> {
    let slots = (file.metadata()?.len().saturating_sub(HEADER)) / slot_size;
    let mut key = vec![0u8; wanted.len()];
    for slot in 0..slots {
        file.read_exact_at(&mut key, HEADER + slot * slot_size + 8)?;
        if key == wanted {
            return Ok(slot);
        }
    }
    Err("the marked key is not in this file".into())
}

fn read_stamp(file: &File, offset: u64) -> Fallible<u64> {
    let mut bytes = [0u8; 8];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(u64::from_le_bytes(bytes))
}
