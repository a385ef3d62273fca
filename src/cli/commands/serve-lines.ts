// What `armdb serve` says to people about its followers, a line each, and about bad slots once per shard.

import { unreachable } from "../../errors.ts";
import type { SlotTally } from "../../serve/catch-up-scan.ts";
import type { DirectoryChange } from "../../serve/change-watch.ts";
import type { FollowerReport } from "../../serve/report.ts";
import type { ServedDatabase } from "../../serve/served-database.ts";
import type { Messages } from "../surface/surface.ts";
import { formatCounted } from "../surface/numbers.ts";

export class FollowerLines {
  readonly #messages: Messages;
  readonly #dir: string;
  readonly #warned = new Set<number>();

  constructor(messages: Messages, dir: string) {
    this.#messages = messages;
    this.#dir = dir;
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
        this.#messages.info(
          `${from} shard ${shard}: catching up, ${formatCounted(report.slots, "slot")} (protocol ${report.protocol})`,
        );
        return;
      case "live":
        this.#messages.info(
          `${from} shard ${shard}: caught up, ${formatCounted(report.sent, "slot")} sent`,
        );
        if (shard !== null) this.#badSlots(shard, report.torn, report.invalid);
        return;
      case "refused":
        this.#messages.warn(`${from} refused: ${report.reason}`);
        return;
      case "failed":
        this.#messages.error(`${from} shard ${shard}: cannot go on: ${report.reason}`);
        return;
      case "ended":
        this.#messages.info(
          `${from}${shard === null ? "" : ` shard ${shard}`}: ended, ${report.reason}`,
        );
        return;
      default:
        unreachable(report);
    }
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
