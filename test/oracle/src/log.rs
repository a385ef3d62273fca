//! A tracing subscriber: warnings and errors of the crate to stderr, and a count
//! of the shards whose catch-up has ended, which the crate tells only its log.

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Current, Id, Record};
use tracing_core::{Dispatch, Event, Level, LevelFilter, Metadata, Subscriber};

static CAUGHT_UP: AtomicU64 = AtomicU64::new(0);
static TROUBLES: AtomicU64 = AtomicU64::new(0);

/// Of the follower's log line; the leader's own says only "catch-up complete".
const CAUGHT_UP_MESSAGE: &str = "catch-up complete, entering streaming";

/// How often the follower of the crate has said that a shard caught up.
pub fn caught_up() -> u64 {
    CAUGHT_UP.load(Ordering::Acquire)
}

/// How many warnings and errors the crate has logged.
pub fn troubles() -> u64 {
    TROUBLES.load(Ordering::Acquire)
}

pub fn install() {
    let _ = tracing_core::dispatcher::set_global_default(Dispatch::new(Lines));
}

struct Lines;

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, " {value:?}");
        } else {
            let _ = write!(self.0, " {}={value:?}", field.name());
        }
    }
}

impl Subscriber for Lines {
    // Spans stay off: they would cost time on paths that the benchmarks measure.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event()
            && *metadata.level() <= Level::INFO
            && metadata.target().starts_with("armdb")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let mut text = Text::default();
        event.record(&mut text);
        if level <= Level::WARN {
            TROUBLES.fetch_add(1, Ordering::AcqRel);
            eprintln!("{level}{}", text.0);
        } else if text.0.contains(CAUGHT_UP_MESSAGE) {
            CAUGHT_UP.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn current_span(&self) -> Current {
        Current::none()
    }
}
