// `--http HOST:PORT|PORT` (cli.md: replicate). Pure. Only IP addresses and localhost: a listener on a name could end up on every
// interface (reliability: S1).

import { isIP } from "node:net";
import { ArmdbError } from "../errors.ts";

export interface HttpAddress {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

const LOOPBACK = "127.0.0.1";

/** A port alone is on 127.0.0.1; port 0 takes any free one. Throws `usage`. */
export function parseHttpAddress(text: string): HttpAddress {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? -1);
  const named = match?.[1] ?? match?.[2] ?? "";
  const host = named === "" || named === "localhost" ? LOOPBACK : named;
  if (match !== null && port >= 0 && port <= 65_535 && isIP(host) !== 0) return { host, port };
  throw new ArmdbError("usage", `Cannot serve HTTP on "${text}": wanted PORT or ADDRESS:PORT`, {
    hint: "--http 9407 is on 127.0.0.1; --http 10.0.0.5:9407 or [::1]:9407 on an address of this machine",
  });
}
