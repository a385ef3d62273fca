// `HOST:PORT` as --listen takes it (cli.md: opening lines). Pure.

import { ArmdbError } from "../errors.ts";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, `[::1]:7400` or `:7400` (this machine only). Throws `usage` for anything else. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3] ?? -1);
  if (match === null || port > 65_535) {
    throw new ArmdbError("usage", `Cannot listen on "${text}": it is no HOST:PORT`, {
      hint: "--listen 127.0.0.1:7400, or [::1]:7400 for IPv6; port 0 takes any free one",
    });
  }
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? "127.0.0.1" : host, port };
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
