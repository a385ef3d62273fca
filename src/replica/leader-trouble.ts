// What the end of a connection means for a follower: try again (and how soon), try the other protocol, or give up. Pure.
// Texts of leaders: wire.md, A session and Every published leader.

import {
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  ERROR_INVALID_SHARD,
  type ProtocolVersion,
  versionMismatchLeader,
} from "../wire/messages.ts";
import type { PlainError } from "../errors.ts";
import { type Geometry, geometryDifferences } from "../store/geometry.ts";
import type { ShardLinkEnd } from "../link/shard-link.ts";

export type Trouble =
  | { readonly kind: "none" }
  /** Connect again with the protocol that the leader names. */
  | { readonly kind: "other-protocol"; readonly protocol: ProtocolVersion; readonly text: string }
  /** Connect again at once: the leader dropped events and wants a new scan. */
  | { readonly kind: "events-dropped" }
  | { readonly kind: "already-streaming"; readonly text: string }
  /** Connect again after a pause. */
  | { readonly kind: "retry"; readonly text: string; readonly stalled: boolean }
  /** Broke the protocol before ShardInfo: perhaps not a leader at all. */
  | { readonly kind: "not-a-leader"; readonly text: string }
  /** Cannot get better by itself. */
  | { readonly kind: "incompatible"; readonly text: string };

/** Reads the end of a connection that spoke `protocol`. Leader text is returned as it came: escape it for people. */
export function troubleOf(end: ShardLinkEnd, protocol: ProtocolVersion): Trouble {
  switch (end.kind) {
    case "closed-here":
      return { kind: "none" };
    case "lost":
      return { kind: "retry", text: end.reason, stalled: false };
    case "stalled":
      return { kind: "retry", text: end.reason, stalled: true };
    case "violation":
      return end.beforeShardInfo
        ? { kind: "not-a-leader", text: end.reason }
        : { kind: "retry", text: end.reason, stalled: false };
    case "leader-error":
      return leaderErrorTrouble(end.text, protocol);
  }
}

function leaderErrorTrouble(text: string, protocol: ProtocolVersion): Trouble {
  if (text === ERROR_ALREADY_STREAMING) {
    return {
      kind: "already-streaming",
      text: "the leader says `shard already streaming`: another follower, or an old connection of ours that it still holds",
    };
  }
  if (text === ERROR_EVENTS_DROPPED) return { kind: "events-dropped" };
  if (text === ERROR_INVALID_SHARD) {
    return { kind: "incompatible", text: "the leader has no such shard" };
  }
  const leaderVersion = versionMismatchLeader(text);
  // A leader is upgraded, and may be set back: whichever of both it names is spoken next.
  if ((leaderVersion === 1 || leaderVersion === 2) && leaderVersion !== protocol) {
    const spoken = `the leader now speaks protocol ${leaderVersion} (${protocol} before)`;
    return { kind: "other-protocol", protocol: leaderVersion, text: spoken };
  }
  if (leaderVersion !== null) {
    return {
      kind: "incompatible",
      text: `the leader speaks protocol ${leaderVersion}, this program 1 and 2`,
    };
  }
  return { kind: "retry", text: `the leader says: ${text}`, stalled: false };
}

/** Why `dir` cannot follow a leader of this geometry, or null; `here` is null while nothing is known of it. */
export function geometryTrouble(
  dir: string,
  leader: string,
  here: Geometry | null,
  there: Geometry,
): PlainError | null {
  if (here === null) return null;
  const differences = geometryDifferences(here, there, "here", "at the leader");
  if (differences.length === 0) return null;
  return {
    code: "incompatible",
    message: `${dir} is not a replica of ${leader}: ${differences.join("; ")}`,
    hint: "follow into another directory, or check the leader's address",
  };
}
