// Asks a leader which protocol it speaks, without taking the live stream of any shard (wire.md, point 7): one connection, one
// frame. That it answers at all proves that it goes on: a leader that begins to stop accepts nobody any more (point 19). Used
// by doctor, by compare and repair before they decide whether a scan may cost something, and to vouch for scans.

import type { Address } from "../io/address.ts";
import type { Clock, Timer } from "../io/clock.ts";
import { deadline } from "../io/deadline.ts";
import type { Link, LinkEnd, Net } from "../io/net.ts";
import { CONNECT_TIMEOUT_MS, HANDSHAKE_TIMEOUT_MS, SEND_QUEUE_BYTES_MAX } from "../limits.ts";
import { FrameDecoder } from "../wire/frame-decoder.ts";
import {
  decodeErrorText,
  encodeSyncRequest,
  FRAME_ERROR,
  type FrameType,
  frameName,
  SHARD_ID_NONE,
  versionMismatchLeader,
} from "../wire/messages.ts";

/** No leader has this version, so each answers with the Error that names its own. */
const VERSION_NONE = 0;

export type VersionAnswer =
  /** A leader; `version` is what it names, 1 and 2 are spoken here. */
  | { readonly kind: "speaks"; readonly version: number }
  /** Nobody answers. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** What answers is no leader. */
  | { readonly kind: "not-a-leader"; readonly reason: string };

/** A question under way. */
export interface VersionQuestion {
  /** Gives it up: nothing is answered any more. */
  stop(): void;
}

/** Asks once; `answered` is called once, within the limits on connecting and on the first answer, never before this returns. */
export function askVersion(
  net: Net,
  clock: Clock,
  address: Address,
  answered: (answer: VersionAnswer) => void,
): VersionQuestion {
  return new Question(net, clock, address, answered);
}

class Question implements VersionQuestion {
  readonly #decoder = new FrameDecoder();
  readonly #answered: (answer: VersionAnswer) => void;
  readonly #link: Link;
  #timer: Timer | null = null;
  #settled = false;

  constructor(
    net: Net,
    clock: Clock,
    { host, port }: Address,
    answered: (answer: VersionAnswer) => void,
  ) {
    this.#answered = answered;
    const limits = { timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: SEND_QUEUE_BYTES_MAX };
    this.#link = net.connect(
      { host, port, ...limits },
      {
        opened: (link) => {
          this.#timer = deadline(clock, HANDSHAKE_TIMEOUT_MS, () =>
            this.#refuse("it accepted and said nothing for 5 s"),
          );
          const request = { shardId: SHARD_ID_NONE, protocolVersion: VERSION_NONE, flags: 0 };
          link.send(encodeSyncRequest(request));
        },
        received: (_link, chunk) => this.#received(chunk),
        ended: (_link, end) => this.#linkEnded(end),
      },
    );
  }

  stop(): void {
    this.#settled = true;
    this.#timer?.cancel();
    this.#link.close();
  }

  #received(chunk: Uint8Array): void {
    const problem = this.#decoder.push(chunk, (type, payload) => this.#frame(type, payload));
    if (problem !== null) this.#refuse("what it sent is no frame of the protocol");
  }

  #frame(type: FrameType, payload: Uint8Array): boolean {
    if (type !== FRAME_ERROR) {
      this.#refuse(`it answered with a ${frameName(type)}`);
      return false;
    }
    const text = decodeErrorText(payload);
    const version = versionMismatchLeader(text);
    if (version === null) this.#refuse(`it answered with the Error "${text}"`);
    else this.#answer({ kind: "speaks", version });
    return false;
  }

  #linkEnded(end: LinkEnd): void {
    if (end.kind === "not-connected") this.#answer({ kind: "unreachable", reason: end.reason });
    else this.#refuse("it hung up without an answer");
  }

  #refuse(reason: string): void {
    this.#answer({ kind: "not-a-leader", reason });
  }

  #answer(answer: VersionAnswer): void {
    if (this.#settled) return;
    this.stop();
    this.#answered(answer);
  }
}
