// The listening end of DIR/armdb.sock (cli.md: Files of ours in DIR), by which the command line talks to the follower that runs
// there; unix-socket.ts is the other end. Used by status/control-server.ts.
// Promises: mode 0600 from the first moment; a stale socket is removed, anything else at that name is refused and left as it
// is; the caller holds the directory's lock, so nobody is behind what is removed. A path longer than the system's 108 bytes
// is bound through /proc/self/fd/N, which the runtime does by itself.

import { chownSync, lstatSync, type Stats, unlinkSync } from "node:fs";
import { ArmdbError } from "../errors.ts";
import type { LinkEvents, Listener, Net } from "./net.ts";
import { cannotListen } from "./refusal.ts";

export interface ControlListenOptions {
  readonly path: string;
  /** Whom the file is given to; null: it stays ours. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** Bytes that may wait for one reader before its conversation ends. */
  readonly sendQueueBytesMax: number;
  /** Called for each conversation. */
  accept(): LinkEvents;
}

/** So that tests pass one in memory. */
export interface ControlSockets {
  /** `stop` removes the socket's file. */
  listen(options: ControlListenOptions): Listener;
}

/** The operating system's files, over a network. */
export function controlSockets(net: Net): ControlSockets {
  return { listen: (options) => listen(net, options) };
}

/** rw for the owner alone, from bind on. */
const PRIVATE_UMASK = 0o177;

function listen(net: Net, { path, owner, ...rest }: ControlListenOptions): Listener {
  removeStale(path);
  const umaskBefore = process.umask(PRIVATE_UMASK);
  let listener: Listener;
  try {
    listener = net.listen({ unix: path, ...rest });
  } finally {
    process.umask(umaskBefore);
  }
  try {
    if (owner !== null) chownSync(path, owner.uid, owner.gid);
    return listener;
  } catch (cause) {
    listener.stop();
    throw cannotListen({ unix: path }, cause);
  }
}

/** Only a socket may lie at the name, and only what a killed predecessor left: the lock is ours. */
function removeStale(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) {
    throw new ArmdbError("storage", `Cannot listen at "${path}": a ${kindOf(stats)} lies there`, {
      path,
      hint: `ls -l "${path}"; armdb makes a socket of that name, move what is there away`,
    });
  }
  try {
    unlinkSync(path);
  } catch (cause) {
    throw cannotListen({ unix: path }, cause);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "symbolic link";
  if (stats.isDirectory()) return "directory";
  if (stats.isFIFO()) return "FIFO";
  return stats.isFile() ? "file" : "device";
}
