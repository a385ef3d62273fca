// What main.ts and beside.ts have in common: a connection is asked for, dialed, accepted, and given up. Each request
// that was granted is told `scanning` or `over` exactly once, which keeps the gate and the budget of all shards right.
// Pure.

import type { ProtocolVersion } from "../../wire/messages.ts";
import { logReason, type Turn } from "./actions.ts";
import type { InputOf } from "./inputs.ts";
import type { Asking, Beside, Dialing, Held, Main, Role, ShardState } from "./types.ts";

/** Asks for a connection. The request's number is the number of the last of `links` from here on. */
export function ask(state: ShardState, protocol: ProtocolVersion, turn: Turn): Asking {
  const request = state.links + 1;
  turn.actions.push({ kind: "ask", request, protocol });
  return { at: "asking", request, protocol, held: null };
}

/** The request was granted, so it is dialed, or it waits for the budget: said once, however often its time moves. */
export function answered(
  state: ShardState,
  asking: Asking,
  role: Role,
  input: InputOf<"granted" | "held">,
  turn: Turn,
): Dialing | Asking {
  if (input.kind === "held") {
    if (asking.held === null) logReason(turn, role, limitText(input));
    return { ...asking, held: { untilMs: input.untilMs, limit: input.limit } };
  }
  const { request: link, protocol } = asking;
  turn.actions.push({ kind: "dial", link, role, protocol, windowAcks: state.leader.windowAcks });
  const [dialedAt, beganAtMs] = [state.inputs + 1, turn.nowMs];
  return { at: "dialing", link, protocol, dialedAt, beganAtMs, isAccepted: false };
}

/** For people: the budget is used up until then. */
export function limitText({ untilMs, limit }: Held): string {
  const at = new Date(untilMs);
  const time = [at.getHours(), at.getMinutes()].map((part) => `${part}`.padStart(2, "0"));
  return `at the limit of --leader-connections (${limit} a day); next try at ${time.join(":")}`;
}

/** The leader accepted the connection: from here on it counts, and not before. */
export function accepted(state: ShardState, { link, isAccepted }: Dialing, turn: Turn): ShardState {
  if (isAccepted) return state;
  turn.actions.push({ kind: "tell", request: link, what: "accepted" });
  const { counts } = state;
  return { ...state, counts: { ...counts, connections: counts.connections + 1 } };
}

/** A connection is over: if it held a place at the gate, that is free again. */
export function freePlace(connection: Main | Beside, { actions }: Turn): void {
  if (connection.at !== "dialing" && connection.at !== "making") return;
  actions.push({ kind: "tell", request: connection.link, what: "over" });
}

/** Gives up what is asked for or open. */
export function giveUp(connection: Main | Beside, turn: Turn): void {
  if (connection.at === "asking") {
    turn.actions.push({ kind: "drop", request: connection.request });
  } else if ("link" in connection) {
    freePlace(connection, turn);
    turn.actions.push({ kind: "close", link: connection.link });
  }
}
