// What `armdb serve` says to people about its followers: of one host and shard the same word once in ten seconds, however often it
// comes back; about bad slots once per shard.

import { unreachable } from "../../errors.ts";
import type { SlotTally } from "../../serve/catch-up-scan.ts";
import type { DirectoryChange } from "../../serve/change-watch.ts";
import type { FollowerReport } from "../../serve/report.ts";
import type { ServedDatabase } from "../../serve/served-database.ts";
import type { Messages } from "../surface/surface.ts";
import type { Clock } from "../../io/clock.ts";
import { formatCounted } from "../surface/numbers.ts";
import { type LimitedLine, RateLimited } from "../surface/rate-limited.ts";

type SaidMessages = Pick<Messages, "info" | "warn" | "error">;

export class FollowerLines {
  readonly #messages: SaidMessages;
  readonly #dir: string;
  readonly #warned = new Set<number>();
  readonly #limited: RateLimited;

  constructor(messages: SaidMessages, dir: string, clock: Pick<Clock, "after">) {
    this.#messages = messages;
    this.#dir = dir;
    this.#limited = new RateLimited(messages, clock, () => "");
  }

  /** Says what waits. */
  end(): void {
    this.#limited.flush();
  }

  listening(at: string, database: ServedDatabase): void {
    const { shardCount, layout } = database;
    const shards = formatCounted(shardCount, "shard");
    const sizes = `keys of ${layout.keyLen}, values of ${layout.valueLen} bytes`;
    this.#messages.info(`Serving "${this.#dir}" on ${at}: ${shards}, ${sizes}`);
    this.#messages.info(`To follow it: armdb replicate ${at} --data NEW_DIR`);
  }

  follower(report: FollowerReport): void {
    const { from, shard } = report;
    switch (report.state) {
      case "scanning":
        return this.#say(
          report,
          "info",
          `: catching up, ${formatCounted(report.slots, "slot")} (protocol ${report.protocol})`,
        );
      case "live":
        this.#say(report, "info", `: caught up, ${formatCounted(report.sent, "slot")} sent`);
        if (shard !== null) this.#badSlots(shard, report.torn, report.invalid);
        return;
      case "refused":
        return this.#limit(report, "warn", report.reason, `${from} refused: ${report.reason}`);
      case "failed":
        return this.#say(report, "error", `: cannot go on: ${report.reason}`);
      case "ended":
        return this.#say(report, "info", `: ended, ${report.reason}`);
      default:
        unreachable(report);
    }
  }

  #say(report: FollowerReport, level: LimitedLine["level"], text: string): void {
    const { from, shard } = report;
    const reason = "reason" in report ? report.reason : "";
    const who = shard === null ? from : `${from} shard ${shard}`;
    this.#limit(report, level, reason, `${who}${text}`);
  }

  /** Each connection has a port of its own: it is the host that comes back. */
  #limit(
    { from, shard, state }: FollowerReport,
    level: LimitedLine["level"],
    reason: string,
    text: string,
  ): void {
    const host = from.replace(/:\d+$/, "");
    this.#limited.say({ level, kind: `${state} ${host} ${shard} ${reason}`, text, of: [] });
  }

  changed(change: DirectoryChange): void {
    this.#messages.warn(
      `"${change.path}" ${change.what}: this directory is not at rest, and followers that have caught up miss it. ` +
        `Try: armdb status "${this.#dir}"`,
    );
  }

  #badSlots(shard: number, torn: SlotTally, invalid: SlotTally): void {
    if (torn.count + invalid.count === 0 || this.#warned.has(shard)) return;
    this.#warned.add(shard);
    if (torn.count > 0) {
      this.#messages.warn(
        `shard ${shard}: ${slots(torn)} fail their checksum; followers of protocol 2 are told to clear them`,
      );
    }
    if (invalid.count > 0) {
      this.#messages.warn(`shard ${shard}: ${slots(invalid)} have status 3 and are left out`);
    }
    this.#messages.warn(`Try: armdb verify "${this.#dir}"`);
  }
}

/** `3 slots (5, 9, 12)` */
function slots(tally: SlotTally): string {
  const more = tally.count > tally.first.length ? ", ..." : "";
  return `${formatCounted(tally.count, "slot")} (${tally.first.join(", ")}${more})`;
}
