//! `wrapversion`: sets slot versions in a directory at rest, to bring tests near
//! the places where the 30-bit version wraps or is half-way round.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::Fallible;
use crate::args::Args;
use crate::json;
use crate::slots::{CLEAN_FLAG_OFFSET, HEADER_SIZE, OCCUPIED, Shape, crc, read_shape, word};

const VERSION_LIMIT: u32 = 1 << 30;

pub fn run(args: &Args) -> Fallible<()> {
    let dir = args.dir()?;
    let version: u32 = args.required("version")?;
    if version >= VERSION_LIMIT {
        return Err("a version has 30 bits".into());
    }
    let mut changed = 0u64;
    if args.flag("all") {
        let only: Option<u8> = args.optional("shard")?;
        for shard in 0..=u8::MAX {
            let path = shard_dir(&dir, shard);
            if only.is_some_and(|only| only != shard) || !path.exists() {
                continue;
            }
            changed += rewrite(&path, version, None)?;
        }
    } else {
        let path = shard_dir(&dir, args.required("shard")?);
        changed = rewrite(&path, version, Some(args.required("slot")?))?;
    }
    json::say(&json::object().number("changed", changed));
    Ok(())
}

fn shard_dir(dir: &Path, shard: u8) -> std::path::PathBuf {
    dir.join(format!("shard_{shard:03}"))
}

/// Sets the version of one slot, whatever its status, or of every OCCUPIED one.
fn rewrite(shard: &Path, version: u32, only: Option<u32>) -> Fallible<u64> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(shard.join("fixed.data"))?;
    let shape = read_shape(&file)?;
    let mut changed = 0;
    match only {
        Some(slot) if slot >= shape.slot_count => {
            return Err(format!("slot {slot}: the file has {}", shape.slot_count).into());
        }
        Some(slot) => changed += u64::from(rewrite_slot(&file, &shape, slot, version, true)?),
        None => {
            for slot in 0..shape.slot_count {
                changed += u64::from(rewrite_slot(&file, &shape, slot, version, false)?);
            }
        }
    }
    // Otherwise the crate would believe the sidecar's older words.
    file.write_all_at(&[0], CLEAN_FLAG_OFFSET)?;
    file.sync_data()?;
    match std::fs::remove_file(shard.join("fixed.versions")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(changed),
    }
}

fn rewrite_slot(
    file: &File,
    shape: &Shape,
    slot: u32,
    version: u32,
    any_status: bool,
) -> Fallible<bool> {
    let offset = HEADER_SIZE + u64::from(slot) * shape.slot_size as u64;
    let mut bytes = vec![0u8; 8 + shape.record];
    file.read_exact_at(&mut bytes[..4], offset)?;
    let status = word(&bytes, 0) & 3;
    if status != OCCUPIED && !any_status {
        return Ok(false);
    }
    file.read_exact_at(&mut bytes, offset)?;
    bytes[..4].copy_from_slice(&(version << 2 | status).to_le_bytes());
    // The crc of a slot that is not OCCUPIED is stale in real files too.
    if status == OCCUPIED {
        let fresh = crc(&bytes, shape.record).to_le_bytes();
        bytes[4..8].copy_from_slice(&fresh);
    }
    file.write_all_at(&bytes[..8], offset)?;
    Ok(true)
}
