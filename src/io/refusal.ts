// Why a socket could not be had, as the system's word (`ECONNREFUSED`). Used by sockets.ts.

import { isIPv6 } from "node:net";
import type { Address } from "./address.ts";

/** The system's word where the runtime passes it on, else its sentence. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code ?? error.message;
}

/** What a route alone can say; for these the runtime's TCP sockets say ECONNREFUSED. */
const NO_ROUTE: ReadonlySet<string> = new Set(["ENETUNREACH", "EHOSTUNREACH", "ENETDOWN"]);

/** Why a connect to `address` failed. A UDP socket sends nothing when it connects: it is told of the route, and truly. */
export async function refusalOf(error: unknown, address: Address): Promise<string> {
  const reason = reasonOf(error);
  if (reason !== "ECONNREFUSED") return reason;
  const { host, port } = address;
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
