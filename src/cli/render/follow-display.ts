// What people and scripts see of a running follower: a row per shard on a terminal, plain lines elsewhere, NDJSON with --json
// (cli.md: replicate). Shows what is reported and decides nothing.

import type { DivergedSlot, FollowerReport, ShardSnapshot } from "../../replica/follower-types.ts";
import { differenceHere, divergedText, type DivergedWord } from "../../status/diverged-words.ts";
import { rescanText } from "../../status/scan-words.ts";
import type { Context } from "../command.ts";
import type { Progress, ProgressRow } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatDuration } from "../surface/numbers.ts";

/** Less than the second between two snapshots of a live shard, so that one that comes early does not wait for the next. */
const JSON_PROGRESS_INTERVAL_MS = 900;

/** Diverged slots that are named in a line. */
const DIVERGED_SHOWN = 10;

/** What the display needs of a command's surroundings. */
export type FollowDisplayContext = Pick<Context, "messages" | "json" | "out" | "clock">;

export class FollowDisplay {
  readonly #context: FollowDisplayContext;
  readonly #leader: string;
  readonly #dir: string;
  readonly #once: boolean;
  readonly #progress: Progress | null;
  #progressAtMs = 0;
  #closed = false;
  /** Shards that ended without an error and are not closed clean, by the reason. */
  readonly #unclean = new Map<string, number[]>();

  constructor(
    context: FollowDisplayContext,
    options: { readonly leader: string; readonly dir: string; readonly once: boolean },
  ) {
    this.#context = context;
    this.#leader = options.leader;
    this.#dir = options.dir;
    this.#once = options.once;
    const what = `Following ${escapeText(options.leader)} into ${escapeText(options.dir)}`;
    context.messages.info(what);
    this.#progress = context.json ? null : context.messages.progress("replicate");
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
        this.#progress?.update(snapshots().map(rowOf));
        return;
      case "state":
        messages.debug(`shard ${report.shard}: ${report.state}, ${escapeText(report.detail)}`);
        return;
      case "caught-up": {
        if (report.why !== "first") {
          const text = rescanText(report.why, Number(report.applied), Number(report.healed));
          messages.info(`shard ${report.shard}: ${text}`);
          return;
        }
        const scanned = formatCount(Number(report.scanned));
        const applied = formatCount(Number(report.applied));
        const took = formatDuration(report.tookMs);
        messages.info(
          `shard ${report.shard}: caught up, ${scanned} slots scanned, ${applied} applied, ${took}`,
        );
        return;
      }
      case "log":
        messages[report.level](
          `${report.shard === null ? "" : `shard ${report.shard}: `}${escapeText(report.text)}`,
        );
        return;
      case "diverged": {
        const words = report.slots.map(wordOf);
        const text = divergedText(words, report.total, DIVERGED_SHOWN);
        messages.warn(
          `shard ${report.shard}: ${text}${text.endsWith("...") ? "" : "."} ` +
            `Try: armdb compare ${escapeText(this.#dir)} ${escapeText(this.#leader)}; --accept-leader takes the leader's records`,
        );
        return;
      }
      case "ready":
      case "leader-restarted":
      case "ended":
        return;
    }
  }

  #asJson(report: FollowerReport, snapshots: () => readonly ShardSnapshot[]): void {
    const { out, clock } = this.#context;
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
      case "snapshot": {
        const nowMs = clock.nowMs();
        if (nowMs - this.#progressAtMs < JSON_PROGRESS_INTERVAL_MS) return;
        this.#progressAtMs = nowMs;
        const shards = snapshots().map(
          ({ shard, state, scanned, slots, occupied, appliedTotal }) => ({
            shard,
            state,
            scanned: String(scanned ?? 0),
            slots: slots ?? 0,
            occupied: occupied ?? 0,
            appliedTotal: String(appliedTotal ?? 0),
          }),
        );
        out.json({ schema: 1, type: "progress", shards });
        return;
      }
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

  /** Every shard has caught up and is durable. With --once what differs for good is left to the last line. */
  ready(divergedSlots: number): void {
    const { messages, out, json } = this.#context;
    if (json) out.json({ schema: 1, type: "ready" });
    if (!this.#once) {
      messages.info(
        "Every shard has caught up and is durable; following. Ctrl-C stops in good order",
      );
    } else if (divergedSlots === 0) messages.info("Every shard has caught up and is durable");
  }

  stopping(): void {
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
    this.#progress?.stop();
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

/** By the last slot of a scan: its records may lie anywhere in the shard. */
function rowOf({ shard, state, scan, slots, occupied }: ShardSnapshot): ProgressRow {
  const total = slots ?? 0;
  return {
    label: `shard ${shard}`,
    state,
    done: scan === null ? (occupied ?? 0) : scan.phase === "confirming" ? total : scan.slot + 1,
    total: scan === null ? 0 : total,
    unit: "slots",
  };
}
