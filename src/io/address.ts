// Addresses as people write them, and as they are shown: read and written in this one place. Pure: resolves no name, opens
// nothing. An IPv6 address stands in brackets, `[::1]:7400`, wherever a port follows it.

import { isIP, isIPv6 } from "node:net";
import { ArmdbError } from "../errors.ts";

/** Where somebody listens, or is to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a link leads: a TCP address, or the path of a socket in the file system. */
export type Endpoint = Address | { readonly unix: string };

const HOST_CHARS_MAX = 253;
const PORT_MAX = 65_535;
const LOOPBACK = "127.0.0.1";

/** `HOST:PORT` or `PORT`; the host may be empty. */
const WRITTEN = /^(?:(?:\[([^\s[\]]+)\]|([^\s:/[\]]*)):)?(\d{1,5})$/;

/** Host (null: no colon) and port, 0 included; null for anything else. */
function split(text: string): { readonly host: string | null; readonly port: number } | null {
  const match = WRITTEN.exec(text);
  if (match === null) return null;
  const [, bracketed, plain] = match;
  const port = Number(match[3]);
  const host = bracketed ?? plain ?? null;
  if (port > PORT_MAX || (host?.length ?? 0) > HOST_CHARS_MAX) return null;
  return bracketed === undefined || isIPv6(bracketed) ? { host, port } : null;
}

/** LEADER: `db1:7400`, `10.0.0.1:7400`, `[::1]:7400`; null for anything else. The port is 1 to 65535. */
export function parseAddress(text: string): Address | null {
  const { host = null, port = 0 } = split(text) ?? {};
  return host === null || host === "" || port === 0 ? null : { host, port };
}

/** `--listen`: `host:port`, `[::1]:7400` or `:7400` (this machine only). Throws `usage` for anything else. */
export function parseListenAddress(text: string): Address {
  const { host = null, port = 0 } = split(text) ?? {};
  if (host !== null) return { host: host === "" ? LOOPBACK : host, port };
  throw new ArmdbError("usage", `Cannot listen on "${text}": it is no HOST:PORT`, {
    hint: "--listen 127.0.0.1:7400, or [::1]:7400 for IPv6; port 0 takes any free one",
  });
}

/**
 * `--http`: a port alone is on 127.0.0.1, port 0 takes any free one. Only IP addresses and localhost: a listener on a name could
 * end up on every interface. Throws `usage`.
 */
export function parseHttpAddress(text: string): Address {
  const parts = split(text);
  const named = parts?.host ?? "";
  const host = named === "" || named === "localhost" ? LOOPBACK : named;
  if (parts !== null && isIP(host) !== 0) return { host, port: parts.port };
  throw new ArmdbError("usage", `Cannot serve HTTP on "${text}": wanted PORT or ADDRESS:PORT`, {
    hint: "--http 9407 is on 127.0.0.1; --http 10.0.0.5:9407 or [::1]:9407 on an address of this machine",
  });
}

/** `db1:7400`, `[::1]:7400`: what parseAddress reads. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** `host:port`, or the path of the socket. */
export function formatEndpoint(endpoint: Endpoint): string {
  return "unix" in endpoint ? endpoint.unix : formatAddress(endpoint);
}

/** An address as it was saved, with the brackets that earlier versions left out: `::1:7400` is `[::1]:7400`. */
export function savedAddress(text: string): string {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(text) ?? [];
  return isIPv6(host) ? `[${host}]:${port}` : text;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
