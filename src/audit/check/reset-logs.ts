// What the reset logs of a directory keep, and whose doing it was (store/reset-log.ts), in words. Used by check/stray.ts. Reads the
// first MiB of each log, follows no link; what cannot be read is handed to the caller.

import type { Disk } from "../../io/disk.ts";
import { readStart } from "../look/file-look.ts";

const READ_BYTES = 1024 * 1024;

/** By whose doing: one slot, and several. */
const WORDS = {
  leader: "that the leader reset",
  "accept-leader": "that --accept-leader gave up",
  /** Lines of an armdb that did not say. */
  unknown: "that a reset or --accept-leader took away",
} as const;

/** `12 slots that the leader reset, 3 slots that --accept-leader gave up`. `failed` is told of each log that cannot be read. */
export function savedSlotsText(
  disk: Disk,
  root: string,
  names: readonly string[],
  failed: (name: string, errno: string) => void,
): string {
  const counts = { leader: 0, "accept-leader": 0, unknown: 0 };
  let isWhole = true;
  for (const name of names) {
    const { bytes, facts, error } = readStart(disk, root, name, READ_BYTES);
    if (error !== null) failed(name, error.errno);
    if (bytes === null) continue;
    isWhole &&= (facts?.bytes ?? 0) <= bytes.length;
    for (const line of new TextDecoder().decode(bytes).split("\n")) {
      if (!line.startsWith("{")) continue;
      // Keys and values are hex, so nothing else reads like this. The last line may be cut.
      const by = /"by":"(leader|accept-leader)"/.exec(line)?.[1] ?? "unknown";
      counts[by as keyof typeof counts]++;
    }
  }
  const parts = Object.entries(WORDS).flatMap(([by, words]) => {
    const count = counts[by as keyof typeof counts];
    if (count === 0) return [];
    return `${count.toLocaleString("en-US")} ${count === 1 ? "slot" : "slots"} ${words}`;
  });
  if (parts.length === 0) return `slots ${WORDS.unknown}`;
  return `${isWhole ? "" : "at least "}${parts.join(", ")}`;
}
