//! `follower` and `bench-follower`: the crate's own follower.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use armdb::ShutdownSignal;
use armdb::fixed_replication::{FixedReplicationClient, FixedReplicationTarget};

use crate::Fallible;
use crate::args::Args;
use crate::commands::{self, Words, done};
use crate::json::{self, Object};
use crate::log;
use crate::store::{self, Tree};

const BENCH_POLL: Duration = Duration::from_millis(1);

pub fn leader_address(args: &Args) -> Fallible<SocketAddr> {
    let text = args.text("leader")?;
    let address = text.to_socket_addrs()?.next();
    address.ok_or_else(|| format!("no address for {text}").into())
}

fn start_client<const K: usize, const V: usize>(
    tree: &Arc<Tree<K, V>>,
    leader: SocketAddr,
    signal: &ShutdownSignal,
) -> Fallible<FixedReplicationClient> {
    let target: Arc<dyn FixedReplicationTarget> = tree.clone();
    Ok(FixedReplicationClient::start(
        leader,
        target,
        signal.clone(),
    )?)
}

pub fn run<const K: usize, const V: usize>(args: &Args) -> Fallible<()> {
    let leader = leader_address(args)?;
    let tree = Arc::new(store::open::<K, V>(args)?);
    let signal = ShutdownSignal::new();
    let client = start_client(&tree, leader, &signal)?;
    json::say(&json::object().text("following", &leader.to_string()));

    commands::serve(|name, words| match name {
        "waitdigest" => wait_digest(&tree, words),
        _ => commands::common(&tree, name, words),
    })?;

    signal.shutdown();
    drop(client);
    store::close(tree)?;
    json::say(&done());
    Ok(())
}

/// `waitdigest HEX TIMEOUT_MS [COUNT]`: with a count, digests are only computed
/// while the number of records agrees. Answers the last digest either way.
fn wait_digest<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    words: &mut Words<'_>,
) -> Fallible<Object> {
    let wanted = words.text("digest")?;
    let deadline = Instant::now() + Duration::from_millis(words.number("timeout")?);
    let count: Option<usize> = words.optional();
    loop {
        let began = Instant::now();
        let late = began >= deadline;
        if late || count.is_none_or(|count| count == tree.len()) {
            let digest = store::digest(tree)?;
            let equal = digest.hex == wanted;
            if equal || late {
                return Ok(digest.to_json().flag("equal", equal));
            }
        }
        // A pause as long as the digest took leaves half of a core to the applying threads.
        let pause = began.elapsed().max(Duration::from_millis(10));
        std::thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
    }
}

/// `bench-follower`: the time to catch up, by the number of records when
/// `--expect` names it, else by the crate's own word for every shard.
pub fn bench<const K: usize, const V: usize>(args: &Args) -> Fallible<()> {
    let leader = leader_address(args)?;
    let expect: Option<usize> = args.optional("expect")?;
    let timeout = Duration::from_secs(args.optional("timeout-seconds")?.unwrap_or(600));
    let shards: u64 = args.required("shards")?;
    let tree = Arc::new(store::open::<K, V>(args)?);

    let start = Instant::now();
    let client = start_client(&tree, leader, &ShutdownSignal::new())?;
    loop {
        let there = match expect {
            Some(count) => tree.len() >= count,
            None => log::caught_up() >= shards,
        };
        if there {
            break;
        }
        if start.elapsed() >= timeout {
            return Err(format!("not caught up after {timeout:?}: {} records", tree.len()).into());
        }
        std::thread::sleep(BENCH_POLL);
    }
    let ms = start.elapsed().as_secs_f64() * 1000.0;
    json::say(
        &json::object()
            .number("count", tree.len())
            .number("ms", format!("{ms:.1}"))
            .number("peakRssKib", peak_rss_kib()?),
    );
    // Without a clean close: what it would take is not part of what is measured.
    std::mem::forget(client);
    std::process::exit(0);
}

fn peak_rss_kib() -> Fallible<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no VmHWM in /proc/self/status")?.parse()?)
}
