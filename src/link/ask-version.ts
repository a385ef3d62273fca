// Asks a leader which protocol it speaks, without taking the live stream of any shard (wire.md, point 7): one connection, one
// frame. That it answers at all proves that it goes on: a leader that begins to stop accepts nobody any more (point 19). Used
// by doctor, by compare and repair before they decide whether a scan may cost something, and to vouch for scans. A question can
// be held: its connection is made now and asked on later, so that the process that answers is the one that was there.

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
/** A leader gives up a request of which no byte came for 10 s. */
const HELD_BYTE_MS = 7_000;

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

/** A connection on which the question is still to be asked. */
export interface HeldQuestion extends VersionQuestion {
  /** Asks; only once it is open. */
  ask(): void;
}

export interface HeldQuestionEvents {
  opened(): void;
  /** It cannot be held much longer. */
  worn(): void;
  /** Once: the answer to `ask`, or what became of the connection before. */
  answered(answer: VersionAnswer): void;
}

/** Asks once; `answered` is called once, within the limits on connecting and on the first answer, never before this returns. */
export function askVersion(
  net: Net,
  clock: Clock,
  address: Address,
  answered: (answer: VersionAnswer) => void,
): VersionQuestion {
  const events = { opened: () => question.ask(), worn: () => {}, answered };
  const question = new Question(net, clock, address, events);
  return question;
}

/**
 * Connects now and asks when it is told to, for about a minute at most: a leader waits 10 s for the next byte of a request, so
 * that one goes out every 7 s. Nothing is heard before this returns.
 */
export function holdQuestion(
  net: Net,
  clock: Clock,
  address: Address,
  events: HeldQuestionEvents,
): HeldQuestion {
  return new Question(net, clock, address, events);
}

class Question implements HeldQuestion {
  readonly #clock: Clock;
  readonly #decoder = new FrameDecoder();
  readonly #events: HeldQuestionEvents;
  readonly #link: Link;
  /** What of the request was not sent yet. */
  #rest = encodeSyncRequest({ shardId: SHARD_ID_NONE, protocolVersion: VERSION_NONE, flags: 0 });
  #timer: Timer | null = null;
  #settled = false;

  constructor(net: Net, clock: Clock, { host, port }: Address, events: HeldQuestionEvents) {
    this.#clock = clock;
    this.#events = events;
    const limits = { timeoutMs: CONNECT_TIMEOUT_MS, sendQueueBytesMax: SEND_QUEUE_BYTES_MAX };
    this.#link = net.connect(
      { host, port, ...limits },
      {
        opened: () => {
          this.#hold();
          events.opened();
        },
        received: (_link, chunk) => this.#received(chunk),
        ended: (_link, end) => this.#linkEnded(end),
      },
    );
  }

  ask(): void {
    this.#timer?.cancel();
    this.#timer = deadline(this.#clock, HANDSHAKE_TIMEOUT_MS, () =>
      this.#refuse("it accepted and said nothing for 5 s"),
    );
    this.#link.send(this.#rest);
  }

  /** All but the last byte goes out bit by bit. */
  #hold(): void {
    this.#timer = this.#clock.after(HELD_BYTE_MS, () => {
      if (this.#rest.length === 1) return this.#events.worn();
      this.#link.send(this.#rest.subarray(0, 1));
      this.#rest = this.#rest.subarray(1);
      this.#hold();
    });
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
    this.#events.answered(answer);
  }
}
