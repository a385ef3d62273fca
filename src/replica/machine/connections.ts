// What main.ts and beside.ts have in common: a connection is asked for, dialed, accepted, and given up. Each request that was
// granted is told `scanning` or `over` exactly once, which keeps the gate and the budget of all shards right. Pure: what is to
// be done is pushed to `actions`.

import type { ProtocolVersion } from "../../wire/messages.ts";
import type { Action } from "./actions.ts";
import type { Asking, Beside, Dialing, Main, Role, ShardState } from "./types.ts";

/** Asks for a connection. The request's number is the number of the last of `links` from here on. */
export function ask(state: ShardState, protocol: ProtocolVersion, actions: Action[]): Asking {
  const request = state.links + 1;
  actions.push({ kind: "ask", request, protocol });
  return { at: "asking", request, protocol, held: null };
}

/** The request was granted: dials. */
export function dial(
  state: ShardState,
  asking: Asking,
  role: Role,
  nowMs: number,
  actions: Action[],
): Dialing {
  const { request: link, protocol } = asking;
  const { windowAcks } = state.leader;
  actions.push({ kind: "dial", link, role, protocol, windowAcks });
  const dialedAt = state.inputs + 1;
  return { at: "dialing", link, protocol, dialedAt, beganAtMs: nowMs, isAccepted: false };
}

/** The request waits for the budget: said once, however often its time moves. */
export function hold(
  asking: Asking,
  held: { readonly untilMs: number; readonly limit: number },
  actions: Action[],
): Asking {
  if (asking.held === null) {
    const text = limitText(held);
    actions.push({ kind: "report", report: { kind: "log", level: "warn", text } });
  }
  return { ...asking, held: { untilMs: held.untilMs, limit: held.limit } };
}

/** For people: the budget is used up until then. */
export function limitText(held: { readonly untilMs: number; readonly limit: number }): string {
  const at = new Date(held.untilMs);
  const [hours, minutes] = [at.getHours(), at.getMinutes()].map((part) =>
    `${part}`.padStart(2, "0"),
  );
  return `at the limit of --leader-connections (${held.limit} a day); next try at ${hours}:${minutes}`;
}

/** The leader accepted the connection: from here on it counts, and not before. */
export function accepted(state: ShardState, dialing: Dialing, actions: Action[]): ShardState {
  if (dialing.isAccepted) return state;
  actions.push({ kind: "tell", request: dialing.link, what: "accepted" });
  const { counts } = state;
  return { ...state, counts: { ...counts, connections: counts.connections + 1 } };
}

/** A connection is over: if it held a place at the gate, that is free again. */
export function freePlace(connection: Main | Beside, actions: Action[]): void {
  if (connection.at !== "dialing" && connection.at !== "making") return;
  actions.push({ kind: "tell", request: connection.link, what: "over" });
}

/** Gives up what is asked for or open. */
export function giveUp(connection: Main | Beside, actions: Action[]): void {
  switch (connection.at) {
    case "asking":
      actions.push({ kind: "drop", request: connection.request });
      return;
    case "dialing":
    case "making":
    case "scanning":
    case "confirming":
    case "streaming":
      freePlace(connection, actions);
      actions.push({ kind: "close", link: connection.link });
      return;
    case "new":
    case "none":
    case "resting":
    case "over":
      return;
  }
}
