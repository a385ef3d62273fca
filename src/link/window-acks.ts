// The acks of a scan that keeps nothing: a window ahead, then one per batch as soon as it was handed over (wire.md, point 18).

import type { ShardLink } from "./shard-link.ts";
import type { AckSender } from "./scan-types.ts";

export class WindowAcks implements AckSender {
  readonly #link: ShardLink;
  #due = 0;

  constructor(link: ShardLink) {
    this.#link = link;
  }

  sendAhead(): void {
    this.#link.sendAcks(this.#link.session.windowAcks, 0n, 0);
  }

  applied(): void {
    this.#due++;
  }

  chunkEnded(): void {
    this.#link.sendAcks(this.#due, this.#link.session.eventsScanned, 0);
    this.#due = 0;
  }

  stop(): void {
    this.#due = 0;
  }
}
