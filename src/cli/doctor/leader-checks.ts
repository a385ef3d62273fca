// Doctor on the leader: reachable, which protocol, and what that means. One connection, and it takes nobody's stream
// (wire.md, point 7); but even this one starts an L1 or L2 leader's ring, and the answer says so.

import { probeProtocol } from "../../audit/leader/probe.ts";
import { ArmdbError } from "../../errors.ts";
import { type Address, isLoopback, parseAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Net } from "../../io/net.ts";
import type { ProtocolVersion } from "../../wire/messages.ts";
import { escapeText } from "../surface/escape.ts";
import { type Check, fail, ok, warn } from "./check.ts";

/** The address behind LEADER, or a usage error. */
export function leaderAddress(text: string): Address {
  const address = parseAddress(text);
  if (address !== null) return address;
  throw new ArmdbError("usage", `LEADER is "${escapeText(text)}", accepted: host:port`, {
    hint: "armdb doctor db.example:7400, or [::1]:7400 for an IPv6 address",
  });
}

/** Connects once and says what answered. */
export async function leaderChecks(
  net: Net,
  clock: Clock,
  address: Address,
  stop: AbortSignal,
): Promise<Check[]> {
  try {
    const protocol = await probeProtocol(net, clock, address, stop);
    return [ok("leader", "a leader answers"), ...protocolChecks(protocol), checkWire(address)];
  } catch (thrown) {
    if (!(thrown instanceof ArmdbError)) throw thrown;
    return [fail("leader", thrown.code, thrown.message, remedyOf(thrown, address))];
  }
}

function remedyOf(error: ArmdbError, { host, port }: Address): string {
  if (error.code === "incompatible")
    return `what listens on port ${port} there? ss -ltnp on ${host}`;
  return `is the leader started, and does a firewall let port ${port} through? nc -vz ${host} ${port}`;
}

/** What a generation can and cannot do for a follower. */
function protocolChecks(protocol: ProtocolVersion): Check[] {
  const ring =
    "this very connection made the leader start to keep events: follow it soon, or what it writes now comes late";
  if (protocol === 1) {
    return [
      warn(
        "protocol",
        "protocol 1 (crates 0.1.13 to 0.1.16): it gives out the live stream once per process; after a disconnect a follower polls",
        "restart the leader before the first follower where you can, and plan an upgrade to 0.7.0 or later",
      ),
      warn("ring", ring, "armdb replicate LEADER --data DIR, within minutes"),
    ];
  }
  return [
    ok(
      "protocol",
      "protocol 2 (crates 0.2.0 and later; 0.2 to 0.6 and 0.7 on cannot be told apart from outside)",
    ),
    ok("ring", `on crates before 0.7.0 ${ring}`),
  ];
}

function checkWire({ host }: Address): Check {
  const message = isLoopback(host)
    ? "the leader is on this machine"
    : "the stream is neither encrypted nor authenticated: keep it inside a private network or a tunnel";
  return ok("wire", message);
}
