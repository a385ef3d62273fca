// What the end of a connection means: tried again and how soon, tried with the other protocol, or given up. Pure. Texts
// of leaders (wire.md, A session) are passed on as they came: escape them for people.

import type { PlainError } from "../../errors.ts";
import {
  ERROR_ALREADY_STREAMING,
  ERROR_EVENTS_DROPPED,
  ERROR_INVALID_SHARD,
  type ProtocolVersion,
  versionMismatchLeader,
} from "../../wire/messages.ts";
import type { ConnectionEnd } from "./inputs.ts";
import type { MachineSettings } from "./types.ts";

export type LeaderTrouble =
  /** We closed it ourselves. */
  | { readonly kind: "own" }
  /** Its ring was full: it asks for a new scan. */
  | { readonly kind: "dropped"; readonly text: string }
  /** The stream is not free yet. */
  | { readonly kind: "busy"; readonly text: string }
  | { readonly kind: "other-protocol"; readonly named: ProtocolVersion; readonly text: string }
  /** Not the leader of this replica, as far as it says. */
  | { readonly kind: "incompatible"; readonly text: string; readonly error: PlainError }
  /** Broke the protocol before ShardInfo: perhaps not a leader at all. */
  | { readonly kind: "not-a-leader"; readonly text: string; readonly error: PlainError }
  | { readonly kind: "retry"; readonly text: string; readonly stalled: boolean };

/** Reads the end of a connection that spoke `spoken`; `isAnswered`: a ShardInfo had come. */
export function troubleOf(
  end: ConnectionEnd,
  spoken: ProtocolVersion,
  isAnswered: boolean,
  settings: MachineSettings,
): LeaderTrouble {
  switch (end.kind) {
    case "closed-here":
      return { kind: "own" };
    case "lost":
    case "short":
      return retry(end.reason);
    case "stalled":
      return { kind: "retry", text: end.reason, stalled: true };
    case "violation":
      return isAnswered ? retry(end.reason) : notALeader(end.reason, settings);
    case "leader-error":
      return troubleOfText(end.text, spoken, isAnswered, settings);
  }
}

function troubleOfText(
  said: string,
  spoken: ProtocolVersion,
  isAnswered: boolean,
  settings: MachineSettings,
): LeaderTrouble {
  if (said === ERROR_ALREADY_STREAMING) {
    const holder = "another follower, or an old connection of ours that it still holds";
    return { kind: "busy", text: `the leader says \`shard already streaming\`: ${holder}` };
  }
  if (said === ERROR_EVENTS_DROPPED) {
    return { kind: "dropped", text: "the leader dropped events and asks for a new scan" };
  }
  // Behind a ShardInfo that fitted, these can only come from a leader that breaks the protocol.
  if (!isAnswered) {
    if (said === ERROR_INVALID_SHARD) {
      return incompatible("the leader has no such shard", settings);
    }
    const named = versionMismatchLeader(said);
    if (named !== null) return mismatch(named, spoken, settings);
  }
  return retry(`the leader says: ${said}`);
}

function mismatch(
  named: number,
  spoken: ProtocolVersion,
  settings: MachineSettings,
): LeaderTrouble {
  const other = spoken === 1 ? 2 : 1;
  if (named !== other) {
    return incompatible(`the leader speaks protocol ${named}, this program 1 and 2`, settings);
  }
  const text = `the leader speaks protocol ${named}, and was asked with ${spoken}; switching`;
  return { kind: "other-protocol", named: other, text };
}

function retry(text: string): LeaderTrouble {
  return { kind: "retry", text, stalled: false };
}

function incompatible(text: string, { leader, shard }: MachineSettings): LeaderTrouble {
  const error: PlainError = {
    code: "incompatible",
    message: `Cannot follow ${leader}, shard ${shard}: ${text}`,
    hint: `armdb doctor ${leader}, armdb version`,
  };
  return { kind: "incompatible", text, error };
}

/** A ShardInfo that does not fit what is here. */
export function misfitTrouble(error: PlainError): LeaderTrouble {
  return { kind: "incompatible", text: error.message, error };
}

function notALeader(text: string, { leader }: MachineSettings): LeaderTrouble {
  const error: PlainError = {
    code: "incompatible",
    message: `${leader} does not speak the replication protocol of armdb: ${text}`,
    hint: `armdb doctor ${leader}; is this the replication port of the service?`,
  };
  return { kind: "not-a-leader", text, error };
}
