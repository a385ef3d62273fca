//! Opening, digesting, dumping and closing a FixedTree.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::sync::Arc;
use std::time::Duration;

use armdb::{FixedConfig, FixedTree};
use sha2::{Digest as _, Sha256};

use crate::Fallible;
use crate::args::Args;
use crate::content::hex;
use crate::json;

pub type Tree<const K: usize, const V: usize> = FixedTree<[u8; K], V>;

pub struct Digest {
    pub count: u64,
    pub hex: String,
}

impl Digest {
    pub fn to_json(&self) -> json::Object {
        json::object()
            .number("count", self.count)
            .text("digest", &self.hex)
    }
}

pub fn open<const K: usize, const V: usize>(args: &Args) -> Fallible<Tree<K, V>> {
    // The one constructor that all versions have; every setting that differs from
    // the crate's defaults of 0.1.14 is put back, so that the versions compare.
    let mut config = FixedConfig::test();
    config.grow_step = 1_000_000;
    config.sync_interval = Duration::from_millis(50);
    config.sync_batch_size = 1024;
    config.enable_fsync = false;
    config.shard_count = args.required("shards")?;
    config.shard_prefix_bits = args.optional("prefix-bits")?.unwrap_or(0);
    if let Some(grow_step) = args.optional("grow-step")? {
        config.grow_step = grow_step;
    }
    Ok(Tree::open(args.dir()?, config)?)
}

/// Calls `each` for every record in ascending order of keys. Later versions of
/// the crate iterate in descending order, so the keys are sorted here. A key that
/// is deleted meanwhile is left out.
fn for_each_sorted<const K: usize, const V: usize>(
    tree: &Tree<K, V>,
    mut each: impl FnMut(&[u8; K], &[u8; V]) -> Fallible<()>,
) -> Fallible<u64> {
    let mut keys: Vec<[u8; K]> = tree.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    let mut count = 0;
    for key in &keys {
        if let Some(value) = tree.get(key) {
            each(key, &value)?;
            count += 1;
        }
    }
    Ok(count)
}

pub fn digest<const K: usize, const V: usize>(tree: &Tree<K, V>) -> Fallible<Digest> {
    let mut hash = Sha256::new();
    let count = for_each_sorted(tree, |key, value| {
        hash.update(key);
        hash.update(value);
        Ok(())
    })?;
    Ok(Digest {
        count,
        hex: hex(&hash.finalize()),
    })
}

pub fn dump<const K: usize, const V: usize>(tree: &Tree<K, V>, path: &str) -> Fallible<u64> {
    let mut out = BufWriter::new(File::create(path)?);
    let count = for_each_sorted(tree, |key, value| {
        writeln!(out, "{} {}", hex(key), hex(value))?;
        Ok(())
    })?;
    out.flush()?;
    Ok(count)
}

/// A clean close. It fails when something still holds the tree, for example a
/// replication thread that did not end.
pub fn close<const K: usize, const V: usize>(tree: Arc<Tree<K, V>>) -> Fallible<()> {
    let tree = Arc::try_unwrap(tree).map_err(|_| "the database is still in use")?;
    Ok(tree.close()?)
}

/// `digest --dir D ...`: digests a directory at rest.
pub fn digest_mode<const K: usize, const V: usize>(args: &Args) -> Fallible<()> {
    let tree = open::<K, V>(args)?;
    json::say(&digest(&tree)?.to_json());
    leave(args, tree)
}

/// `dump PATH --dir D ...`: writes a directory at rest as sorted text.
pub fn dump_mode<const K: usize, const V: usize>(args: &Args) -> Fallible<()> {
    let tree = open::<K, V>(args)?;
    let count = dump(&tree, args.word(1, "the path of the dump")?)?;
    json::say(&json::object().number("count", count));
    leave(args, tree)
}

fn leave<const K: usize, const V: usize>(args: &Args, tree: Tree<K, V>) -> Fallible<()> {
    if args.flag("keep-dirty") {
        std::process::exit(0);
    }
    close(Arc::new(tree))
}
