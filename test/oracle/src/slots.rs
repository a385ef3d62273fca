//! The shard file as bytes, for the two modes that do without the crate.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use crate::Fallible;

pub const HEADER_SIZE: u64 = 4096;
pub const CLEAN_FLAG_OFFSET: u64 = 17;
pub const OCCUPIED: u32 = 1;

pub struct Shape {
    pub slot_size: usize,
    pub slot_count: u32,
    /// Bytes of key and value; what follows in the slot is padding.
    pub record: usize,
}

pub fn read_shape(file: &File) -> Fallible<Shape> {
    let mut header = [0u8; 16];
    file.read_exact_at(&mut header, 0)?;
    if &header[..6] != b"FIXD\x02\x00" {
        return Err("not a fixed.data file of version 2".into());
    }
    let short = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
    let slot_count = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    let shape = Shape {
        slot_size: short(6),
        slot_count,
        record: short(12) + short(14),
    };
    if shape.slot_size < 8 + shape.record {
        return Err("slot_size is smaller than its fields".into());
    }
    Ok(shape)
}

pub fn word(slot: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([slot[at], slot[at + 1], slot[at + 2], slot[at + 3]])
}

/// Covers the meta word, key and value, but not the crc's own four bytes.
pub fn crc(slot: &[u8], record: usize) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&slot[..4]);
    hasher.update(&slot[8..8 + record]);
    hasher.finalize()
}
