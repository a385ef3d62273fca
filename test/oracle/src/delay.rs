//! `delayproxy`: a network of a given round trip between a follower and a leader on
//! this machine. Every byte is handed on half a round trip after it came; the
//! bandwidth is not limited.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use crate::Fallible;
use crate::args::Args;
use crate::follower::leader_address;
use crate::json;

const CHUNK: usize = 256 * 1024;
/// Chunks under way in one direction: what a long network holds.
const CHUNKS_IN_FLIGHT: usize = 4096;

pub fn run(args: &Args) -> Fallible<()> {
    let leader = leader_address(args)?;
    let round_trip_ms: f64 = args.required("rtt-ms")?;
    let delay = Duration::from_secs_f64(round_trip_ms / 2000.0);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    json::say(&json::object().text("listening", &listener.local_addr()?.to_string()));
    for follower in listener.incoming() {
        let follower = follower?;
        let leader = TcpStream::connect(leader)?;
        carry(follower.try_clone()?, leader.try_clone()?, delay)?;
        carry(leader, follower, delay)?;
    }
    Ok(())
}

/// One direction: a thread that reads and stamps, a thread that waits and writes.
fn carry(mut from: TcpStream, to: TcpStream, delay: Duration) -> Fallible<()> {
    from.set_nodelay(true)?;
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(CHUNKS_IN_FLIGHT);
    std::thread::spawn(move || {
        let mut buffer = vec![0u8; CHUNK];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0
                || sender
                    .send((Instant::now() + delay, buffer[..count].to_vec()))
                    .is_err()
            {
                break;
            }
        }
    });
    std::thread::spawn(move || hand_on(&receiver, to));
    Ok(())
}

fn hand_on(receiver: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) {
    while let Ok((due, bytes)) = receiver.recv() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
