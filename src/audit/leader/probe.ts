// Which protocol a leader speaks, for compare, `repair --from` and doctor: link/ask-version.ts with the errors of the audit.

import { type Address, formatAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Net } from "../../io/net.ts";
import { askVersion, type VersionAnswer } from "../../link/ask-version.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { leaderUnreachable, notALeader } from "./errors.ts";
import { Stopped, throwIfStopped } from "../stopped.ts";

/**
 * The protocol version of the leader at `address`. Throws leader-unreachable when nobody answers, incompatible when
 * the answer is not a leader's or names a version other than 1 and 2, and Stopped.
 */
export async function probeProtocol(
  net: Net,
  clock: Clock,
  address: Address,
  stop: AbortSignal,
): Promise<ProtocolVersion> {
  const name = formatAddress(address);
  const answer = await versionAnswer(net, clock, address, stop);
  if (answer.kind === "unreachable") throw leaderUnreachable(name, answer.reason);
  if (answer.kind === "not-a-leader") throw notALeader(name, answer.reason);
  if (answer.version === 1 || answer.version === 2) return answer.version;
  throw notALeader(name, `it speaks protocol ${answer.version}, armdb speaks 1 and 2`);
}

/** Asks the leader once; throws Stopped. */
async function versionAnswer(
  net: Net,
  clock: Clock,
  address: Address,
  stop: AbortSignal,
): Promise<VersionAnswer> {
  throwIfStopped(stop);
  const { promise, resolve, reject } = Promise.withResolvers<VersionAnswer>();
  const question = askVersion(net, clock, address, resolve);
  const onStop = () => {
    question.stop();
    reject(new Stopped());
  };
  stop.addEventListener("abort", onStop);
  try {
    return await promise;
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}
