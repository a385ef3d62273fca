// Doctor on what is in DIR already: nothing, a replica, data that is not known to be one, or something else; and on who
// else has to do with it. Reads through audit/directory.ts and store/holders.ts: no lock is taken, nothing is created.

import { type DatabaseDirectory, readDirectory } from "../../audit/look/database-look.ts";
import { ArmdbError } from "../../errors.ts";
import { decodeCursor } from "../../format/cursor.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import { LEADER_CONNECTIONS_DEFAULT } from "../../limits.ts";
import { ConnectionBudget } from "../../replica/connection-budget.ts";
import { limitText } from "../../replica/machine/connections.ts";
import type { LockHolder, Writers } from "../../store/holders.ts";
import { lookAtTarget, type ReplicaTarget } from "../../store/replica-dir.ts";
import { slotsAfterStep } from "../../store/shard-growth.ts";
import { formatBytes, formatCounted, formatTime } from "../surface/numbers.ts";
import { type Check, fail, ok, warn } from "./check.ts";

/** What DIR turned out to hold. */
export type Content =
  /** Nothing yet. */
  | { readonly kind: "new"; readonly exists: boolean }
  | {
      readonly kind: "database";
      readonly directory: DatabaseDirectory;
      readonly target: ReplicaTarget;
    }
  /** Nobody could follow into it. */
  | { readonly kind: "unusable"; readonly error: ArmdbError };

/** A wall clock that is behind a saved time by less than this is no news. */
const CLOCK_SLACK_MS = 60_000;

/** Looks into the directory as `armdb replicate` would. Never throws for what it finds there. */
export function lookInside(disk: Disk, path: string): Content {
  try {
    const target = lookAtTarget(disk, path);
    if (target.kind === "new") return { kind: "new", exists: target.exists };
    return { kind: "database", directory: readDirectory(disk, path), target };
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return { kind: "unusable", error: thrown };
  }
}

/** Shards of a database in DIR; null when none says. */
export function shardsOf(content: Content): number | null {
  return content.kind === "database" ? content.directory.routing.shardCount : null;
}

/** Bytes that the next step of growth of every shard reserves. */
export function growthBytesOf(content: Content): number {
  if (content.kind !== "database" || content.directory.layout === null) return 0;
  const { shards, layout } = content.directory;
  const { slotSize } = layout;
  const slots = shards.reduce((sum, shard) => {
    const count = shard.header?.slotCount ?? 0;
    return sum + slotsAfterStep(count, slotSize) - count;
  }, 0);
  return slots * slotSize;
}

/** What a follower would make of the contents. */
export function checkContent(content: Content): Check {
  const name = "contents";
  switch (content.kind) {
    case "new":
      return content.exists
        ? ok(name, "nothing yet: a follower will fill it")
        : ok(name, "a follower will create the directory");
    case "unusable": {
      const { code, message, details } = content.error;
      return fail(name, code, message, details.hint ?? "armdb inspect DIR");
    }
    case "database":
      return checkDatabase(content.directory, content.target);
  }
}

function checkDatabase(directory: DatabaseDirectory, target: ReplicaTarget): Check {
  const name = "contents";
  const { shards, layout } = directory;
  const total = shards.reduce((sum, shard) => sum + shard.fileBytes, 0);
  const lengths =
    layout === null ? "" : `, keys of ${layout.keyLen} and values of ${layout.valueLen} bytes`;
  const what = `${formatCounted(shards.length, "shard")}${lengths}, ${formatBytes(total)}`;
  if (target.kind === "new" || target.isReplica) return ok(name, `a replica: ${what}`);
  return warn(
    name,
    `data, but no cursor of a follower: it is not known to be a replica (${what})`,
    "replicate --adopt if it is to become one; what the leader has newer then wins",
  );
}

/** Whether DIR has followed another leader so far. */
export function checkLeaderBefore(content: Content, leader: string | null): Check[] {
  if (content.kind !== "database" || leader === null) return [];
  const before = content.target.state?.leader ?? null;
  if (before === null || before === leader) return [];
  const message = `it has followed ${before} so far`;
  const remedy =
    "is this the same database? another leader's newer slots would win, older ones diverge";
  return [warn("leader-before", message, remedy)];
}

/** How many connections of the day are used up; only a leader of protocol 1 has such a limit. */
export function checkConnections(content: Content, leader: string | null, clock: Clock): Check[] {
  const state = content.kind === "database" ? content.target.state : null;
  if (state === null || state.protocol !== 1) return [];
  if (leader !== null && leader !== state.leader) return [];
  const name = "connections";
  // A follower may run with another limit, which no file says.
  const budget = new ConnectionBudget(clock, LEADER_CONNECTIONS_DEFAULT, state.connectionsAtMs);
  const waitMs = budget.waitMs(0);
  if (waitMs === 0) {
    const used = formatCounted(budget.used, "connection");
    return [ok(name, `${used} of ${LEADER_CONNECTIONS_DEFAULT} in the last 24 hours`)];
  }
  const held = { untilMs: clock.wallMs() + waitMs, limit: LEADER_CONNECTIONS_DEFAULT };
  const remedy = "restart the leader, which gives back what connections cost it; or wait";
  return [warn(name, limitText(held), remedy)];
}

/** A cursor saved in the future means that a clock jumped, here or where the directory came from. */
export function checkCursorTime(content: Content, nowMs: number): Check[] {
  if (content.kind !== "database") return [];
  const times = content.directory.shards.flatMap((shard) => {
    const cursor = shard.cursor.bytes === null ? null : decodeCursor(shard.cursor.bytes);
    return cursor === null ? [] : [Number(cursor.lastAckAtMs)];
  });
  const latest = Math.max(...times, 0);
  if (latest <= nowMs + CLOCK_SLACK_MS) return [];
  const message = `a cursor was saved at ${formatTime(latest)}, which is still to come`;
  return [warn("cursor-time", message, "timedatectl; nothing but what people read depends on it")];
}

/** Who holds the lock, and who writes without it. */
export function checkHolders(holder: LockHolder | null, writers: Writers): Check[] {
  const checks = [checkLock(holder)];
  const others = writers.pids.filter((pid) => pid !== holder?.pid);
  if (others.length > 0) {
    const pids = others.join(", ");
    checks.push(
      fail(
        "writers",
        "locked",
        `${formatCounted(others.length, "other process", "other processes")} with files of the directory open for writing: ${pids}`,
        `ps -p ${others.join(",")}; stop them first (crates before 0.7.0 take no lock)`,
      ),
    );
  } else if (writers.unseen) {
    checks.push(
      warn(
        "writers",
        "not every process may be looked at, so another writer might go unnoticed",
        "run doctor as root to be sure: sudo armdb doctor ...",
      ),
    );
  } else {
    checks.push(ok("writers", "no other process has its files open for writing"));
  }
  return checks;
}

function checkLock(holder: LockHolder | null): Check {
  const name = "lock";
  if (holder === null) return ok(name, "nobody holds the lock");
  const who = holder.pid === null ? "another process" : `process ${holder.pid}`;
  const how = holder.kind === "shared" ? "serves or reads it" : "has it open for writing";
  const see = holder.pid === null ? "fuser -v on db.lock" : `ps -p ${holder.pid}`;
  return fail(
    name,
    "locked",
    `${who} ${how}`,
    `${see} shows it; armdb status DIR if it is a follower`,
  );
}
