// What a running follower says to people in lines: one cause that meets many shards is one line, a reason that does not change is
// said once, what comes again and again is said seldom, and how all shards are together only when that changes. With -v each line of
// each shard is said as it comes. Used by follow-display.ts. Decides nothing about following.

import type { Clock, Timer } from "../../io/clock.ts";
import type { FollowerReport, ShardSnapshot } from "../../replica/follower-types.ts";
import { isRoutine, rescanText } from "../../status/scan-words.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted, formatDuration } from "../surface/numbers.ts";
import { RateLimited } from "../surface/rate-limited.ts";
import type { Messages } from "../surface/surface.ts";
import { SaidReasons } from "./said-reasons.ts";
import { shardNames } from "./shard-names.ts";
import { WholeState } from "./whole-state.ts";

type Log = Extract<FollowerReport, { kind: "log" }>;
type Whole = Extract<FollowerReport, { kind: "caught-up" }>;

/** What meets several shards at once is heard of within this. */
const GATHER_MS = 1_000;
/** When the reason is known already, further shards are told of after this: how many are live is told at once. */
const GATHER_MORE_MS = 300_000;
/** Shards that reconnect do so at different times; what their scans did can wait for each other. */
const GATHER_SCANS_MS = 10_000;
/** With more of them a shard is not told of by itself when it has caught up, but all are together. */
const SHARDS_TOLD_MAX = 8;

const SCANS = "rescan ";

/** A line of which more shards may come. */
interface Gathered {
  readonly level: "info" | "warn";
  readonly kind: string;
  readonly shards: number[];
  /** Until then it waits for more. */
  readonly dueMs: number;
  /** As it is when it is said. */
  text(): string;
}

interface GatheredScans extends Gathered {
  readonly sums: { applied: number; healed: number };
}

export interface FollowLogOptions {
  readonly messages: Messages;
  readonly clock: Clock;
  /** -v. */
  readonly isVerbose: boolean;
  /** How many there are, as far as it is known. */
  shardCount(): number;
}

export class FollowLog {
  readonly #options: FollowLogOptions;
  readonly #limited: RateLimited;
  readonly #said = new SaidReasons();
  readonly #whole = new WholeState();
  /** By what makes them one line. */
  readonly #gathered = new Map<string, Gathered>();
  /** First scans of more shards than are told of by themselves. */
  readonly #firsts: Whole[] = [];
  #timer: Timer | null = null;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** When to look at how all shards are together. */
  #wholeAtMs = Number.POSITIVE_INFINITY;
  /** It has begun to stop: that shards are not live any more is no news. */
  #isEnding = false;

  constructor(options: FollowLogOptions) {
    this.#options = options;
    const lead = (shards: readonly number[]) =>
      shards.length === 0 ? "" : `${shardNames(shards)}: `;
    this.#limited = new RateLimited(options.messages, options.clock, lead);
  }

  log({ shard, level, text: said, reasonOf }: Log): void {
    const text = escapeText(said);
    if (level === "debug" || shard === null || this.#isDirect) {
      return this.#now(shard, level, text);
    }
    const given = reasonOf === undefined ? "of-none" : this.#said.given(shard, reasonOf, text);
    if (given === "of-it") return;
    const key = `${level} ${text}`;
    // Within the second it is of this line that the others are.
    const gatherMs = given === "of-others" ? GATHER_MORE_MS : GATHER_MS;
    const make = (dueMs: number): Gathered => ({
      ...{ level, kind: kindOf(text), shards: [], dueMs, text: () => text },
    });
    this.#gather(key, make, gatherMs).shards.push(shard);
  }

  /** A shard differs from its leader. */
  diverged(shard: number, text: string): void {
    if (this.#said.given(shard, "diverged", text) === "of-it") return;
    if (this.#isDirect) return this.#now(shard, "warn", text);
    this.#gather(`${shard} diverged`, (dueMs) => ({
      ...{ level: "warn", kind: "diverged", shards: [shard], dueMs, text: () => text },
    }));
  }

  /** A whole scan of a shard. */
  whole(report: Whole): void {
    const { shard, why } = report;
    if (why === "first") return this.#caughtUp(report);
    const [applied, healed] = [Number(report.applied), Number(report.healed)];
    this.#said.scanned(shard);
    const isSaid = () => this.#said.given(shard, "main", `scanned: ${why}`) === "of-it";
    const isNews = healed > 0 || !(isRoutine(why) || isSaid());
    if (this.#isDirect || !isNews) {
      return this.#now(shard, isNews ? "info" : "debug", rescanText(why, applied, healed));
    }
    const sums = { applied: 0, healed: 0 };
    const key = `${SCANS}${why} ${healed > 0}`;
    const line = this.#gather<GatheredScans>(
      key,
      (dueMs) => {
        const text = () => rescanText(why, sums.applied, sums.healed);
        return { level: "info", kind: key, shards: [], dueMs, text, sums };
      },
      GATHER_SCANS_MS,
    );
    line.sums.applied += applied;
    line.sums.healed += healed;
    line.shards.push(shard);
  }

  #caughtUp(report: Whole): void {
    const isTold = this.#options.shardCount() <= SHARDS_TOLD_MAX;
    this.#now(report.shard, isTold ? "info" : "debug", caughtUpText([report]));
    if (!isTold) this.#firsts.push(report);
  }

  snapshot(snapshot: ShardSnapshot): void {
    const nowMs = this.#options.clock.nowMs();
    this.#said.note(snapshot, nowMs);
    if (!this.#whole.note(snapshot, nowMs) || this.#isEnding) return;
    this.#wholeAtMs = Math.min(this.#wholeAtMs, nowMs + GATHER_MS);
    this.#flushAt(this.#wholeAtMs);
  }

  /** Every shard has caught up, which is said by others: from here on what changes is news. */
  ready(): void {
    this.#say(Number.POSITIVE_INFINITY);
    const all = this.#firsts.splice(0);
    if (all.length > 0) {
      const names = shardNames(all.map(({ shard }) => shard));
      this.#options.messages.info(`${names}: ${caughtUpText(all)}`);
    }
    this.#whole.begin(this.#options.clock.nowMs());
  }

  /** What waits is said; what becomes of the shards from here on is no news. */
  ending(): void {
    this.#isEnding = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#say(Number.POSITIVE_INFINITY);
    this.#limited.flush();
  }

  /** Each line is said as it comes. */
  get #isDirect(): boolean {
    return this.#options.isVerbose || this.#isEnding;
  }

  #now(shard: number | null, level: "debug" | "info" | "warn", text: string): void {
    this.#options.messages[level](`${shard === null ? "" : `shard ${shard}: `}${text}`);
  }

  /** The line that is gathered under this key; a follower of one shard waits for nobody. */
  #gather<Line extends Gathered>(
    key: string,
    make: (dueMs: number) => Line,
    gatherMs = GATHER_MS,
  ): Line {
    const known = this.#gathered.get(key);
    if (known !== undefined) return known as Line;
    const { clock, shardCount } = this.#options;
    const line = make(clock.nowMs() + (shardCount() > 1 ? gatherMs : 0));
    this.#gathered.set(key, line);
    this.#flushAt(line.dueMs);
    return line;
  }

  #flushAt(atMs: number): void {
    if (!Number.isFinite(atMs) || (this.#timer !== null && this.#timerAtMs <= atMs)) return;
    this.#timer?.cancel();
    const { clock } = this.#options;
    this.#timerAtMs = atMs;
    this.#timer = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#timer = null;
      this.#flush();
    });
  }

  #flush(): void {
    const nowMs = this.#options.clock.nowMs();
    this.#say(nowMs);
    for (const { dueMs } of this.#gathered.values()) this.#flushAt(dueMs);
    if (nowMs < this.#wholeAtMs) return this.#flushAt(this.#wholeAtMs);
    const { text, againAtMs } = this.#whole.news(nowMs);
    if (text !== null) {
      // What led to it goes first.
      this.#say(nowMs, "scans");
      this.#options.messages.info(text);
    }
    this.#wholeAtMs = againAtMs ?? Number.POSITIVE_INFINITY;
    this.#flushAt(this.#wholeAtMs);
  }

  /** Says what has waited long enough, and what is said of scans in any case. */
  #say(nowMs: number, also?: "scans"): void {
    for (const [key, { level, kind, shards, dueMs, text }] of this.#gathered) {
      if (dueMs > nowMs && !(also === "scans" && kind.startsWith(SCANS))) continue;
      this.#gathered.delete(key);
      this.#limited.say({ level, kind, of: shards, text: text() });
    }
  }
}

/** Of one shard, or of several together: as long as the longest took. */
function caughtUpText(reports: readonly Whole[]): string {
  const sum = (of: (report: Whole) => bigint) => reports.reduce((all, one) => all + of(one), 0n);
  const [scanned, applied] = [sum((report) => report.scanned), sum((report) => report.applied)];
  const took = formatDuration(Math.max(...reports.map(({ tookMs }) => tookMs)));
  const records = formatCounted(scanned, "record");
  return `caught up, ${records} received, ${formatCount(applied)} applied, ${took}`;
}

/** What lines that differ in figures have in common: the words before the first colon. */
function kindOf(text: string): string {
  return (text.split(":")[0] ?? "").replaceAll(/\d+/g, "#");
}
