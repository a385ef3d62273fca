//! `leader`: a database that serves replication and is written by commands.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use armdb::ShutdownSignal;
use armdb::fixed_replication::FixedReplicationServer;

use crate::Fallible;
use crate::args::Args;
use crate::commands::{self, Words, done};
use crate::content::{self, mix64, unhex};
use crate::json::{self, Object};
use crate::store::{self, Tree};
use crate::watch::{self, Mark};

const BIND_ATTEMPTS: u32 = 20;

pub fn run<const K: usize, const V: usize>(args: &Args) -> Fallible<()> {
    let tree = Arc::new(store::open::<K, V>(args)?);
    let listen: SocketAddr = args
        .optional("listen")?
        .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let signal = ShutdownSignal::new();
    let (server, address) = start_server(&tree, listen, &signal)?;
    json::say(&json::object().text("listening", &address.to_string()));

    commands::serve(|name, words| command(&tree, name, words))?;

    signal.shutdown();
    drop(server);
    store::close(tree)?;
    json::say(&done());
    Ok(())
}

/// The crate does not tell which port it was given, so a free one is looked up
/// first, and looked up again if another process took it in between.
fn start_server<const K: usize, const V: usize>(
    tree: &Arc<Tree<K, V>>,
    listen: SocketAddr,
    signal: &ShutdownSignal,
) -> Fallible<(FixedReplicationServer, SocketAddr)> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let mut address = listen;
        if listen.port() == 0 {
            address = TcpListener::bind(listen)?.local_addr()?;
        }
        match FixedReplicationServer::start(address, tree.fixed_engine_access(), signal.clone()) {
            Ok(server) => return Ok((server, address)),
            Err(error) if listen.port() != 0 || attempt == BIND_ATTEMPTS => {
                return Err(format!("cannot listen on {address}: {error}").into());
            }
            Err(_) => {}
        }
    }
}

fn command<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    name: &str,
    words: &mut Words<'_>,
) -> Fallible<Object> {
    match name {
        "put" => {
            let key = unhex::<K>(words.text("key")?)?;
            let old = tree.put(&key, &unhex::<V>(words.text("value")?)?)?;
            Ok(done().flag("existed", old.is_some()))
        }
        "del" => {
            let old = tree.delete(&unhex::<K>(words.text("key")?)?)?;
            Ok(done().flag("existed", old.is_some()))
        }
        "fill" => fill(
            tree,
            words.number("from")?,
            words.number("count")?,
            words.number("seed")?,
        ),
        "delrange" => delete_range(tree, words.number("from")?, words.number("count")?),
        "churn" => churn(
            tree,
            words.number("ops")?,
            words.number("seed")?,
            words.number("keys")?,
        ),
        "rate" => rate(
            tree,
            words.number("puts per second")?,
            words.number("seconds")?,
            words.number("seed")?,
            words.number("keys")?,
            words.optional(),
        ),
        _ => commands::common(tree, name, words),
    }
}

fn fill<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    from: u64,
    count: u64,
    seed: u64,
) -> Fallible<Object> {
    let start = Instant::now();
    for index in from..from + count {
        tree.put(&content::key(index), &content::value(seed, index))?;
    }
    Ok(json::object()
        .number("puts", count)
        .number("ms", start.elapsed().as_millis()))
}

fn delete_range<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    from: u64,
    count: u64,
) -> Fallible<Object> {
    let mut deletes = 0u64;
    for index in from..from + count {
        deletes += u64::from(tree.delete(&content::key(index))?.is_some());
    }
    Ok(json::object().number("deletes", deletes))
}

/// Four puts in five and one delete in five, over the keys of 0..keys.
fn churn<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    ops: u64,
    seed: u64,
    keys: u64,
) -> Fallible<Object> {
    let start = Instant::now();
    let (mut puts, mut deletes) = (0u64, 0u64);
    for op in 0..ops {
        let random = mix64(mix64(seed).wrapping_add(op));
        let index = (random >> 8) % keys.max(1);
        if random.is_multiple_of(5) {
            deletes += u64::from(tree.delete(&content::key(index))?.is_some());
        } else {
            tree.put(&content::key(index), &content::value(random, index))?;
            puts += 1;
        }
    }
    Ok(json::object()
        .number("puts", puts)
        .number("deletes", deletes)
        .number("ms", start.elapsed().as_millis()))
}

/// Puts at an even pace. When the machine cannot keep it, the time ends it and the
/// count tells. With `mark_ms`, the key after the last one is put that often, its
/// value beginning with a `Mark` (see `watch`).
fn rate<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    per_second: f64,
    seconds: f64,
    seed: u64,
    keys: u64,
    mark_ms: Option<u64>,
) -> Fallible<Object> {
    if !(per_second > 0.0 && seconds > 0.0 && per_second.is_finite() && seconds.is_finite()) {
        return Err("rate and time must be positive".into());
    }
    let start_ns = watch::now_ns();
    let start = Instant::now();
    let length = Duration::from_secs_f64(seconds);
    let wanted = (per_second * seconds).round() as u64;
    let mut puts = 0u64;
    let mut marks = 0u32;
    while puts < wanted {
        let elapsed = start.elapsed();
        if elapsed >= length {
            break;
        }
        if let Some(every) = mark_ms && elapsed >= Duration::from_millis(every) * marks {
            marks += 1;
            let mark = Mark {
                put_ns: watch::now_ns(),
                next_due_ns: start_ns + every * 1_000_000 * u64::from(marks),
            };
            tree.put(&content::key(keys), &mark.value()?)?;
        }
        let due = Duration::from_secs_f64(puts as f64 / per_second);
        if due > elapsed {
            std::thread::sleep(
                (due - elapsed).min(Duration::from_millis(mark_ms.unwrap_or(20).min(20))),
            );
            continue;
        }
        let random = mix64(mix64(seed).wrapping_add(puts));
        let index = (random >> 8) % keys.max(1);
        tree.put(&content::key(index), &content::value(random, index))?;
        puts += 1;
    }
    Ok(json::object()
        .number("puts", puts)
        .text("marked", &content::hex(&content::key::<K>(keys)))
        .number("ms", start.elapsed().as_millis()))
}
