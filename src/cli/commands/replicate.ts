// `armdb replicate LEADER --data DIR`: follows a leader (cli.md: replicate). Wires the supervisor to the terminal, the JSON
// lines and the signals; all decisions about following are in src/replica.

import { availableParallelism } from "node:os";
import { LEADER_CONNECTIONS_DEFAULT, WINDOW_ACKS_MAX } from "../../limits.ts";
import { ArmdbError } from "../../errors.ts";
import { parseAddress } from "../../io/address.ts";
import { processLimits } from "../../io/process-limits.ts";
import { probeLibc } from "../../io/libc.ts";
import type { SyncPolicy } from "../../replica/follower-types.ts";
import { ProgressWatch } from "../../replica/progress-watch.ts";
import { refuseLimits } from "../../replica/threads/process-needs.ts";
import { ShardThreads } from "../../replica/threads/start-shard.ts";
import { Supervisor } from "../../replica/supervisor.ts";
import type { SharedSettings, SupervisorOptions } from "../../replica/supervisor-types.ts";
import { writersOf } from "../../store/holders.ts";
import { type HeldLock, takeLock } from "../../store/lock.ts";
import { lookAtTarget, type ReplicaTarget } from "../../store/replica-dir.ts";
import { type Command, type Context, signalStatus } from "../command.ts";
import { formatCount } from "../surface/numbers.ts";
import { FollowDisplay, type FollowDisplayOptions } from "../render/follow-display.ts";
import { FollowerFace, type FollowerPlace } from "./follower-services.ts";
import { divergedSlots, endStatus } from "./follower-end.ts";
import { progressLimitMs } from "./progress-limit.ts";
import { paceOf } from "../words/pace.ts";
import { replicateSpec } from "./replicate-spec.ts";

export const replicateCommand: Command = { spec: replicateSpec, run };

async function run(context: Context): Promise<number> {
  const { args, disk } = context;
  const leader = leaderOf(args.argument("LEADER"));
  const dir = args.text("data");
  if (dir === null) {
    throw new ArmdbError("usage", "There is no directory to follow into: --data is missing", {
      hint: `armdb replicate ${args.argument("LEADER")} --data ./replica`,
    });
  }
  const bounds = {
    windowAcks: windowOf(args.integer("window")),
    connectionsPerDay: connectionLimit(args.text("leader-connections")),
  };
  probeLibc();
  const target = lookAtTarget(disk, dir);
  refuseForeign(context, dir, target);
  const once = args.flag("once");
  let held: HeldLock | null = null;
  try {
    return await follow(context, { ...leader, ...bounds, dir, once, target }, (lock) => {
      held = lock;
    });
  } finally {
    (held as HeldLock | null)?.release();
  }
}

interface Following {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly once: boolean;
  readonly target: ReplicaTarget;
  readonly windowAcks: number;
  /** Null: without a limit. */
  readonly connectionsPerDay: number | null;
}

/** Runs until every shard is over; resolves to the exit status or throws the first shard's error. */
function follow(
  context: Context,
  following: Following,
  locked: (lock: HeldLock) => void,
): Promise<number> {
  const { clock, disk, net } = context;
  const { dir, once, target, connectionsPerDay } = following;
  const isNew = target.kind === "new";
  const threads = new ShardThreads();
  return new Promise((resolve, reject) => {
    const shardCount = () => supervisor.geometry?.shardCount ?? null;
    const display = new FollowDisplay(context, displayOptions(context, following, shardCount));
    let timedOut: string | null = null;
    let finished = false;
    const supervisor = new Supervisor({
      ...{ disk, clock, net, target },
      ...ofThisProcess(threads),
      connectionsPerDay,
      shared: sharedOf(context, following),
      lock: () => {
        locked(takeLock(disk, dir, "exclusive"));
        face.locked();
      },
      reported: (report) => display.reported(report, () => supervisor.snapshots),
      learned: (protocol) => display.learned(protocol),
      allReady: () => {
        display.ready(divergedSlots(supervisor));
        face.ready();
        if (!once) return;
        finished = true;
        stopWatching();
        face.stopping();
        supervisor.stop();
      },
      allEnded: (error) => {
        face.close();
        threads.stop();
        stopWatching();
        context.stop.removeEventListener("abort", stop);
        const end = { context, display, error, timedOut, finished, dir, once, isNew, supervisor };
        resolve(Promise.try(() => endStatus(end)));
      },
    });
    const face = new FollowerFace(context, placeOf(context, following), supervisor);
    const stop = () => {
      stopWatching();
      display.stopping();
      face.stopping();
      supervisor.stop();
    };
    const stopWatching = watchProgress(context, once, supervisor, () => {
      timedOut = withoutProgress(supervisor);
      supervisor.stop();
    });
    context.stop.addEventListener("abort", stop, { once: true });
    // A script that reads no more wants no more; with --once the end comes by itself.
    if (context.json && !once) context.out.whenClosed(stop);
    try {
      // An existing directory is locked at the start, and a second follower on it is told of that first.
      if (isNew) face.listen();
      supervisor.start();
      if (context.stop.aborted) stop();
    } catch (thrown) {
      face.close();
      stopWatching();
      display.close();
      reject(thrown);
    }
  });
}

/** How shards get their threads, and how many of them there may be. */
function ofThisProcess(
  threads: ShardThreads,
): Pick<SupervisorOptions, "startThread" | "startingMax" | "refusal"> {
  return {
    startThread: threads.start,
    startingMax: 2 * availableParallelism(),
    refusal: (shards) => refuseLimits(shards, processLimits()),
  };
}

function displayOptions(
  { args }: Context,
  { dir, once }: Following,
  shardCount: () => number | null,
): FollowDisplayOptions {
  return {
    ...{ leader: args.argument("LEADER") ?? "", dir, once, sync: syncOf(args), shardCount },
    ...{ pace: paceOf(args), isVerbose: args.flag("verbose") },
  };
}

/** What every shard is told. */
function sharedOf(
  { args }: Context,
  { host, port, dir, once, windowAcks }: Following,
): SharedSettings {
  return {
    ...{ host, port, dir, once, windowAcks },
    resyncMs: args.durationMs("resync"),
    pollMs: args.durationMs("poll") ?? 300_000,
    limitRateBytes: args.bytes("limit-rate"),
    sync: syncOf(args),
    acceptLeader: args.flag("accept-leader"),
  };
}

function syncOf(args: Context["args"]): SyncPolicy {
  return (args.text("sync") ?? "group") as SyncPolicy;
}

/** What is shown beside what the shards say. */
function placeOf(
  { args }: Context,
  { host, port, dir, target, connectionsPerDay }: Following,
): FollowerPlace {
  return { host, port, dir, connectionsPerDay, sync: syncOf(args), found: target.state };
}

/** What is said when --timeout is over: the first trouble, or what is still waited for. */
function withoutProgress({ leader, snapshots }: Supervisor): string {
  const waiting = snapshots.filter(({ ready }) => !ready);
  const trouble = waiting.find(({ lastError }) => lastError !== null)?.lastError;
  const reason = trouble ?? waiting[0]?.activity;
  return `No progress with ${leader}${reason === undefined ? "" : `: ${reason}`}`;
}

/** With --once: calls back when nothing has moved for as long as progress-limit.ts says. Returns what ends the watch. */
function watchProgress(
  context: Context,
  once: boolean,
  supervisor: Supervisor,
  late: () => void,
): () => void {
  const timeoutMs = context.args.durationMs("timeout");
  if (!once || timeoutMs === null) return () => {};
  const { args, clock } = context;
  const timeout = { timeoutMs, isGiven: args.isGiven("timeout") };
  const snapshots = () => supervisor.snapshots;
  const limitMs = () => progressLimitMs(timeout, supervisor.geometry, snapshots());
  const shardCount = () => supervisor.geometry?.shardCount ?? null;
  const watch = new ProgressWatch({ clock, limitMs, snapshots, shardCount, late });
  return () => watch.stop();
}

function leaderOf(text: string | null): { host: string; port: number } {
  const address = parseAddress(text ?? "");
  if (address === null) {
    throw new ArmdbError("usage", `"${text}" is not a leader's address`, {
      hint: "HOST:PORT, as in 10.0.0.5:7400 or [::1]:7400",
    });
  }
  return address;
}

function windowOf(window: number | null): number {
  if (window !== null && window >= 0 && window <= WINDOW_ACKS_MAX) return window;
  const accepted = `expected a whole number from 0 to ${WINDOW_ACKS_MAX}`;
  throw new ArmdbError("usage", `Invalid --window "${window ?? ""}": ${accepted}`, {
    hint: "--window 64",
  });
}

function connectionLimit(text: string | null): number | null {
  if (text === "off") return null;
  const limit = Number(text ?? LEADER_CONNECTIONS_DEFAULT);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 30_000) return limit;
  throw new ArmdbError("usage", `--leader-connections is "${text}", wanted 1 to 30000 or off`);
}

/** A directory that is not known to be a replica, or that somebody else is writing, needs a word on the command line. */
function refuseForeign(context: Context, dir: string, target: ReplicaTarget): void {
  if (target.kind === "new") return;
  const { args, messages } = context;
  const writers = writersOf(dir);
  if (writers.pids.length > 0 && !args.flag("force")) {
    throw new ArmdbError(
      "locked",
      `"${dir}" is open for writing by process ${writers.pids.join(", ")}`,
      {
        path: dir,
        hint: `stop it first (ps -p ${writers.pids[0]}), or --force if you know better`,
      },
    );
  }
  if (writers.unseen) {
    messages.debug(
      `not every process could be looked at: whether another one has "${dir}" open is not known`,
    );
  }
  if (!target.isReplica && !args.flag("adopt")) {
    throw new ArmdbError(
      "usage",
      `"${dir}" holds data but no cursor: it is not known to be a replica, and may be a leader's own directory`,
      {
        path: dir,
        hint: "if it is a copy that may be overwritten with the leader's contents: --adopt",
      },
    );
  }
}
