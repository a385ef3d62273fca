// Asks the follower that runs on a directory for its status, over its control socket (control-server.ts is the other end).
// Used by commands/status.ts. Promises: an answer of some kind within 5 s, whatever sits behind the socket.

import type { Clock } from "../io/clock.ts";
import { deadline } from "../io/deadline.ts";
import type { LineEnd, LineLink, LineSockets } from "../io/unix-socket.ts";
import { readStatusDocument } from "./status-types.ts";
import type { StatusDocument } from "./status-types.ts";

export const ANSWER_LIMIT_MS = 5_000;
/** 255 shards at some 1.5 KB each, and a thousand diverged slots. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

export type StatusAnswer =
  | { readonly kind: "status"; readonly document: StatusDocument }
  /** Nobody listens there. */
  | { readonly kind: "nobody" }
  /** We may not connect. */
  | { readonly kind: "forbidden"; readonly reason: string }
  /** Somebody is there who does not answer, or not as a follower does. */
  | { readonly kind: "mute"; readonly reason: string };

export function askForStatus(
  sockets: LineSockets,
  clock: Clock,
  socketPath: string,
): Promise<StatusAnswer> {
  return new Promise((resolve) => {
    let settled = false;
    let link: LineLink | null = null;
    const settle = (answer: StatusAnswer) => {
      if (settled) return;
      settled = true;
      timer.cancel();
      link?.close();
      resolve(answer);
    };
    const timer = deadline(clock, ANSWER_LIMIT_MS, () =>
      settle({ kind: "mute", reason: `no answer within ${ANSWER_LIMIT_MS / 1000} s` }),
    );
    link = sockets.connect(socketPath, ANSWER_BYTES_MAX, {
      opened: (opened) => opened.send(JSON.stringify({ schema: 1, request: "status" })),
      line: (text) => settle(answerOf(text)),
      ended: (end) => settle(endOf(end)),
    });
    if (settled) link.close();
  });
}

function answerOf(text: string): StatusAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (thrown) {
    if (!(thrown instanceof SyntaxError)) throw thrown;
    return { kind: "mute", reason: "it answered with a line that is no JSON" };
  }
  const document = readStatusDocument(value);
  if (document !== null) return { kind: "status", document };
  return { kind: "mute", reason: "it answered with no status; it may be of another version" };
}

function endOf(end: LineEnd): StatusAnswer {
  switch (end.kind) {
    case "not-connected": {
      const { reason } = end;
      if (reason === "ENOENT" || reason === "ECONNREFUSED") return { kind: "nobody" };
      const isForbidden = reason === "EACCES" || reason === "EPERM";
      return { kind: isForbidden ? "forbidden" : "mute", reason };
    }
    case "closed-here":
    case "closed-by-peer":
      return { kind: "mute", reason: "it hung up without an answer; it may be stopping" };
    case "broken":
      return { kind: "mute", reason: `the conversation broke off: ${end.reason}` };
    case "send-queue-full":
      return { kind: "mute", reason: "it reads nothing" };
    case "line-too-long":
      return { kind: "mute", reason: "it answered with a line without an end" };
  }
}
