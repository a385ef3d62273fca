// What people and scripts see of a running follower: a row per shard on a terminal, plain lines elsewhere, NDJSON with --json
// (cli.md: replicate). Shows what is reported and decides nothing.

import type {
  DivergedSlot,
  FollowerReport,
  ShardSnapshot,
  SyncPolicy,
} from "../../replica/follower-types.ts";
import { differenceHere, divergedText, type DivergedWord } from "../../status/diverged-words.ts";
import type { Context } from "../command.ts";
import { escapeText } from "../surface/escape.ts";
import { type Pace, Schedule } from "../surface/schedule.ts";
import { FollowLog } from "./follow-log.ts";
import { FollowProgress, followObject, isScanning } from "./follow-progress.ts";

/** Diverged slots that are named in a line. */
const DIVERGED_SHOWN = 10;

const ONCE_TAKES_STREAM =
  "This leader (0.1.x) gives its live stream once per run, and --once uses it up. " +
  "Restart the leader before a permanent follower starts.";

/** What the display needs of a command's surroundings. */
export type FollowDisplayContext = Pick<Context, "messages" | "json" | "out" | "clock">;

export interface FollowDisplayOptions {
  readonly leader: string;
  readonly dir: string;
  readonly once: boolean;
  readonly sync: SyncPolicy;
  /** `--progress`. */
  readonly pace: Pace;
  /** -v. */
  readonly isVerbose: boolean;
  /** Null until the leader has said how many there are. */
  shardCount(): number | null;
}

export class FollowDisplay {
  readonly #context: FollowDisplayContext;
  readonly #options: FollowDisplayOptions;
  readonly #log: FollowLog;
  /** Null with --json: then progress goes to stdout. */
  readonly #progress: FollowProgress | null;
  readonly #objects: Schedule;
  readonly #scanning = new Set<number>();
  #closed = false;
  /** Shards that ended without an error and are not closed clean, by the reason. */
  readonly #unclean = new Map<string, number[]>();

  constructor(context: FollowDisplayContext, options: FollowDisplayOptions) {
    const { messages, clock, json } = context;
    const { leader, dir, isVerbose, sync, pace } = options;
    this.#context = context;
    this.#options = options;
    messages.info(`Following ${escapeText(leader)} into ${escapeText(dir)}`);
    const shardCount = () => this.#shardCount;
    this.#log = new FollowLog({ messages, clock, isVerbose, shardCount });
    const nowMs = () => clock.nowMs();
    this.#progress = json
      ? null
      : new FollowProgress({ telling: messages.telling(), sync, nowMs, shardCount });
    this.#objects = new Schedule(pace, "objects", clock.nowMs());
  }

  get #shardCount(): number {
    return this.#options.shardCount() ?? 1;
  }

  /** Shows one report; `snapshots` gives the last of every shard: with many shards not to be asked for each report. */
  reported(report: FollowerReport, snapshots: () => readonly ShardSnapshot[]): void {
    if (this.#closed) return;
    if (report.kind === "ended" && report.unclean !== null) {
      const shards = this.#unclean.get(report.unclean) ?? [];
      this.#unclean.set(
        report.unclean,
        [...shards, report.shard].sort((left, right) => left - right),
      );
    }
    if (this.#context.json) this.#asJson(report, snapshots);
    this.#asText(report, snapshots);
  }

  #asText(report: FollowerReport, snapshots: () => readonly ShardSnapshot[]): void {
    const { messages } = this.#context;
    switch (report.kind) {
      case "snapshot":
        this.#log.snapshot(report.snapshot);
        this.#progress?.update(report.snapshot, snapshots);
        return;
      case "state":
        messages.debug(`shard ${report.shard}: ${report.state}, ${escapeText(report.detail)}`);
        return;
      case "caught-up":
        return this.#log.whole(report);
      case "log":
        return this.#log.log(report);
      case "diverged": {
        const text = divergedText(report.slots.map(wordOf), report.total, DIVERGED_SHOWN);
        const { dir, leader } = this.#options;
        return this.#log.diverged(
          report.shard,
          `${text}${text.endsWith("...") ? "" : "."} ` +
            `Try: armdb compare ${escapeText(dir)} ${escapeText(leader)}; --accept-leader takes the leader's records`,
        );
      }
      case "ready":
      case "leader-restarted":
      case "ended":
        return;
    }
  }

  #asJson(report: FollowerReport, snapshots: () => readonly ShardSnapshot[]): void {
    const { out } = this.#context;
    switch (report.kind) {
      case "state":
        out.json({
          schema: 1,
          type: "shard",
          shard: report.shard,
          state: report.state,
          detail: report.detail,
        });
        return;
      case "caught-up":
        out.json({
          schema: 1,
          type: "caught-up",
          shard: report.shard,
          scanned: String(report.scanned),
          applied: String(report.applied),
          healed: String(report.healed),
          why: report.why,
          ms: Math.round(report.tookMs),
        });
        return;
      case "diverged":
        out.json({
          schema: 1,
          type: "diverged",
          shard: report.shard,
          total: report.total,
          slots: report.slots.map((slot) => ({ ...slot, kind: wordOf(slot).kind })),
        });
        return;
      case "snapshot":
        return this.#progressObject(report.snapshot, snapshots);
      case "ended":
        if (report.error !== null) {
          const { code, message, hint } = report.error;
          out.json({
            schema: 1,
            type: "error",
            shard: report.shard,
            code,
            message,
            hint: hint ?? null,
          });
        }
        return;
      case "ready":
      case "log":
      case "leader-restarted":
        return;
    }
  }

  /** While a scan runs. */
  #progressObject({ shard, scan }: ShardSnapshot, snapshots: () => readonly ShardSnapshot[]): void {
    const { out, clock } = this.#context;
    const nowMs = clock.nowMs();
    if (isScanning(scan) && this.#scanning.size === 0) this.#objects.begin(nowMs);
    if (isScanning(scan)) this.#scanning.add(shard);
    else this.#scanning.delete(shard);
    if (this.#scanning.size === 0 || !this.#objects.isDue(nowMs)) return;
    out.json(followObject(snapshots(), this.#shardCount));
  }

  /** The leader has answered, and speaks that. */
  learned(protocol: 1 | 2): void {
    if (protocol === 1 && this.#options.once) this.#context.messages.warn(ONCE_TAKES_STREAM);
  }

  /** Every shard has caught up and is durable. With --once what differs for good is left to the last line. */
  ready(divergedSlots: number): void {
    const { messages, out, json } = this.#context;
    this.#log.ready();
    this.#progress?.ready();
    if (json) out.json({ schema: 1, type: "ready" });
    if (!this.#options.once) {
      messages.info(
        "Every shard has caught up and is durable; following. Ctrl-C stops in good order",
      );
    } else if (divergedSlots === 0) messages.info("Every shard has caught up and is durable");
  }

  stopping(): void {
    this.#log.ending();
    this.#context.messages.debug("closing every shard in good order");
  }

  /** The last line. `isIncomplete`: the first copy has not ended. */
  summary(
    verdict: "caught-up" | "stopped" | "diverged" | "failed" | "timed-out",
    { isIncomplete }: { readonly isIncomplete: boolean } = { isIncomplete: false },
  ): void {
    const { json, messages, out } = this.#context;
    this.close();
    const unclean = [...this.#unclean.values()].flat().sort((left, right) => left - right);
    const more = unclean.length === 0 ? {} : { unclean };
    if (json) out.json({ schema: 1, type: "summary", verdict, ...more });
    else if (verdict === "stopped") messages.info(stopText(this.#unclean, isIncomplete));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#log.ending();
    this.#progress?.end();
  }
}

/** Shards that are named; of the others there is the number. */
const SHARDS_NAMED_MAX = 10;

function stopText(unclean: ReadonlyMap<string, readonly number[]>, isIncomplete: boolean): string {
  const incomplete = "Stopped before the copy was complete; the same command goes on";
  if (unclean.size === 0) return isIncomplete ? incomplete : "Stopped. Every shard is closed.";
  const groups = [...unclean].map(([reason, shards]) => {
    const named = shards.slice(0, SHARDS_NAMED_MAX).join(", ");
    const more = shards.length - Math.min(shards.length, SHARDS_NAMED_MAX);
    const word = shards.length === 1 ? "shard" : "shards";
    return `${word} ${named}${more > 0 ? ` and ${more} more` : ""} (${reason})`;
  });
  const which = groups.join("; ");
  return isIncomplete
    ? `${incomplete}. Not closed clean: ${which}`
    : `Stopped; not closed clean: ${which}`;
}

/** In the words of compare. */
function wordOf({ slot, here, there }: DivergedSlot): DivergedWord {
  return { slot, kind: differenceHere(here, there) };
}
