// Phase 1 for one follower: drives a scan at the pace of the follower's Acks, of its link and of the other connections
// (wire.md: A session, 3). Owned by a session.

import { ArmdbError, unreachable } from "../errors.ts";
import type { Clock, Timer } from "../io/clock.ts";
import { AckGate } from "./ack-gate.ts";
import { ACK_TIMEOUT_MS, SCAN_READ_BYTES, SCAN_TURN_BYTES } from "./bounds.ts";
import { CatchUpScan, type ScanOptions, type ScanStep } from "./catch-up-scan.ts";
import type { Outbox } from "./outbox.ts";

/** The session, as far as its catch-up needs it. */
export interface CatchUpOwner {
  /** A batch went out. */
  sentBatch(): void;
  /** Every slot was looked at and every batch is acknowledged. */
  caughtUp(scan: CatchUpScan): void;
  /** The disk does not deliver. */
  failed(error: ArmdbError): void;
  giveUp(reason: string): void;
}

export class CatchUp {
  readonly #scan: CatchUpScan;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #owner: CatchUpOwner;
  readonly #gate = new AckGate();
  #ackDeadline: Timer | null = null;
  #turn: Timer | null = null;
  #ended = false;

  constructor(options: ScanOptions, outbox: Outbox, clock: Clock, owner: CatchUpOwner) {
    this.#scan = new CatchUpScan(options);
    this.#outbox = outbox;
    this.#clock = clock;
    this.#owner = owner;
  }

  get slotCount(): number {
    return this.#scan.slotCount;
  }

  /** Sends batches until an Ack, room in the link or the next turn has to be waited for. */
  run(): void {
    // The turn, or `drained`, goes on from here.
    if (this.#turn !== null || this.#outbox.waitsForRoom) return;
    let bytes = 0;
    while (!this.#ended && !this.#gate.waiting && this.#outbox.hasRoom()) {
      if (bytes >= SCAN_TURN_BYTES) {
        this.#turn = this.#clock.after(0, () => {
          this.#turn = null;
          this.run();
        });
        return;
      }
      bytes += this.#step();
    }
  }

  ack(): void {
    const wasWaiting = this.#gate.waiting;
    this.#gate.ack();
    if (!wasWaiting) return;
    this.#clearDeadline();
    this.run();
  }

  heartbeat(): void {
    if (!this.#gate.heartbeat()) this.#owner.giveUp("nine Heartbeats came where an Ack is due");
    else if (this.#gate.waiting) this.#awaitAck();
  }

  /** Lets go of everything; nothing is called any more. */
  end(): void {
    this.#ended = true;
    this.#clearDeadline();
    this.#turn?.cancel();
    this.#turn = null;
  }

  /** One step of the scan; returns how much of the turn it used, bytes. */
  #step(): number {
    const step = this.#nextStep();
    if (step === null) return 0;
    switch (step.kind) {
      case "batch":
        this.#outbox.send(step.frame);
        this.#owner.sentBatch();
        this.#gate.batchSent();
        if (this.#gate.waiting && !this.#ended) this.#awaitAck();
        return step.frame.length;
      case "more":
        return SCAN_READ_BYTES;
      case "end":
        this.#ended = true;
        this.#owner.caughtUp(this.#scan);
        return 0;
      default:
        return unreachable(step);
    }
  }

  /** A disk that does not deliver ends this connection, not the leader; bugs of ours pass through. */
  #nextStep(): ScanStep | null {
    try {
      return this.#scan.next();
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      this.#ended = true;
      this.#owner.failed(thrown);
      return null;
    }
  }

  #awaitAck(): void {
    this.#clearDeadline();
    this.#ackDeadline = this.#clock.after(ACK_TIMEOUT_MS, () => {
      this.#owner.giveUp("no Ack came within 10 s");
    });
  }

  #clearDeadline(): void {
    this.#ackDeadline?.cancel();
    this.#ackDeadline = null;
  }
}
