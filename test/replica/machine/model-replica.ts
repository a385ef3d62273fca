// What a model's follower has on disk, and the judge of its scans: versions of six slots, which of them the stream has
// touched since a scan could first read them, and which differ. Outlives the machine, as files do.

import { hold } from "./properties.ts";
import type { Drop, RingEvent } from "./model-leader.ts";
import { SLOTS } from "./model-leader.ts";

export class ModelReplica {
  readonly versions: number[] = Array.from({ length: SLOTS }, () => 0);
  /** Slots that are newer here, at two looks. */
  diverged = new Set<number>();
  #suspects = new Set<number>();
  #differences = new Set<number>();
  #touched = new Set<number>();
  /** What a full ring dropped, and whose witness has come: to be known from now on. */
  #knowable: Drop[] = [];

  /** A scan is dialed: from here on the stream explains what it shows. */
  scanDialed(): void {
    this.#touched = new Set();
  }

  scanBegan(): void {
    this.#differences = new Set();
  }

  /** Takes a slot of a scan; true when that strikes a diverged one. */
  scanned(slot: number, version: number): boolean {
    const here = this.versions[slot] ?? 0;
    if (version < here) this.#differences.add(slot);
    if (version <= here) return false;
    this.versions[slot] = version;
    return this.diverged.delete(slot);
  }

  /** Takes a live event; true when that strikes a diverged one. */
  streamed({ slot, version }: RingEvent): boolean {
    this.#touched.add(slot);
    if (version <= (this.versions[slot] ?? 0)) return false;
    this.versions[slot] = version;
    return this.diverged.delete(slot);
  }

  /** The scan was whole: what is different for the first time waits for a second look. */
  judge(): { readonly suspects: number; readonly diverged: number } {
    const found = [...this.#differences].filter((slot) => !this.#touched.has(slot));
    this.diverged = new Set(found.filter((slot) => this.#suspects.has(slot)));
    this.#suspects = new Set(found);
    return { suspects: found.length - this.diverged.size, diverged: this.diverged.size };
  }

  /** --accept-leader: what differs is not trusted any more. */
  distrust(): void {
    for (const slot of this.diverged) this.versions[slot] = 0;
  }

  /** The process is gone, and with it what it kept in memory. */
  restart(): void {
    this.#suspects = new Set();
    this.#knowable = [];
  }

  /** Event `number` came over the stream: what was dropped before it could have been noticed. */
  witnessed(drops: Drop[], number: number): Drop[] {
    this.#knowable.push(...drops.filter(({ witness }) => witness <= number));
    return drops.filter(({ witness }) => witness > number);
  }

  /** Another process of the leader, perhaps over an older directory. */
  forgetDrops(): void {
    this.#knowable = [];
  }

  /** Nothing that a full ring dropped is missing, as far as could be known. */
  holdNothingLost(): void {
    if (this.#knowable.length === 0) return;
    const isMissing = ({ slot, version }: Drop) => (this.versions[slot] ?? 0) < version;
    const lost = this.#knowable.find(isMissing);
    hold("stale", lost === undefined, `live without slot ${lost?.slot} at ${lost?.version}`);
    this.#knowable = [];
  }
}
