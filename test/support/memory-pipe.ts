// One direction of a MemoryNet connection: a bounded buffer of bytes on their way, and what may happen to them.

import type { Clock } from "../../src/io/clock.ts";
import type { LinkEnd } from "../../src/io/net.ts";

/** What the receiver sees at a cut: an orderly end, a reset, or nothing for ever. */
export type CutKind = "fin" | "reset" | "silence";

/** As much as loopback sockets hold between them, roughly. */
const CAPACITY_BYTES = 4 * 1024 * 1024;

/** The end that sends: told when there is room again. */
export interface PipeSource {
  roomAgain(): void;
  end(end: LinkEnd): void;
}

/** The end that receives. */
export interface PipeTarget {
  readonly hasEnded: boolean;
  readonly isPaused: boolean;
  deliver(chunk: Uint8Array): void;
  end(end: LinkEnd): void;
}

export class MemoryPipe {
  readonly #clock: Clock;
  readonly #source: PipeSource;
  readonly #target: PipeTarget;
  #onTheWay: Uint8Array[] = [];
  #bytesOnTheWay = 0;
  #scheduled = false;
  #held = false;
  #ending: "fin" | "reset" | null = null;
  /** Bytes handed to the receiver so far. */
  delivered = 0;
  /** Bytes that may be on the way before the sender has to queue. */
  capacityBytes = CAPACITY_BYTES;
  /** Delay of every delivery, ms. */
  delayMs = 0;
  /** The end comes so much later than the last byte, as tunnels and retransmissions hand it on. */
  finishDelayMs = 0;
  /** Largest piece that is delivered at a time; 1 gives single bytes. */
  pieceBytesMax = Number.POSITIVE_INFINITY;
  /** Pieces that were sent apart are delivered as one where they are there together. */
  joins = false;
  /** Bytes of each delivery a turn; with `delayMs` a rate. */
  bytesPerTurnMax = Number.POSITIVE_INFINITY;
  #cut: { readonly atByte: number; readonly kind: CutKind } | null = null;
  #flip: { readonly atByte: number; readonly mask: number } | null = null;

  constructor(clock: Clock, source: PipeSource, target: PipeTarget) {
    this.#clock = clock;
    this.#source = source;
    this.#target = target;
  }

  /** Delivers the first `atByte` bytes of the stream and then ends it like this. */
  cutAt(atByte: number, kind: CutKind): void {
    this.#cut = { atByte, kind };
    this.#applyCut();
  }

  /** Changes bits of the byte at this offset of the stream. */
  flipAt(atByte: number, mask = 1): void {
    this.#flip = { atByte, mask };
  }

  /** Stops delivery without telling anybody; `release` goes on. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.wake();
  }

  /** Forgets what is on the way. */
  discard(): void {
    this.#onTheWay = [];
    this.#bytesOnTheWay = 0;
  }

  /** Takes as many of the bytes as there is room for. */
  take(bytes: Uint8Array): number {
    const room = Math.max(0, this.capacityBytes - this.#bytesOnTheWay);
    const taken = Math.min(room, bytes.length);
    if (taken > 0) {
      this.#onTheWay.push(bytes.slice(0, taken));
      this.#bytesOnTheWay += taken;
      this.wake();
    }
    return taken;
  }

  /** Ends the stream after what is on the way. */
  finish(kind: "fin" | "reset"): void {
    if (this.finishDelayMs > 0) {
      this.#clock.after(this.finishDelayMs, () => this.#finish(kind));
    } else this.#finish(kind);
  }

  #finish(kind: "fin" | "reset"): void {
    this.#ending ??= kind;
    this.wake();
  }

  /** Makes sure that a delivery is coming. */
  wake(): void {
    if (this.#scheduled || this.#held) return;
    this.#scheduled = true;
    this.#clock.after(this.delayMs, () => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#held || this.#target.hasEnded) return;
    let turnBytes = 0;
    while (this.#onTheWay.length > 0 && turnBytes < this.bytesPerTurnMax) {
      if (this.#held || this.#target.isPaused || this.#target.hasEnded) return;
      const piece = this.#nextPiece(this.bytesPerTurnMax - turnBytes);
      turnBytes += piece.length;
      this.#damage(piece);
      this.delivered += piece.length;
      this.#target.deliver(piece);
      // Whoever kept a view of it is to notice.
      piece.fill(0xa5);
      if (this.#applyCut()) return;
    }
    this.#source.roomAgain();
    if (this.#onTheWay.length > 0) this.wake();
    else if (this.#ending !== null && !this.#target.isPaused) this.#endTarget(this.#ending);
  }

  #nextPiece(bytesMax: number): Uint8Array {
    if (this.joins && this.#onTheWay.length > 1) {
      this.#onTheWay = [new Uint8Array(Buffer.concat(this.#onTheWay))];
    }
    const head = this.#onTheWay.shift() as Uint8Array;
    const toCut = this.#cut === null ? head.length : Math.max(0, this.#cut.atByte - this.delivered);
    const bytes = Math.min(head.length, this.pieceBytesMax, bytesMax, toCut);
    if (bytes < head.length) this.#onTheWay.unshift(head.subarray(bytes));
    this.#bytesOnTheWay -= bytes;
    return head.slice(0, bytes);
  }

  #damage(piece: Uint8Array): void {
    if (this.#flip === null) return;
    const index = this.#flip.atByte - this.delivered;
    if (index >= 0 && index < piece.length) piece[index] = (piece[index] ?? 0) ^ this.#flip.mask;
  }

  #applyCut(): boolean {
    if (this.#cut === null || this.delivered < this.#cut.atByte) return false;
    const { kind } = this.#cut;
    this.discard();
    this.#held = true;
    if (kind === "silence") return true;
    this.#endTarget(kind);
    // The receiver's end tells the sender, as a closed socket would.
    this.#source.end(
      kind === "fin" ? { kind: "closed-by-peer" } : { kind: "broken", reason: "ECONNRESET" },
    );
    return true;
  }

  #endTarget(kind: "fin" | "reset"): void {
    this.#target.end(
      kind === "fin" ? { kind: "closed-by-peer" } : { kind: "broken", reason: "ECONNRESET" },
    );
  }
}
