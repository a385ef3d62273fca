// Why a socket could not be had, as the system's word (`ECONNREFUSED`) and as an error. Used by sockets.ts and control-socket.ts.

import { isIPv6 } from "node:net";
import { ArmdbError } from "../errors.ts";
import { type Endpoint, formatAddress } from "./address.ts";

/** The system's word where the runtime passes it on, else its sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code ?? error.message;
}

/** What a route alone can say; for these the runtime's TCP sockets say ECONNREFUSED. */
const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN"]);

/** Why a connect failed. A UDP socket sends nothing when it connects: it is told of the route, and truly. */
export async function refusalOf(error: unknown, endpoint: Endpoint): Promise<string> {
  const reason = reasonOf(error);
  if (reason !== "ECONNREFUSED" || "unix" in endpoint) return reason;
  const { host, port } = endpoint;
  try {
    const any = isIPv6(host) ? "::" : "0.0.0.0";
    const socket = await Bun.udpSocket({ hostname: any, connect: { hostname: host, port } });
    socket.close();
    return reason;
  } catch (thrown) {
    const routeReason = reasonOf(thrown);
    return NO_ROUTE.has(routeReason) ? routeReason : reason;
  }
}

/** Why nobody can listen there. */
export function cannotListen(endpoint: Endpoint, cause: unknown): ArmdbError {
  const reason = reasonOf(cause);
  if ("unix" in endpoint) {
    const path = endpoint.unix;
    return new ArmdbError("storage", `Cannot listen at "${path}": ${reason}`, {
      path,
      hint: "ls -ld on that directory; it must be ours and on a file system that can hold a socket",
      cause,
    });
  }
  return new ArmdbError("usage", `Cannot listen on ${formatAddress(endpoint)}: ${reason}`, {
    hint: "another port, or an address of this machine (ss -ltn shows what is taken)",
    cause,
  });
}
