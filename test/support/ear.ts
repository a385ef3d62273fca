// An end of a link that keeps what happens to it.

import type { Link, LinkEnd, LinkEvents } from "../../src/io/net.ts";

export class Ear implements LinkEvents {
  link: Link | null = null;
  readonly chunks: Uint8Array[] = [];
  readonly ends: LinkEnd[] = [];
  drains = 0;

  opened(link: Link): void {
    this.link = link;
  }
  received(_link: Link, chunk: Uint8Array): void {
    this.chunks.push(chunk.slice());
  }
  drained(): void {
    this.drains++;
  }
  ended(_link: Link, end: LinkEnd): void {
    this.ends.push(end);
  }
  get text(): string {
    return Buffer.concat(this.chunks).toString("latin1");
  }
}
