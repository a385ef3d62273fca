//! `nullfollower`: what a leader can send at most. One thread a shard reads the
//! frames of a catch-up, acknowledges each batch and keeps nothing.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use armdb::fixed_replication::protocol::PROTOCOL_VERSION;

use crate::Fallible;
use crate::args::Args;
use crate::follower::leader_address;
use crate::json;

const SYNC_REQUEST: u8 = 1;
const SLOT_BATCH: u8 = 3;
const CAUGHT_UP: u8 = 4;
const ACK: u8 = 5;
const ERROR: u8 = 255;

const READ_BUFFER: usize = 256 * 1024;
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Tally {
    slots: u64,
    bytes: u64,
}

pub fn run(args: &Args) -> Fallible<()> {
    let leader = leader_address(args)?;
    let shards: u8 = args.required("shards")?;
    let window: u32 = args.optional("window")?.unwrap_or(0);
    let protocol: u8 = args.optional("protocol")?.unwrap_or(PROTOCOL_VERSION);

    let start = Instant::now();
    let threads: Vec<_> = (0..shards)
        .map(|shard| {
            std::thread::spawn(move || {
                drain(leader, shard, protocol, window)
                    .map_err(|error| format!("shard {shard}: {error}"))
            })
        })
        .collect();
    let mut total = Tally::default();
    for thread in threads {
        let tally = thread.join().map_err(|_| "a shard's thread panicked")??;
        total.slots += tally.slots;
        total.bytes += tally.bytes;
    }
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    json::say(
        &json::object()
            .number("slots", total.slots)
            .number("bytes", total.bytes)
            .number("ms", format!("{ms:.1}")),
    );
    Ok(())
}

/// Reads one shard until CaughtUp. `window` acknowledgements run ahead of the
/// batches, which spares the leader a round trip for each.
fn drain(leader: SocketAddr, shard: u8, protocol: u8, window: u32) -> Fallible<Tally> {
    let mut writer = TcpStream::connect(leader)?;
    writer.set_nodelay(true)?;
    writer.set_read_timeout(Some(SILENCE_LIMIT))?;
    let mut reader = BufReader::with_capacity(READ_BUFFER, writer.try_clone()?);
    // Flags 1: no occupied slots here, so the leader may skip its deleted ones.
    writer.write_all(&[SYNC_REQUEST, 3, 0, 0, 0, shard, protocol, 1])?;

    let mut tally = Tally::default();
    writer.write_all(&ack(shard, 0).repeat(window as usize))?;
    let mut payload = Vec::new();
    loop {
        let mut header = [0u8; 5];
        reader.read_exact(&mut header)?;
        let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        payload.resize(length, 0);
        reader.read_exact(&mut payload)?;
        tally.bytes += (header.len() + length) as u64;
        match header[0] {
            SLOT_BATCH if length >= 5 => {
                let count = [payload[1], payload[2], payload[3], payload[4]];
                tally.slots += u64::from(u32::from_le_bytes(count));
                writer.write_all(&ack(shard, tally.slots))?;
            }
            CAUGHT_UP => return Ok(tally),
            ERROR => return Err(String::from_utf8_lossy(&payload).into_owned().into()),
            _ => {}
        }
    }
}

fn ack(shard: u8, applied: u64) -> Vec<u8> {
    let mut frame = vec![ACK, 13, 0, 0, 0, shard];
    frame.extend_from_slice(&applied.to_le_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame
}
