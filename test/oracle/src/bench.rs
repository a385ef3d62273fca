//! `bench-verify`: how fast one thread checks a shard file: crc and padding, and with `--shards` and `--shard` also that every
//! live key belongs here and is live once.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

use xxhash_rust::xxh3::xxh3_64;

use crate::Fallible;
use crate::args::Args;
use crate::json;
use crate::slots::{HEADER_SIZE, OCCUPIED, crc, read_shape, word};

const READ_SIZE: usize = 1024 * 1024;

pub fn verify(args: &Args) -> Fallible<()> {
    let path = args.word(1, "the path of a fixed.data")?;
    let start = Instant::now();
    let file = File::open(path)?;
    let shape = read_shape(&file)?;
    let expected: Option<usize> = args.optional("key")?;
    if let (Some(key), Some(value)) = (expected, args.optional::<usize>("value")?)
        && key + value != shape.record
    {
        return Err("the header names other sizes".into());
    }

    let per_read = (READ_SIZE / shape.slot_size).max(1);
    let mut keys = match args.optional::<u64>("shards")? {
        Some(shards) => Some(Keys::new(shards, args.required("shard")?, args.required("key")?)),
        None => None,
    };
    let mut buffer = vec![0u8; per_read * shape.slot_size];
    let mut by_status = [0u64; 4];
    let (mut bad_crc, mut bad_padding) = (0u64, 0u64);
    let mut slot = 0u64;
    while slot < u64::from(shape.slot_count) {
        let count = per_read.min((u64::from(shape.slot_count) - slot) as usize);
        let bytes = &mut buffer[..count * shape.slot_size];
        file.read_exact_at(bytes, HEADER_SIZE + slot * shape.slot_size as u64)?;
        for (number, slot) in (slot..).zip(bytes.chunks_exact(shape.slot_size)) {
            let status = word(slot, 0) & 3;
            by_status[status as usize] += 1;
            if status != OCCUPIED {
                continue;
            }
            if crc(slot, shape.record) != word(slot, 4) {
                bad_crc += 1;
            } else if let Some(keys) = &mut keys {
                keys.note(slot, number as u32);
            }
            bad_padding += u64::from(slot[8 + shape.record..].iter().any(|&byte| byte != 0));
        }
        slot += count as u64;
    }
    let (misrouted, doubled) = keys.map_or((0, 0), Keys::finish);
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    json::say(
        &json::object()
            .number("slots", slot)
            .number("free", by_status[0])
            .number("occupied", by_status[1])
            .number("deleted", by_status[2])
            .number("unknown", by_status[3])
            .number("badCrc", bad_crc)
            .number("badPadding", bad_padding)
            .number("misrouted", misrouted)
            .number("doubled", doubled)
            .number("ms", format!("{ms:.1}")),
    );
    Ok(())
}

/// Live keys by the hash that routes them: what hashes alike may be one key twice.
struct Keys {
    shards: u64,
    shard: u64,
    key: usize,
    misrouted: u64,
    /// By the first byte of the hash, so that each part sorts within the cache.
    buckets: Vec<Vec<(u32, u32)>>,
}

impl Keys {
    fn new(shards: u64, shard: u64, key: usize) -> Self {
        let buckets = vec![Vec::new(); 256];
        Self { shards, shard, key, misrouted: 0, buckets }
    }

    fn note(&mut self, slot: &[u8], number: u32) {
        let hash = xxh3_64(&slot[8..8 + self.key]);
        self.misrouted += u64::from(hash % self.shards != self.shard);
        let print = (hash >> 32) as u32;
        self.buckets[(print >> 24) as usize].push((print, number));
    }

    /// Misrouted keys, and pairs of slots that hash alike.
    fn finish(mut self) -> (u64, u64) {
        let mut doubled = 0;
        for bucket in &mut self.buckets {
            bucket.sort_unstable_by_key(|pair| pair.0);
            doubled += bucket.windows(2).filter(|pair| pair[0].0 == pair[1].0).count() as u64;
        }
        (self.misrouted, doubled)
    }
}
