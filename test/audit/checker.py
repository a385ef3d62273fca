"""An independent checker of armdb directories: shares no code with src/audit.

Reads lines `DIR SHARDS PREFIX_BITS KEY_LEN VALUE_LEN` and answers each with one line of JSON:
{"damaged": ["slot-crc 0 5", ...], "unread": [0, 0], "counts": [[occupied, deleted, free, damaged], ...]}
A line `hash HEX` is answered with the xxh3_64 of those bytes, in decimal.

Written from format.md alone: struct for the fields, zlib for crc32, and XXH3 (seed 0, up to 64 bytes) below.
"""

import json
import os
import struct
import sys
import zlib

MASK = (1 << 64) - 1
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
)
PRIME_1 = 0x9E3779B185EBCA87
PRIME_2 = 0xC2B2AE3D27D4EB4F
PRIME_3 = 0x165667B19E3779F9


def word32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def word64(data, at):
    return struct.unpack_from("<Q", data, at)[0]


def fold(left, right):
    product = left * right
    return (product & MASK) ^ (product >> 64)


def rotate(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def avalanche(value):
    value ^= value >> 37
    value = value * 0x165667919E3779F9 & MASK
    return value ^ (value >> 32)


def xxh3_64(data):
    length = len(data)
    if 1 <= length <= 3:
        mixed = data[0] << 16 | data[length >> 1] << 24 | data[-1] | length << 8
        value = mixed ^ word32(SECRET, 0) ^ word32(SECRET, 4)
        value ^= value >> 33
        value = value * PRIME_2 & MASK
        value ^= value >> 29
        value = value * PRIME_3 & MASK
        return value ^ (value >> 32)
    if 4 <= length <= 8:
        value = (word32(data, length - 4) + (word32(data, 0) << 32)) & MASK
        value ^= word64(SECRET, 8) ^ word64(SECRET, 16)
        value ^= rotate(value, 49) ^ rotate(value, 24)
        value = value * 0x9FB21C651E98DF25 & MASK
        value ^= (value >> 35) + length
        value = value * 0x9FB21C651E98DF25 & MASK
        return value ^ (value >> 28)
    if 9 <= length <= 16:
        low = word64(data, 0) ^ word64(SECRET, 24) ^ word64(SECRET, 32)
        high = word64(data, length - 8) ^ word64(SECRET, 40) ^ word64(SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return avalanche((length + swapped + high + fold(low, high)) & MASK)
    if 17 <= length <= 64:
        total = length * PRIME_1 & MASK
        for pair in reversed(range((length - 1) // 32 + 1)):
            for at, secret in ((16 * pair, 32 * pair), (length - 16 * (pair + 1), 32 * pair + 16)):
                left = word64(data, at) ^ word64(SECRET, secret)
                right = word64(data, at + 8) ^ word64(SECRET, secret + 8)
                total = (total + fold(left, right)) & MASK
        return avalanche(total)
    raise ValueError(f"no hash for {length} bytes")


def home(key, shards, bits):
    if bits != 0 and bits < 8 * len(key):
        prefix = bytearray(key[: (bits + 7) // 8])
        if bits % 8:
            prefix[-1] &= 0xFF << (8 - bits % 8) & 0xFF
        key = bytes(prefix)
    return xxh3_64(key) % shards


def sidecar_words(path, header, count):
    """The words of a sidecar that the crate would use, else None."""
    if header is None or header[17] != 1 or not os.path.exists(path):
        return None
    data = open(path, "rb").read()
    if len(data) != 4 * count + 8 or word32(data, 4 * count) != count:
        return None
    if word32(data, 4 * count + 4) != zlib.crc32(data[:-4]):
        return None
    return struct.unpack_from(f"<{count}I", data)


def check_shard(root, shard, shards, bits, key_len, value_len):
    size = (8 + key_len + value_len + 7) // 8 * 8
    folder = f"{root}/shard_{shard:03d}"
    data = open(f"{folder}/fixed.data", "rb").read()
    header = data[:4096] if data[:4] == b"FIXD" else None
    in_file = (len(data) - 4096) // size
    count = in_file if header is None else word32(header, 8)
    words = sidecar_words(f"{folder}/fixed.versions", header, count)
    counts = [0, 0, 0, 0]
    damaged = []
    live = {}
    for slot in range(min(count, in_file)):
        at = 4096 + slot * size
        meta = word32(data, at)
        status = meta & 3
        key = data[at + 8 : at + 8 + key_len]
        bad = None
        if status == 3:
            bad = "slot-status"
        elif status == 1:
            crc = zlib.crc32(data[at + 8 : at + 8 + key_len + value_len], zlib.crc32(data[at : at + 4]))
            if crc != word32(data, at + 4):
                bad = "slot-crc"
            else:
                live.setdefault(key, []).append(slot)
                if home(key, shards, bits) != shard:
                    damaged.append(f"key-misrouted {shard} {slot}")
        if bad is not None:
            counts[3] += 1
            damaged.append(f"{bad} {shard} {slot}")
            continue
        counts[{1: 0, 2: 1, 0: 2}[status]] += 1
        if words is not None and words[slot] != meta:
            let_go = words[slot] & 3 == 0 and status == 1 and words[slot] >> 2 == meta >> 2
            if not let_go:
                damaged.append(f"sidecar-hides-slot {shard} {slot}")
    for slots in live.values():
        if len(slots) > 1:
            damaged.append(f"key-duplicate {shard} {slots[0]}")
    return damaged, max(0, count - in_file), counts


def check(root, shards, bits, key_len, value_len):
    results = [check_shard(root, shard, shards, bits, key_len, value_len) for shard in range(shards)]
    return {
        "damaged": sorted(name for damaged, _, _ in results for name in damaged),
        "unread": [unread for _, unread, _ in results],
        "counts": [counts for _, _, counts in results],
    }


for line in sys.stdin:
    words = line.split()
    if words[0] == "hash":
        print(xxh3_64(bytes.fromhex(words[1])), flush=True)
    else:
        print(json.dumps(check(words[0], *map(int, words[1:]))), flush=True)
