// The listening end of DIR/armdb.sock (cli.md: Files of ours in DIR), by which the command line talks to the follower that runs
// there; unix-socket.ts is the other end. Used by status/control-server.ts.
// Promises: mode 0600 from the first moment; a stale socket is removed, anything else at that name is refused and left as it
// is; the caller holds the directory's lock, so nobody is behind what is removed. A path longer than the system's 108 bytes
// is bound through /proc/self/fd/N, which the runtime does by itself.

import { chownSync, lstatSync, renameSync, type Stats, unlinkSync } from "node:fs";
import { basename, dirname } from "node:path";
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

export interface ControlListener {
  /**
   * Makes the socket anew where its name was removed or replaced, in the same directory; what replaced it keeps its contents under
   * another name. Returns what to say of that, null: nothing. Conversations go on. Throws `storage` where it cannot.
   */
  renew(): string | null;
  /** Removes the socket's file, if it is still the one that was made. */
  stop(): void;
}

/** So that tests pass one in memory. */
export interface ControlSockets {
  listen(options: ControlListenOptions): ControlListener;
}

/** The operating system's files, over a network. */
export function controlSockets(net: Net): ControlSockets {
  return { listen: (options) => new FileListener(net, options) };
}

/** rw for the owner alone, from bind on. */
const PRIVATE_UMASK = 0o177;

class FileListener implements ControlListener {
  readonly #net: Net;
  readonly #options: ControlListenOptions;
  readonly #directory: string | null;
  #listener: Listener;
  #made: string | null;

  constructor(net: Net, options: ControlListenOptions) {
    this.#net = net;
    this.#options = options;
    this.#directory = identityOf(dirname(options.path));
    removeStale(options.path);
    this.#listener = this.#listen();
    this.#made = identityOf(options.path);
  }

  renew(): string | null {
    const { path } = this.#options;
    const named = identityOf(path);
    if (named === this.#made) return null;
    // In another directory of that name nothing is ours.
    if (identityOf(dirname(path)) !== this.#directory) return null;
    const moved = moveAside(path);
    removeStale(path);
    this.#listener.stop();
    this.#listener = this.#listen();
    this.#made = identityOf(path);
    const what = named === null ? "removed" : "replaced";
    return `"${path}" was ${what} and is made anew${moved === null ? "" : `; what lay there is "${moved}" now`}`;
  }

  stop(): void {
    this.#listener.stop();
  }

  #listen(): Listener {
    const { path, owner, ...rest } = this.#options;
    const umaskBefore = process.umask(PRIVATE_UMASK);
    let listener: Listener;
    try {
      listener = this.#net.listen({ unix: path, ...rest });
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
}

/** Gives what lies at the name and is no socket another one, unless that is taken. Returns it; null: nothing was to be moved. */
function moveAside(path: string): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  const aside = `${path}.moved`;
  if (stats === undefined || stats.isSocket() || identityOf(aside) !== null) return null;
  try {
    renameSync(path, aside);
    return basename(aside);
  } catch (cause) {
    throw cannotListen({ unix: path }, cause);
  }
}

function identityOf(path: string): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}/${stats.ino}`;
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
