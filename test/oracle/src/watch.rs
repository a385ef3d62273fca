//! `watch`: how long a put takes until it stands in a follower's file. Reads one
//! marked slot over and over; its value begins with the time of its put and the
//! time at which the next one is due (see the leader's `rate`). Until then it
//! sleeps: reading on would take a quarter of a core from those it watches.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Fallible;
use crate::args::Args;
use crate::json;

/// Bytes before a file's first slot.
pub const HEADER: u64 = 4096;
const PAUSE: Duration = Duration::from_micros(20);
/// However late the next put may be due.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// What a marked value begins with.
const MARK_BYTES: usize = 16;

/// Times of a marked put, Unix ns.
#[derive(Clone, Copy)]
pub struct Mark {
    pub put_ns: u64,
    /// No later put of the marked key comes before this.
    pub next_due_ns: u64,
}

impl Mark {
    /// A value that begins with the mark.
    pub fn value<const V: usize>(self) -> Fallible<[u8; V]> {
        let mut value = [0u8; V];
        let start = value
            .get_mut(..MARK_BYTES)
            .ok_or("a marked value has 16 bytes at least")?;
        start[..8].copy_from_slice(&self.put_ns.to_le_bytes());
        start[8..].copy_from_slice(&self.next_due_ns.to_le_bytes());
        Ok(value)
    }

    fn read(file: &File, offset: u64) -> Fallible<Self> {
        let mut words = [[0u8; 8]; 2];
        file.read_exact_at(words.as_flattened_mut(), offset)?;
        let [put_ns, next_due_ns] = words.map(u64::from_le_bytes);
        Ok(Self {
            put_ns,
            next_due_ns,
        })
    }
}

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
    let mut last = Mark::read(&file, offset)?;
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds {
        let mark = Mark::read(&file, offset)?;
        if mark.put_ns == last.put_ns {
            std::thread::sleep(PAUSE);
            continue;
        }
        last = mark;
        let now = now_ns();
        delays.push(now.saturating_sub(mark.put_ns) / 1000);
        let due = Duration::from_nanos(mark.next_due_ns.saturating_sub(now));
        std::thread::sleep(due.min(SLEEP_MAX));
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
