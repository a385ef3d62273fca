//! The real armdb crate as a line-driven program: the oracle of this project's
//! tests and the baseline of its benchmarks. The same source is compiled against
//! three versions of the crate (see the packages beside `src`).
//!
//! Every mode answers in JSON, one object a line, on stdout; the crate's own
//! warnings and errors go to stderr.
//!
//! A *digest* is the SHA-256, in lower-case hex, of key || value of every live
//! record, concatenated in ascending byte order of the keys. Keys and values have
//! fixed sizes, so no separators are needed and any program can compute it.

mod args;
mod bench;
mod commands;
mod content;
mod delay;
mod follower;
mod json;
mod leader;
mod log;
mod null_follower;
mod slots;
mod store;
mod watch;
mod wrap;

use args::Args;

pub type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "usage: oracle MODE [--option value]...
modes: leader follower digest dump nullfollower bench-follower bench-verify delayproxy watch wrapversion";

/// Key and value sizes are const generics of the crate, so each pair that the
/// tests use has to be compiled in.
macro_rules! with_geometry {
    ($args:expr, $($function:ident)::+) => {
        match ($args.number("key")?, $args.number("value")?) {
            (4, 3) => $($function)::+::<4, 3>($args),
            (8, 16) => $($function)::+::<8, 16>($args),
            (8, 64) => $($function)::+::<8, 64>($args),
            (8, 20000) => $($function)::+::<8, 20000>($args),
            (16, 100) => $($function)::+::<16, 100>($args),
            (32, 1000) => $($function)::+::<32, 1000>($args),
            (key, value) => Err(format!("not compiled in: key {key}, value {value}").into()),
        }
    };
}

fn run(args: &Args) -> Fallible<()> {
    match args.mode() {
        "leader" => with_geometry!(args, leader::run),
        "follower" => with_geometry!(args, follower::run),
        "digest" => with_geometry!(args, store::digest_mode),
        "dump" => with_geometry!(args, store::dump_mode),
        "bench-follower" => with_geometry!(args, follower::bench),
        "nullfollower" => null_follower::run(args),
        "bench-verify" => bench::verify(args),
        "delayproxy" => delay::run(args),
        "watch" => watch::run(args),
        "wrapversion" => wrap::run(args),
        other => Err(format!("unknown mode {other:?}\n{USAGE}").into()),
    }
}

fn main() {
    log::install();
    let result = Args::parse(std::env::args().skip(1)).and_then(|args| run(&args));
    if let Err(error) = result {
        json::say(&json::object().text("error", &error.to_string()));
        eprintln!("oracle: {error}");
        std::process::exit(1);
    }
}
