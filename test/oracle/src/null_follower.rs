//! `nullfollower`: what a leader can send at most. One thread a shard reads the
//! frames of a catch-up, acknowledges each batch and keeps nothing. With
//! `--live-file` it goes on with the live stream and writes one marked slot into
//! that file, for `watch`: how soon any follower could have it.

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use armdb::fixed_replication::protocol::PROTOCOL_VERSION;

use crate::Fallible;
use crate::args::Args;
use crate::follower::leader_address;
use crate::json;
use crate::watch::HEADER;

const SYNC_REQUEST: u8 = 1;
const SLOT_BATCH: u8 = 3;
const CAUGHT_UP: u8 = 4;
const ACK: u8 = 5;
const ERROR: u8 = 255;

const FRAME_HEADER: usize = 5;
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
    let marked = Marked::from(args)?.map(Arc::new);
    let goes_on = marked.is_some();

    let start = Instant::now();
    let threads: Vec<_> = (0..shards)
        .map(|shard| {
            let marked = marked.clone();
            std::thread::spawn(move || {
                drain(leader, shard, protocol, window, marked)
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
    // The threads that follow live end with the process.
    while goes_on {
        std::thread::sleep(SILENCE_LIMIT);
    }
    Ok(())
}

/// The slot whose value begins with the time of its put, as `rate` writes it.
struct Marked {
    key: Vec<u8>,
    slot_size: usize,
    file: File,
}

impl Marked {
    fn from(args: &Args) -> Fallible<Option<Self>> {
        let Some(path) = args.optional::<String>("live-file")? else {
            return Ok(None);
        };
        let key = crate::content::unhex_any(&args.required::<String>("marked")?)?;
        let slot_size = 8 + key.len() + args.required::<usize>("value")?;
        let file = File::create(path)?;
        file.set_len(HEADER + slot_size as u64 + 7)?;
        file.write_all_at(&key, HEADER + 8)?;
        Ok(Some(Self {
            key,
            slot_size,
            file,
        }))
    }

    /// Writes the slot if it is in this batch. A load of puts alone has events of one size.
    fn look(&self, payload: &[u8]) -> Fallible<()> {
        for event in payload[5..].chunks_exact(self.slot_size) {
            if event[8..].starts_with(&self.key) {
                self.file.write_all_at(&event[8..], HEADER + 8)?;
            }
        }
        Ok(())
    }
}

/// Goes on with the live stream until the leader ends it.
fn follow(mut reader: impl Read, marked: &Marked) -> Fallible<()> {
    let mut payload = Vec::new();
    loop {
        if read_frame(&mut reader, &mut payload)? == SLOT_BATCH && payload.len() >= 5 {
            marked.look(&payload)?;
        }
    }
}

fn read_frame(reader: &mut impl Read, payload: &mut Vec<u8>) -> Fallible<u8> {
    let mut header = [0u8; FRAME_HEADER];
    reader.read_exact(&mut header)?;
    let length = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
    payload.resize(length, 0);
    reader.read_exact(payload)?;
    Ok(header[0])
}

/// Reads one shard until CaughtUp. `window` acknowledgements run ahead of the
/// batches, which spares the leader a round trip for each.
fn drain(
    leader: SocketAddr,
    shard: u8,
    protocol: u8,
    window: u32,
    marked: Option<Arc<Marked>>,
) -> Fallible<Tally> {
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
        let kind = read_frame(&mut reader, &mut payload)?;
        tally.bytes += (FRAME_HEADER + payload.len()) as u64;
        match kind {
            SLOT_BATCH if payload.len() >= 5 => {
                let count = [payload[1], payload[2], payload[3], payload[4]];
                tally.slots += u64::from(u32::from_le_bytes(count));
                writer.write_all(&ack(shard, tally.slots))?;
            }
            CAUGHT_UP => {
                if let Some(marked) = marked {
                    std::thread::spawn(move || {
                        let end = follow(reader, &marked);
                        eprintln!("shard {shard}: the stream is over: {end:?}");
                    });
                }
                return Ok(tally);
            }
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
