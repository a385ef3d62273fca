// The head of an HTTP request, as little of it as this program serves: method, path, Host. Used by http-server.ts. Pure.
// Reads HTTP/1.0 and 1.1; refuses what has a body. What it cannot read it names, and never guesses.

/** At most this much of a request is kept (reliability: S7). */
export const HEAD_BYTES_MAX = 8 * 1024;

export interface HttpRequest {
  readonly method: string;
  /** Without query and fragment. */
  readonly path: string;
  /** Host name of the Host field, in lower case and without port; null when there is none. */
  readonly hostName: string | null;
}

export type HttpFault = "malformed" | "host-missing" | "has-body" | "version";

/** Index behind the empty line that ends a head, or -1 while it has not come. */
export function headEnd(bytes: Uint8Array): number {
  for (let index = 0; index + 1 < bytes.length; index++) {
    if (bytes[index] !== 0x0a) continue;
    if (bytes[index + 1] === 0x0a) return index + 2;
    if (bytes[index + 1] === 0x0d && bytes[index + 2] === 0x0a) return index + 3;
  }
  return -1;
}

/** Reads a whole head. */
export function readHead(bytes: Uint8Array): HttpRequest | HttpFault {
  const lines = Buffer.from(bytes).toString("latin1").split(/\r?\n/);
  const request = /^([A-Z]{1,20}) (\/[\x21-\x7e]*) HTTP\/(\d)\.(\d)$/.exec(lines[0] ?? "");
  if (request === null) return "malformed";
  const [, method = "", target = "", major, minor] = request;
  if (major !== "1") return "version";
  const fields = fieldsOf(lines.slice(1));
  if (fields === null) return "malformed";
  const hosts = fields.get("host") ?? [];
  if (hosts.length > 1) return "malformed";
  if (hosts.length === 0 && minor !== "0") return "host-missing";
  const lengths = fields.get("content-length") ?? [];
  if (fields.has("transfer-encoding") || lengths.some((length) => length !== "0")) {
    return "has-body";
  }
  const host = hosts[0];
  const path = target.split(/[?#]/, 1)[0] ?? "/";
  return { method, path, hostName: host === undefined ? null : hostNameOf(host) };
}

function fieldsOf(lines: readonly string[]): ReadonlyMap<string, readonly string[]> | null {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    if (line === "") continue;
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) return null;
    const name = (field[1] ?? "").toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), field[2] ?? ""]);
  }
  return fields;
}

/** `localhost` of `LOCALHOST:9100`, `::1` of `[::1]:9100`. */
function hostNameOf(host: string): string {
  const match = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host);
  return (match?.[1] ?? match?.[2] ?? host).toLowerCase();
}
