//! Keys and values made from integers, and hex.
//!
//! `mix64` is the finalizer of splitmix64, a bijection, so different integers
//! give different keys. It comes first in the key, big-endian, so that any prefix
//! spreads over the shards. Keys under 8 bytes use the 32-bit finalizer of murmur3.

use crate::Fallible;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

pub fn mix64(x: u64) -> u64 {
    let mut z = x.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn mix32(x: u32) -> u32 {
    let mut h = x;
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// The key of integer `index`: unique below 2^32 in 4 to 7 bytes, always above.
pub fn key<const K: usize>(index: u64) -> [u8; K] {
    let mut key = [0u8; K];
    if K < 8 {
        key[..4].copy_from_slice(&mix32(index as u32).to_be_bytes());
    } else {
        for (word, chunk) in key.chunks_mut(8).enumerate() {
            let bytes = mix64(index.wrapping_add((word as u64) << 48)).to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
    key
}

/// The value of integer `index` under `seed`.
pub fn value<const V: usize>(seed: u64, index: u64) -> [u8; V] {
    let state = mix64(seed) ^ mix64(!index);
    let mut value = [0u8; V];
    for (word, chunk) in value.chunks_mut(8).enumerate() {
        let bytes = mix64(state.wrapping_add(word as u64)).to_le_bytes();
        chunk.copy_from_slice(&bytes[..chunk.len()]);
    }
    value
}

pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[(byte >> 4) as usize] as char);
        text.push(DIGITS[(byte & 15) as usize] as char);
    }
    text
}

pub fn unhex<const N: usize>(text: &str) -> Fallible<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return Err(format!("expected {} hex digits, got {}", N * 2, text.len()).into());
    }
    let mut bytes = [0u8; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16)?;
    }
    Ok(bytes)
}

/// Bytes of any even number of hex digits.
pub fn unhex_any(text: &str) -> Fallible<Vec<u8>> {
    if text.len() % 2 != 0 || !text.is_ascii() {
        return Err("expected an even number of hex digits".into());
    }
    (0..text.len())
        .step_by(2)
        .map(|at| Ok(u8::from_str_radix(&text[at..at + 2], 16)?))
        .collect()
}
