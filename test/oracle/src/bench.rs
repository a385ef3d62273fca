//! `bench-verify`: how fast one thread checks a shard file.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::Instant;

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
    let mut buffer = vec![0u8; per_read * shape.slot_size];
    let mut by_status = [0u64; 4];
    let (mut bad_crc, mut bad_padding) = (0u64, 0u64);
    let mut slot = 0u64;
    while slot < u64::from(shape.slot_count) {
        let count = per_read.min((u64::from(shape.slot_count) - slot) as usize);
        let bytes = &mut buffer[..count * shape.slot_size];
        file.read_exact_at(bytes, HEADER_SIZE + slot * shape.slot_size as u64)?;
        for slot in bytes.chunks_exact(shape.slot_size) {
            let status = word(slot, 0) & 3;
            by_status[status as usize] += 1;
            if status != OCCUPIED {
                continue;
            }
            bad_crc += u64::from(crc(slot, shape.record) != word(slot, 4));
            bad_padding += u64::from(slot[8 + shape.record..].iter().any(|&byte| byte != 0));
        }
        slot += count as u64;
    }
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
            .number("ms", format!("{ms:.1}")),
    );
    Ok(())
}
