// Data that looks like something, for the demo: sessions of a shop that come, move from page to page and go, and counters
// of what happened. Keys and values are text, padded with zeros, so that `armdb inspect` shows them readable.

import type { SampleStore } from "./sample-store.ts";

const USERS = ["ada", "grace", "linus", "margaret", "dennis", "barbara", "ken", "radia"] as const;
const PAGES = ["/home", "/search", "/shoes", "/hats", "/cart", "/checkout", "/help"] as const;
/** One change in this many ends a session, once there are enough. */
const END_ONE_IN = 4;

/** Changes a store a little at a time, the same way each time for the same seed. */
export class SampleData {
  readonly #store: SampleStore;
  readonly #sessionsWanted: number;
  readonly #sessions: number[] = [];
  readonly #counts = new Map<string, number>();
  #nextSession = 1;
  #random: number;
  /** Puts and deletes so far. */
  changes = 0;

  constructor(store: SampleStore, sessionsWanted: number, seed = 1) {
    this.#store = store;
    this.#sessionsWanted = sessionsWanted;
    this.#random = seed >>> 0;
  }

  /** Begins with as many sessions as are wanted. */
  fill(): void {
    while (this.#sessions.length < this.#sessionsWanted) this.#begin();
  }

  /** One thing that happens in the shop: two or three changes of the store. */
  step(): void {
    const isFull = this.#sessions.length >= this.#sessionsWanted;
    if (isFull && this.#below(END_ONE_IN) === 0) this.#end();
    else if (this.#below(END_ONE_IN) === 0 || this.#sessions.length === 0) this.#begin();
    else this.#visit(this.#below(this.#sessions.length));
  }

  #begin(): void {
    const session = this.#nextSession++;
    this.#sessions.push(session);
    this.#count("sessions/begun", 1);
    this.#visit(this.#sessions.length - 1);
  }

  #end(): void {
    const index = this.#below(this.#sessions.length);
    const session = this.#sessions[index] ?? 0;
    this.#sessions[index] = this.#sessions.at(-1) ?? 0;
    this.#sessions.pop();
    this.#store.delete(this.#key(sessionName(session)));
    this.changes++;
    this.#count("sessions/ended", 1);
  }

  #visit(index: number): void {
    const session = this.#sessions[index] ?? 0;
    const page = PAGES[this.#below(PAGES.length)] ?? "/home";
    const user = USERS[session % USERS.length] ?? "ada";
    const value = `user=${user} page=${page} clicks=${this.#below(200)}`;
    this.#put(sessionName(session), value);
    this.#count(`views${page}`, 1);
  }

  #count(name: string, more: number): void {
    const count = (this.#counts.get(name) ?? 0) + more;
    this.#counts.set(name, count);
    this.#put(`counter:${name}`, String(count));
  }

  #put(key: string, value: string): void {
    this.#store.put(this.#key(key), padded(value, this.#store.layout.valueLen));
    this.changes++;
  }

  #key(text: string): Uint8Array {
    return padded(text, this.#store.layout.keyLen);
  }

  /** A whole number in [0, limit), from a small generator that repeats. */
  #below(limit: number): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#random / 2 ** 32) * limit);
  }
}

function sessionName(session: number): string {
  return `session:${String(session).padStart(8, "0")}`;
}

function padded(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(text, "utf8").subarray(0, length));
  return bytes;
}
