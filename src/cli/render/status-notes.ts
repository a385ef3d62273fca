// What a follower's status says of its shards below the table: what goes on, what is wrong, what is due. What holds for several
// shards is said once. Used by status.ts. Pure; text of the leader is escaped.

import { divergedText } from "../../status/diverged-words.ts";
import { scanWhyText } from "../../status/scan-words.ts";
import type { ShardStatus, SlotWord, StatusDocument } from "../../status/status-types.ts";
import { escapeText } from "../surface/escape.ts";
import { formatDuration, formatTime } from "../surface/numbers.ts";
import { shardNames } from "./shard-names.ts";

/** Durable lag that is worth a word. */
const DURABLE_LAG_SHOWN_MS = 1_000;
/** Diverged slots that are listed by number; the others are in --json. */
const DIVERGED_SHOWN = 5;
/** Until it is tried again: of several shards each has its own. */
const AGAIN = /; again in [\d.]+ s/;

/** What there is to say of the shards besides their rows: what holds for several is said once. */
export function noteLines(
  shards: readonly ShardStatus[],
  { atMs, running }: Pick<StatusDocument, "atMs" | "running">,
): string[] {
  const notes = new Map<string, { readonly text: string; readonly shards: number[] }>();
  for (const shard of shards) {
    for (const text of shardNotes(shard, atMs, running)) {
      const key = text.replace(AGAIN, "");
      const note = notes.get(key) ?? { text, shards: [] };
      note.shards.push(shard.shard);
      notes.set(key, note);
    }
  }
  return [...notes].map(([key, { text, shards: named }]) => {
    return `${shardNames(named)}: ${named.length === 1 ? text : key}`;
  });
}

function shardNotes(shard: ShardStatus, atMs: number, running: boolean): string[] {
  const { state, activity, lastError, durableLagMs, caughtUp, complete, owed, asOfMs, scan } =
    shard;
  const notes: string[] = [];
  if (state !== "live" && state !== "stopped" && activity !== null) {
    const never = caughtUp === false ? " (it has never caught up)" : "";
    const why = scan === null ? "" : `, because ${escapeText(scanWhyText(scan.why))}`;
    notes.push(`${escapeText(activity)}${scan?.why === "first" ? "" : why}${never}`);
  }
  // The activity says the error already while it lasts.
  if (lastError !== null && activity?.includes(lastError) !== true) {
    notes.push(`last error: ${escapeText(lastError)}`);
  }
  if (durableLagMs !== null && durableLagMs >= DURABLE_LAG_SHOWN_MS) {
    notes.push(`writes of ${formatDuration(durableLagMs)} ago are not durable yet`);
  }
  if (owed !== null) notes.push(owedText(owed));
  if (complete === false) notes.push("its first copy has not ended");
  // Where no follower runs, all of it is that old, and the second line says so.
  if (asOfMs !== null && running) {
    const age = formatDuration(Math.max(0, atMs - asOfMs));
    notes.push(`what is said of its last scan was saved ${age} ago, by an earlier run`);
  }
  if ((shard.divergedSlots ?? 0) > 0) notes.push(divergedNote(shard));
  return notes;
}

function owedText({ why, sinceMs, heldUntilMs }: NonNullable<ShardStatus["owed"]>): string {
  const reason = escapeText(scanWhyText(why));
  const held =
    heldUntilMs === null
      ? ""
      : `; it waits for --leader-connections until ${formatTime(heldUntilMs)}`;
  const since = formatDuration(Math.round(sinceMs / 1000) * 1000);
  return `a whole scan has been due for ${since} (${reason})${held}`;
}

/** The kinds with their numbers, and the first slots with both versions. */
function divergedNote({ diverged, divergedSlots }: ShardStatus): string {
  const total = Math.max(divergedSlots ?? 0, diverged.length);
  const shown = diverged.slice(0, DIVERGED_SHOWN).map(slotText).join(", ");
  return `${divergedText(diverged, total, 0)}${shown === "" ? "" : `: ${shown}`}${
    total > DIVERGED_SHOWN && shown !== "" ? ", ..." : ""
  }`;
}

/** `slot 0 is newer here (v2, leader v1)`. */
function slotText({ slot, kind, here, there }: ShardStatus["diverged"][number]): string {
  const word =
    kind === "value" ? "has other bytes" : kind === "status" ? "has another status" : `is ${kind}`;
  const leader = there === null ? "not at the leader" : `leader ${wordText(there)}`;
  return `slot ${slot} ${word} here (${wordText(here)}, ${leader})`;
}

function wordText({ status, version }: SlotWord): string {
  return `${status === "occupied" ? "" : `${escapeText(status)} `}v${version}`;
}
