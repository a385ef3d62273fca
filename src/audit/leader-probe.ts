// Asks a leader which protocol it speaks, without taking the live stream of any shard (wire.md, point 7). Used by compare
// and `repair --from` before they decide whether a scan may cost something. Makes one connection, sends one frame.

import { type Address, formatAddress } from "../io/address.ts";
import type { Clock, Timer } from "../io/clock.ts";
import type { Link, LinkEnd, Net } from "../io/net.ts";
import { CONNECT_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, SEND_QUEUE_BYTES_MAX } from "../limits.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import {
  decodeErrorText,
  encodeSyncRequest,
  FRAME_ERROR,
  type FrameType,
  frameName,
  type ProtocolVersion,
  SHARD_ID_NONE,
  versionMismatchLeader,
} from "../wire/messages.ts";
import { leaderUnreachable, notALeader } from "./leader-errors.ts";
import { Stopped } from "./stopped.ts";

/** No leader has this version, so each answers with the Error that names its own. */
const VERSION_NONE = 0;

/**
 * The protocol version of the leader at `address`. Throws leader-unreachable when nobody answers, incompatible when
 * the answer is not a leader's or names a version other than 1 and 2.
 */
export function probeProtocol(
  net: Net,
  clock: Clock,
  address: Address,
  stop: AbortSignal,
): Promise<ProtocolVersion> {
  return new Promise((resolve, reject) => new Probe(net, clock, address, stop, resolve, reject));
}

class Probe {
  readonly #name: string;
  readonly #decoder = new FrameDecoder();
  readonly #link: Link;
  readonly #stop: AbortSignal;
  readonly #onStop = () => this.#fail(new Stopped());
  readonly #resolve: (protocol: ProtocolVersion) => void;
  readonly #reject: (error: Error) => void;
  #timer: Timer | null = null;
  #settled = false;

  constructor(
    net: Net,
    clock: Clock,
    address: Address,
    stop: AbortSignal,
    resolve: (protocol: ProtocolVersion) => void,
    reject: (error: Error) => void,
  ) {
    this.#name = formatAddress(address);
    this.#stop = stop;
    this.#resolve = resolve;
    this.#reject = reject;
    stop.addEventListener("abort", this.#onStop);
    this.#link = net.connect(
      { ...address, timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: SEND_QUEUE_BYTES_MAX },
      {
        opened: (link) => {
          this.#timer = clock.after(HANDSHAKE_TIMEOUT_MS, () =>
            this.#fail(notALeader(this.#name, "it accepted and said nothing for 5 s")),
          );
          link.send(
            encodeSyncRequest({ shardId: SHARD_ID_NONE, protocolVersion: VERSION_NONE, flags: 0 }),
          );
        },
        received: (_link, chunk) => this.#received(chunk),
        ended: (_link, end) => this.#linkEnded(end),
      },
    );
    if (stop.aborted) this.#onStop();
  }

  #received(chunk: Uint8Array): void {
    const problem = this.#decoder.push(chunk, (type, payload) => this.#frame(type, payload));
    if (problem !== null) {
      this.#fail(notALeader(this.#name, "what it sent is no frame of the protocol"));
    }
  }

  #frame(type: FrameType, payload: Uint8Array): boolean {
    if (type !== FRAME_ERROR) {
      this.#fail(notALeader(this.#name, `it answered with a ${frameName(type)}`));
      return false;
    }
    const text = decodeErrorText(payload);
    const version = versionMismatchLeader(text);
    if (version === 1 || version === 2) this.#succeed(version);
    else if (version === null) {
      this.#fail(notALeader(this.#name, `it answered with the Error "${text}"`));
    } else {
      this.#fail(notALeader(this.#name, `it speaks protocol ${version}, armdb speaks 1 and 2`));
    }
    return false;
  }

  #linkEnded(end: LinkEnd): void {
    if (end.kind === "not-connected") this.#fail(leaderUnreachable(this.#name, end.reason));
    else this.#fail(notALeader(this.#name, "it hung up without an answer"));
  }

  #succeed(protocol: ProtocolVersion): void {
    if (this.#settle()) this.#resolve(protocol);
  }

  #fail(error: Error): void {
    if (this.#settle()) this.#reject(error);
  }

  /** True for the first outcome; closes everything. */
  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#timer?.cancel();
    this.#stop.removeEventListener("abort", this.#onStop);
    this.#link.close();
    return true;
  }
}
