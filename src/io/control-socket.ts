// The listening end of DIR/armdb.sock (cli.md: Files of ours in DIR), by which the command line talks to the follower that runs
// there; unix-socket.ts is the other end. Used by status/control-server.ts.
// Promises: mode 0600 from the first moment; a stale socket is removed, anything else at that name is refused and left as it
// is; the caller holds the directory's lock, so nobody is behind what is removed. A path longer than the system's 108 bytes
// is bound through /proc/self/fd/N, which the runtime does by itself.

import { chownSync, lstatSync, type Stats, unlinkSync } from "node:fs";
import type { Socket } from "bun";
import { ArmdbError } from "../errors.ts";

/** One conversation, as the server sees it. */
export interface ControlPeer {
  /** Bytes that the system has not taken yet. */
  readonly queuedBytes: number;
  send(text: string): void;
  /** Ends it once everything sent has been taken. */
  finish(): void;
  /** Ends it now. */
  drop(): void;
}

/** What a conversation tells its owner; after `ended` nothing more comes. Handlers must not throw. */
export interface ControlEvents {
  received(chunk: Uint8Array): void;
  /** Everything sent has been taken. */
  drained(): void;
  ended(): void;
}

export interface ControlListener {
  /** Ends all conversations and removes the socket's file. */
  stop(): void;
}

export interface ControlListenOptions {
  readonly path: string;
  /** Whom the file is given to; null: it stays ours. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** Called for each conversation. */
  accept(peer: ControlPeer): ControlEvents;
}

/** So that tests pass one in memory. */
export interface ControlSockets {
  listen(options: ControlListenOptions): ControlListener;
}

/** The operating system's. */
export const controlSockets: ControlSockets = { listen };

/** rw for the owner alone, from bind on. */
const PRIVATE_UMASK = 0o177;

class Peer implements ControlPeer {
  events: ControlEvents | null = null;
  readonly #socket: Socket<Peer>;
  readonly #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #finishing = false;
  #ended = false;

  constructor(socket: Socket<Peer>) {
    this.#socket = socket;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  send(text: string): void {
    if (this.#ended || this.#finishing) return;
    const bytes = Buffer.from(text, "utf8");
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#write();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#queuedBytes === 0) this.drop();
  }

  drop(): void {
    this.#socket.end();
    this.end();
  }

  pump(): void {
    if (this.#queuedBytes === 0) return;
    this.#write();
    if (this.#queuedBytes > 0 || this.#ended) return;
    if (this.#finishing) this.drop();
    else this.events?.drained();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.events?.ended();
  }

  receive(chunk: Uint8Array): void {
    if (!this.#ended) this.events?.received(chunk);
  }

  #write(): void {
    while (this.#queue.length > 0) {
      const head = this.#queue[0] as Uint8Array;
      const taken = this.#socket.write(head);
      // Below 0: closed already, the close event follows.
      if (taken < 0) return;
      this.#queuedBytes -= taken;
      if (taken < head.length) {
        this.#queue[0] = head.subarray(taken);
        return;
      }
      this.#queue.shift();
    }
  }
}

function listen(options: ControlListenOptions): ControlListener {
  const { path } = options;
  removeStale(path);
  const umaskBefore = process.umask(PRIVATE_UMASK);
  try {
    const server = Bun.listen<Peer>({
      unix: path,
      socket: {
        open(socket) {
          const peer = new Peer(socket);
          socket.data = peer;
          peer.events = options.accept(peer);
        },
        data: (socket, chunk) => socket.data.receive(chunk),
        drain: (socket) => socket.data.pump(),
        end: (socket) => socket.data.drop(),
        close: (socket) => socket.data?.end(),
        error(_socket, error) {
          // Thrown by one of our own handlers: a bug, which must not be taken for the peer's doing.
          throw error;
        },
      },
    });
    try {
      if (options.owner !== null) chownSync(path, options.owner.uid, options.owner.gid);
    } catch (cause) {
      server.stop(true);
      throw cause;
    }
    return { stop: () => server.stop(true) };
  } catch (cause) {
    throw cannotListen(path, cause);
  } finally {
    process.umask(umaskBefore);
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
    throw cannotListen(path, cause);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isSymbolicLink()) return "symbolic link";
  if (stats.isDirectory()) return "directory";
  if (stats.isFIFO()) return "FIFO";
  return stats.isFile() ? "file" : "device";
}

function cannotListen(path: string, cause: unknown): ArmdbError {
  const code = (cause as NodeJS.ErrnoException).code;
  const reason = code ?? (cause instanceof Error ? cause.message : String(cause));
  return new ArmdbError("storage", `Cannot listen at "${path}": ${reason}`, {
    path,
    hint: `ls -ld on that directory; it must be ours and on a file system that can hold a socket`,
    cause,
  });
}
