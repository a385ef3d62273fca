// `host:port` as people write it (cli.md: LEADER). Pure: resolves no name, opens nothing. The inverse is formatAddress in
// sockets.ts.

/** Where a leader listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

const HOST_CHARS_MAX = 253;

/** `db1:7400`, `10.0.0.1:7400`, `[::1]:7400`; null for anything else. The port is 1 to 65535. */
export function parseAddress(text: string): Address | null {
  const match = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(text);
  if (match === null) return null;
  const host = match[1] ?? match[2] ?? "";
  const port = Number(match[3]);
  if (port < 1 || port > 65_535 || host.length > HOST_CHARS_MAX) return null;
  return { host, port };
}
