// One history of a leader, a network and a follower that has a machine and performs what it asks for, in random order
// and time. Holds the properties of properties.ts with each input, and those that need to know the leader here. A seed
// is a history.

import type { Action } from "../../../src/replica/machine/actions.ts";
import type { Input, SavedShard } from "../../../src/replica/machine/inputs.ts";
import { Dice } from "../../support/dice.ts";
import { DISK_ERROR, INFO, NOTHING_SAVED, SETTINGS, type Told } from "./driven.ts";
import { ModelLeader, RING_EVENTS } from "./model-leader.ts";
import { type Heard, ModelLink } from "./model-link.ts";
import { ModelReplica } from "./model-replica.ts";
import { hold, type Machine, Watched } from "./properties.ts";
import { StreamTruth } from "./model-streams.ts";
import { type Event, Timeline } from "./timeline.ts";

const RESYNC_MS = 40_000;
const POLL_MS = 30_000;
/**
 * A scan that stands still, a stream that the leader still holds for a dead connection, the longest pauses, a --resync,
 * and looks at what it shows.
 */
const QUIET_MS = 60_000 + 30_000 + 2 * 33_000 + RESYNC_MS + 20_000;

export class Model {
  readonly time = new Timeline();
  readonly dice: Dice;
  readonly leader: ModelLeader;
  readonly replica = new ModelReplica();
  inputs = 0;
  isQuiet = false;
  readonly trace: string[] = [];
  readonly #machine: Machine;
  #watched!: Watched;
  #links = new Map<number, ModelLink>();
  readonly #streams = new StreamTruth();
  #tick: Event | null = null;
  #granted = new Map<number, Event>();
  #saved: SavedShard = NOTHING_SAVED;
  #hasFiles = false;
  #run = 0;
  #isOver = false;
  #isTaking = false;
  readonly #waiting: Told[] = [];

  constructor(machine: Machine, seed: number) {
    this.#machine = machine;
    this.dice = new Dice(seed);
    this.leader = new ModelLeader(this.time, this.dice);
    this.#start();
  }

  /** One input, or something that befalls the world. */
  step(): void {
    if (this.dice.oneIn(7)) this.#befall();
    else this.time.next();
    if (this.#isOver) this.#start();
  }

  /** The faults are over: in bounded time the replica is the leader's copy and nothing is owed. */
  quiet(): void {
    this.isQuiet = true;
    this.leader.start();
    if (this.#watched.state.settings.once && !this.#isOver) this.#take({ kind: "stop" });
    const untilMs = this.time.nowMs + QUIET_MS;
    while (this.time.next(untilMs)) if (this.#isOver) this.#start();
    this.time.nowMs = untilMs;
    while (this.#watched.state.owed !== null && this.time.next(untilMs + POLL_MS));
    const { state } = this.#watched;
    hold("heals", state.owed === null, `owes ${state.owed?.why}, ${state.main.at}`);
    hold("heals", state.main.at === "streaming", `is ${state.main.at}`);
    this.#streams.settled(state.main, this.#main);
    const { versions } = this.leader;
    const older = versions.findIndex(
      (version, slot) => (this.replica.versions[slot] ?? 0) < version,
    );
    hold("heals", older < 0, `slot ${older} is older`);
    const newer = versions.filter((version, slot) => (this.replica.versions[slot] ?? 0) > version);
    hold(
      "diverged",
      newer.length === state.diverged,
      `${newer.length} differ, ${state.diverged} shown`,
    );
  }

  #start(): void {
    this.#isOver = false;
    this.#run++;
    const { dice } = this;
    this.#watched = new Watched(this.#machine, {
      ...SETTINGS,
      protocol: dice.oneIn(2) ? 1 : 2,
      followedBefore: this.#run > 1,
      once: !this.isQuiet && dice.oneIn(8),
      acceptLeader: dice.oneIn(4),
      resyncMs: RESYNC_MS,
      pollMs: POLL_MS,
      runEventsSuspect: RING_EVENTS,
    });
    hold("diverged", this.#saved.diverged === this.replica.diverged.size, "not saved");
    this.#take({ kind: "start", saved: this.#saved, hasFiles: this.#hasFiles });
  }

  // ---- what befalls ----

  #befall(): void {
    const { dice, leader, time } = this;
    const links = [...this.#links.values()];
    const each = (run: (link: ModelLink) => void) => {
      for (const link of links) if (dice.oneIn(2)) run(link);
    };
    const write = (count: number) => {
      for (let index = 0; index < count; index++) leader.write();
    };
    const choices: readonly (() => void)[] = [
      () => write(1 + dice.below(3)),
      () => write(1 + dice.below(3)),
      () => write(9 + dice.below(20)),
      () => {
        for (let part = 0; part < 12; part++) time.after(part * dice.below(8), () => write(3));
      },
      () => each((link) => link.cut()),
      () => each((link) => link.stall(dice.below(dice.oneIn(3) ? 20_000 : 3_000))),
      () => dice.oneIn(3) && each((link) => link.silence()),
      () => this.#restartLeader(),
      () => leader.steal(),
      () => this.#take({ kind: "rescan" }),
      () => this.#holdUp(2_000 + dice.below(20_000)),
      () => time.after(dice.below(90_000), () => undefined),
      () => dice.oneIn(10) && this.#take({ kind: "stop" }),
      () => dice.oneIn(16) && this.#take({ kind: "diskFailed", error: DISK_ERROR }),
      () => dice.oneIn(8) && this.#kill(),
    ];
    dice.pick(choices)();
  }

  #restartLeader(): void {
    const { leader, dice, time } = this;
    if (!leader.isUp) return;
    leader.stop();
    // Its directory may be an older one.
    const slot = dice.below(leader.versions.length);
    if (dice.oneIn(4))
      leader.versions[slot] = Math.max(1, (leader.versions[slot] ?? 1) - 1 - dice.below(2));
    this.replica.forgetDrops();
    time.after(dice.below(6_000), () => leader.start());
  }

  #holdUp(ms: number): void {
    const { time } = this;
    if (time.heldUntilMs > time.nowMs) return;
    time.heldUntilMs = time.nowMs + ms;
    this.#answer(ms, { kind: "heldUp", ms });
  }

  /** kill -9: what is saved and what is on disk is all that is left. */
  #kill(): void {
    this.#gone();
    this.#isOver = true;
  }

  #gone(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    this.#granted.clear();
    this.#tick = null;
    this.#run++;
    this.replica.restart();
  }

  // ---- what the machine is told ----

  /** Tells this run's machine later, if it is still there. */
  #answer(ms: number, input: Told): Event {
    const run = this.#run;
    return this.time.after(ms, () => run === this.#run && this.#take(input), true);
  }

  /** Inputs that an action brings about come after all of its step's actions: the judge's first. */
  #take(told: Told): void {
    if (told.kind === "judged") this.#waiting.unshift(told);
    else this.#waiting.push(told);
    if (this.#isTaking) return;
    this.#isTaking = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (!this.#isOver) this.#takeOne(next);
    }
    this.#isTaking = false;
    if (!this.#isOver) this.#look();
  }

  #takeOne(told: Told): void {
    this.inputs++;
    const { nowMs } = this.time;
    if (this.trace.length >= 40) this.trace.shift();
    this.trace.push(`${nowMs} ${JSON.stringify(told)}`);
    const input = { ...told, nowMs, chance: this.dice.below(100) / 100 } as Input;
    for (const action of this.#watched.take(input)) this.#perform(action);
  }

  #look(): void {
    this.#rearm();
    const { machine, state } = this.#watched;
    this.#streams.look(state.main, this.#main);
    if (state.main.at !== "over") {
      hold("diverged", state.diverged === this.replica.diverged.size, "is not what the judge said");
    }
    const isSure = machine.stateWord(state) === "live" && state.owed === null && state.run === null;
    // With --once a scan is as old as its begin, and no loss since then is looked for.
    if (isSure && !state.settings.once) this.replica.holdNothingLost();
    if (state.settings.once && machine.isReady(state)) this.#take({ kind: "stop" });
  }

  /** One timer, now and then late. */
  #rearm(): void {
    const atMs = this.#machine.wakeAtMs(this.#watched.state);
    if (this.#tick !== null) this.#tick.run = null;
    this.#tick = null;
    if (atMs === null) return;
    const lateMs = this.dice.oneIn(8) ? this.dice.below(900) : 0;
    this.#tick = this.#answer(Math.max(0, atMs - this.time.nowMs) + lateMs, { kind: "tick" });
  }

  heard(from: ModelLink, what: Heard): void {
    const { link } = from;
    if (this.#links.get(link) !== from) return;
    switch (what.kind) {
      case "shardInfo":
        return this.#take({ kind: "shardInfo", link, info: INFO, misfit: null });
      case "scan": {
        const struck = what.slots.filter(([slot, version]) => this.replica.scanned(slot, version));
        return this.#struck(struck.length);
      }
      case "batch":
        return this.#batch(from, what);
      case "ended":
        if (from.role === "main") this.#streams.lost(this.#watched.state.main, from);
        this.#links.delete(link);
        return this.#take({ kind: "ended", link, end: what.end });
      case "opened":
      case "caughtUp":
      case "heartbeat":
      case "whole":
        return this.#take({ kind: what.kind, link });
    }
  }

  #batch({ link, role }: ModelLink, { events, full }: Extract<Heard, { kind: "batch" }>): void {
    // A scan beside that got the stream at a new leader process takes nothing of it.
    const told = { kind: "batch", link, events: events.length, full, heldAtMs: null } as const;
    if (role === "beside") return this.#take(told);
    const struck = events.filter((event) => this.replica.streamed(event));
    const last = events.at(-1)?.number ?? 0;
    this.leader.drops = this.replica.witnessed(this.leader.drops, last);
    this.#struck(struck.length);
    this.#take(told);
  }

  get #main(): ModelLink | undefined {
    return [...this.#links.values()].find(({ role }) => role === "main");
  }

  #struck(count: number): void {
    if (count > 0) this.#take({ kind: "struck", diverged: this.replica.diverged.size });
  }

  // ---- what the machine asks for ----

  #perform(action: Action): void {
    const { dice } = this;
    switch (action.kind) {
      case "ask":
        return this.#ask(action.request);
      case "drop": {
        // Its grant may be on its way.
        const event = this.#granted.get(action.request);
        if (event !== undefined && dice.oneIn(2)) event.run = null;
        return;
      }
      case "dial": {
        const { link, role, protocol } = action;
        if (role === "beside") this.replica.scanDialed();
        this.#links.set(link, new ModelLink(this, link, role, protocol));
        return;
      }
      case "close":
        this.#links.get(action.link)?.close();
        this.#links.delete(action.link);
        return;
      case "probe":
        return this.#links.get(action.link)?.probe();
      case "expect": {
        const link = this.#links.get(action.link);
        if (link !== undefined) link.expectsHeartbeats = action.heartbeats;
        return;
      }
      case "scan": {
        const link = this.#links.get(action.link);
        if (link?.role === "main") this.replica.scanDialed();
        this.replica.scanBegan();
        // The window of acks may meet a connection that is gone.
        if (dice.oneIn(40) && !this.isQuiet) link?.cut();
        return link?.scan();
      }
      default:
        return this.#performOfBody(action);
    }
  }

  #performOfBody(action: Action): void {
    const { dice } = this;
    switch (action.kind) {
      case "makeFiles": {
        const error = dice.oneIn(30) && !this.isQuiet ? DISK_ERROR : null;
        this.#hasFiles = error === null;
        this.#answer(dice.below(3_000), { kind: "filesMade", error });
        return;
      }
      case "closeFiles":
      case "abandonFiles":
        this.#answer(dice.below(500), { kind: "filesClosed", error: null });
        return;
      case "sync":
        this.#answer(dice.below(200), { kind: "durable", link: action.link });
        return;
      case "judge":
        return this.#take({ kind: "judged", link: action.link, ...this.replica.judge() });
      case "acceptLeader":
        return this.replica.distrust();
      case "leaderRestarted":
        return this.#streams.restarted(this.#main);
      case "save": {
        const { complete, diverged, owed } = this.#watched.state;
        this.#saved = { complete, diverged, owed };
        return;
      }
      case "end":
        this.#saved = { ...this.#saved, owed: this.#watched.state.owed };
        this.#gone();
        this.#isOver = true;
        return;
      default:
        return;
    }
  }

  /** The budget and the gate: now and then a request is held first. */
  #ask(request: number): void {
    const { dice } = this;
    const isHeld = dice.oneIn(8) && !this.isQuiet;
    if (isHeld) this.#answer(dice.below(20), { kind: "held", request, untilMs: 1e12, limit: 9 });
    const waitMs = isHeld ? 20 + dice.below(20_000) : dice.below(40);
    this.#granted.set(request, this.#answer(waitMs, { kind: "granted", request }));
  }
}
