// What people and other programs are told of a shard: all of it is derived from the machine's state, and nothing is
// stored for the display. Used by step.ts for its reports, and by the snapshot. Pure.

import type { Report } from "./actions.ts";
import { limitText } from "./connections.ts";
import type {
  Confirming,
  OwedWhy,
  Resting,
  ScanKind,
  ScanWhy,
  Scanning,
  ShardState,
  StateWord,
} from "./types.ts";

/** The state: the first row that holds. Divergence outlasts every state of the link. */
export function stateWord({ main, ending, diverged, suspects, trouble }: ShardState): StateWord {
  if (main.at === "over") return ending?.error ? "failed" : "stopped";
  if (diverged > 0) return "diverged";
  if (trouble?.stalled === true) return "stalled";
  switch (main.at) {
    case "resting":
      return main.why === "backoff" ? "waiting" : "connecting";
    case "asking":
      return main.held === null ? "connecting" : "waiting";
    case "new":
    case "dialing":
      return "connecting";
    case "making":
    case "scanning":
    case "confirming":
      return "scanning";
    case "streaming":
      if (main.stream.is === "probing") return "connecting";
      if (suspects > 0) return "scanning";
      return main.stream.is;
  }
}

/** A few words on what the link does, whatever the state is. */
export function activityOf(state: ShardState, nowMs: number): string {
  const { main, ending, files, settings, trouble } = state;
  switch (main.at) {
    case "over":
      if (ending?.error) return ending.error.message;
      return files === "none" ? "stopped" : "closing its files";
    case "new":
      return "starting";
    case "resting":
      return restingText(main, trouble?.text ?? null, nowMs);
    case "asking":
      return main.held === null ? `connecting to ${settings.leader}` : limitText(main.held);
    case "dialing":
      return `connecting to ${settings.leader}`;
    case "making":
      return "creating its files";
    case "scanning":
      return lookingAgain(state, "catching up");
    case "confirming":
      return lookingAgain(state, "making sure that it was whole");
    case "streaming":
      return streamingText(state, main.stream.is);
  }
}

function restingText({ why, untilMs }: Resting, cause: string | null, nowMs: number): string {
  if (why === "own") return "opening the stream again";
  const seconds = (Math.max(0, untilMs - nowMs) / 1000).toFixed(1);
  return `${cause ?? "no connection"}; again in ${seconds} s`;
}

function streamingText(state: ShardState, stream: "probing" | "polling" | "live"): string {
  const { suspects, diverged, beside, settings } = state;
  if (stream === "probing") return "asking for the live stream";
  if (suspects > 0) return suspectsText(suspects);
  if (diverged > 0)
    return `${diverged} ${diverged === 1 ? "slot differs" : "slots differ"} from the leader`;
  const isScanning = beside.at === "scanning" || beside.at === "confirming";
  if (stream === "live") {
    return isScanning
      ? "following, and scanning on a second connection"
      : "following the live stream";
  }
  return settings.once
    ? "one scan: no live stream available"
    : "rescanning: no live stream available";
}

function suspectsText(suspects: number): string {
  return `${suspects} ${suspects === 1 ? "slot looks" : "slots look"} different`;
}

/** Of a scan: which slots are to be looked at again by it goes first. */
function lookingAgain({ suspects }: ShardState, text: string): string {
  return suspects === 0 ? text : `${suspectsText(suspects)}; ${text}`;
}

export function reportedState(state: ShardState, nowMs: number): Report {
  return { kind: "state", state: stateWord(state), activity: activityOf(state, nowMs) };
}

/**
 * A whole scan of this run is durable, and no scan is owed that has to tell first; a later one that is not judged yet
 * changes nothing. With --once nothing at all is owed, and it is the last scan that is durable.
 */
export function isReady({ settings, last, durableLink, owed, main }: ShardState): boolean {
  if (last === null || durableLink === null || main.at === "over") return false;
  if (!last.isJudged) return last.wasReady;
  return settings.once ? owed === null && durableLink === last.link : owed?.holdsReady !== true;
}

/** All that it is not ready for is that what was scanned is durable. */
export function isSyncing(state: ShardState): boolean {
  const { settings, last, owed, main } = state;
  if (last?.isJudged !== true || main.at !== "streaming") return false;
  const isDue = settings.once ? owed !== null : owed?.holdsReady === true;
  return !isDue && !isReady(state);
}

export interface OwedShown {
  readonly why: OwedWhy;
  /** An age. */
  readonly sinceMs: number;
  /** Unix time of the next connection that the budget allows, where it waits for one. */
  readonly heldUntilMs: number | null;
}

export function owedShown({ owed, main, beside }: ShardState, nowMs: number): OwedShown | null {
  if (owed === null) return null;
  const asking = main.at === "asking" ? main : beside.at === "asking" ? beside : null;
  const heldUntilMs = asking?.held?.untilMs ?? null;
  return { why: owed.why, sinceMs: Math.max(0, nowMs - owed.sinceMs), heldUntilMs };
}

export interface ScanShown {
  readonly link: number;
  readonly kind: ScanKind;
  readonly why: ScanWhy;
  readonly phase: "scanning" | "confirming";
  readonly ms: number;
}

/** The scan under way, if one is; its slot is known where the frames are taken. */
export function scanShown({ main, beside }: ShardState, nowMs: number): ScanShown | null {
  const scan = isScan(main) ? main : isScan(beside) ? beside : null;
  if (scan === null) return null;
  const { link, kind, why, at: phase, beganAtMs } = scan;
  return { link, kind, why, phase, ms: nowMs - beganAtMs };
}

function isScan(connection: { readonly at: string }): connection is Scanning | Confirming {
  return connection.at === "scanning" || connection.at === "confirming";
}

/** How far the scans have come, for --timeout. */
export interface Progress {
  readonly scans: number;
  /** The highest slot of any scan since the last whole one; -1 is none. */
  readonly slot: number;
}

export const NO_PROGRESS: Progress = { scans: 0, slot: -1 };

/**
 * The same object while there is no progress: that is a whole scan, or a slot beyond any before. A scan that was cut
 * and comes no further than an earlier one makes none. `slot`: the last one of the scan under way, null without one.
 */
export function progressOf(
  before: Progress,
  { counts }: ShardState,
  slot: number | null,
): Progress {
  if (counts.scans > before.scans) return { scans: counts.scans, slot: slot ?? -1 };
  return slot !== null && slot > before.slot ? { ...before, slot } : before;
}
