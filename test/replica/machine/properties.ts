// What holds of a shard's machine in every history, looked at from outside with each input: used by the walk, by the
// model, and by the mutants. A failure is an error that begins with the name of its property. What needs a leader to be
// told is in the model.

import type { Action, Outcome } from "../../../src/replica/machine/actions.ts";
import type { Input } from "../../../src/replica/machine/inputs.ts";
import { changesNothing } from "../../../src/replica/machine/stream.ts";
import type { MachineSettings, ShardState, Stream } from "../../../src/replica/machine/types.ts";

/** The machine, or a mutant of it. */
export interface Machine {
  initialState(settings: MachineSettings): ShardState;
  step(state: ShardState, input: Input): Outcome;
  wakeAtMs(state: ShardState): number | null;
  stateWord(state: ShardState): string;
  isReady(state: ShardState): boolean;
}

export function hold(property: string, condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`${property}: ${what}`);
}

const STREAMED_MS_MIN = 60_000;
const BEGINNINGS: readonly Action["kind"][] = ["ask", "dial", "scan", "makeFiles"];

/** Takes inputs for a machine, and holds the properties with each. */
export class Watched {
  readonly machine: Machine;
  state: ShardState;
  #asked = new Set<number>();
  /** Granted, and neither scanning nor over. */
  readonly places = new Set<number>();
  readonly open = new Map<number, "main" | "beside">();
  /** Told as accepted. */
  readonly counted = new Set<number>();
  #dialed = new Set<number>();
  #scanOnJudge: number | null = null;
  #durableSeen = false;
  #isStopped = false;
  #hasEnded = false;

  constructor(machine: Machine, settings: MachineSettings) {
    this.machine = machine;
    this.state = machine.initialState(settings);
  }

  take(input: Input): readonly Action[] {
    const before = this.state;
    const [after, actions] = this.machine.step(before, input);
    this.state = after;
    hold(
      "plain",
      after !== before || actions.length === 0 || isLogged(actions),
      "actions without a change",
    );
    const isSkipped = input.kind === "batch" && changesNothing(before, input);
    hold("skipped", !isSkipped || (after === before && actions.length === 0), "a batch that does");
    if (input.kind === "granted" && this.#asked.delete(input.request))
      this.places.add(input.request);
    if (input.kind === "ended") this.#over(input.link);
    const isJudged = input.kind === "judged" && after !== before;
    if (isJudged && input.link === this.#scanOnJudge) this.#scanOnJudge = null;
    if (input.kind === "durable" && after !== before) this.#durableSeen = true;
    if (input.kind === "stop" || input.kind === "diskFailed") this.#isStopped = true;
    for (const action of actions) this.#action(before, input, action);
    this.#afterwards(before, input, after);
    return actions;
  }

  #action(before: ShardState, input: Input, action: Action): void {
    hold("end once", !this.#hasEnded, `${action.kind} after the end`);
    hold(
      "end once",
      !this.#isStopped || !BEGINNINGS.includes(action.kind),
      `${action.kind} at the end`,
    );
    switch (action.kind) {
      case "ask":
        this.#asked.add(action.request);
        return;
      case "drop":
        hold("places", this.#asked.delete(action.request), "drops what it has not asked for");
        return;
      case "tell":
        return this.#told(input, action);
      case "dial":
        return this.#dial(input, action);
      case "close":
        hold("links", this.open.has(action.link), `closes ${action.link}, which is not open`);
        return this.#over(action.link);
      case "scan":
        this.#isOpen(action.link);
        hold("judge", this.#scanOnJudge === null, "a scan begins before another is judged");
        this.#scanOnJudge = action.link;
        return;
      case "judge": {
        this.#isOpen(action.link);
        const isWhole = input.kind === "whole" && input.link === action.link;
        hold("judge", isWhole, `judges at ${input.kind}`);
        hold("judge", this.#scanOnJudge === action.link, "judges another scan");
        return;
      }
      case "probe":
      case "expect":
      case "sync":
        return this.#isOpen(action.link);
      case "end":
        this.#hasEnded = true;
        hold("places", this.#asked.size + this.places.size === 0, "a place is left over");
        hold("links", this.open.size === 0, "a link is left open");
        return;
      case "acceptLeader":
        return hold("judge", input.kind === "judged" && before.accepting, "accepts unasked");
      case "makeFiles":
        return hold("files", before.files === "none", "makes its files twice");
      case "closeFiles":
      case "abandonFiles":
      case "leaderRestarted":
      case "report":
      case "save":
        return;
    }
  }

  #isOpen(link: number): void {
    hold("links", this.open.has(link), `names ${link}, which is not open`);
  }

  #over(link: number): void {
    this.open.delete(link);
    if (this.#scanOnJudge === link) this.#scanOnJudge = null;
  }

  #told(input: Input, { request, what }: Extract<Action, { kind: "tell" }>): void {
    if (what !== "accepted") {
      hold("places", this.places.delete(request), `${what} without a place`);
      return;
    }
    const isHeard = input.kind === "opened" || input.kind === "shardInfo";
    hold("budget", isHeard && input.link === request, `counts at ${input.kind}`);
    hold("budget", !this.counted.has(request), "counts a connection twice");
    this.counted.add(request);
  }

  #dial(input: Input, { link, role, protocol }: Extract<Action, { kind: "dial" }>): void {
    hold("links", input.kind === "granted" && input.request === link, "dials without its grant");
    hold("links", !this.#dialed.has(link), "dials a number twice");
    hold("links", ![...this.open.values()].includes(role), `a second ${role}`);
    hold("links", role === "main" || protocol === 1, "beside on protocol 2");
    this.#dialed.add(link);
    this.open.set(link, role);
  }

  #afterwards(before: ShardState, input: Input, after: ShardState): void {
    const { machine } = this;
    if (input.kind === "tick") {
      const wakeAtMs = machine.wakeAtMs(after);
      hold("wake", wakeAtMs === null || wakeAtMs > input.nowMs, "it is due again at once");
    }
    if (machine.wakeAtMs(after) === null)
      hold("wake", isAwaited(after), `nothing wakes ${after.main.at}`);
    const isPaid = before.owed !== null && after.owed === null;
    if (isPaid) hold("owed", isPaidBy(before, input), `paid by ${input.kind}`);
    const wentBack = (after.owed?.since ?? Infinity) < (before.owed?.since ?? 0);
    hold("owed", !wentBack, "since went back");
    hold("run", after.run === null || "stream" in after.main, "a run without its connection");
    if (after.beside.at !== "none") {
      hold("beside", after.main.at === "streaming", `beside ${after.main.at}`);
      hold("beside", after.owed !== null, "a scan beside that nobody is owed");
    }
    if (machine.isReady(after))
      hold("ready", this.#durableSeen, "ready without a durable whole scan");
    const isNew = after.complete === false && before.complete !== false;
    hold(
      "ready",
      !isNew || input.kind === "filesMade" || input.kind === "start",
      "complete went to false",
    );
    this.#holdDiverged(before, input, after);
    const fellBack = after.pauses.main.delayMs < before.pauses.main.delayMs;
    hold(
      "pauses",
      !fellBack || hasStreamed(before, input.nowMs),
      "fell back without 60 s of stream",
    );
  }

  #holdDiverged(before: ShardState, input: Input, after: ShardState): void {
    const isLess = after.diverged < before.diverged;
    hold(
      "diverged",
      !isLess || input.kind === "judged" || input.kind === "struck",
      `${input.kind} strikes`,
    );
    const word = this.machine.stateWord(after);
    const isShown = ["diverged", "failed", "stopped"].includes(word);
    hold("diverged", after.diverged === 0 || isShown, `shown as ${word}`);
  }
}

/** Being held up is logged, whatever it changes. */
function isLogged(actions: readonly Action[]): boolean {
  return actions.every(({ kind }) => kind === "report");
}

function isPaidBy(before: ShardState, input: Input): boolean {
  if (input.kind !== "whole" || before.owed === null) return false;
  const { main, beside, owed } = before;
  return [main, beside].some(
    (scan) => scan.at === "confirming" && scan.link === input.link && scan.dialedAt > owed.since,
  );
}

function hasStreamed({ main }: ShardState, nowMs: number): boolean {
  return main.at === "streaming" && nowMs - main.sinceMs >= STREAMED_MS_MIN;
}

/** Somebody else owes an answer, or nothing is to come. */
function isAwaited({
  main,
  beside,
  owed,
  run,
  last,
  settings,
  scheduledAtMs,
}: ShardState): boolean {
  switch (main.at) {
    case "resting":
      return false;
    case "streaming":
      if (isUnasked(main.stream)) return false;
      if (last?.isJudged !== true || beside.at !== "none") return true;
      // The end of a run makes a debt due; with --once and --resync off nothing is to come.
      if (owed !== null) return owed.notBeforeMs === null && run !== null;
      return settings.once || (scheduledAtMs === null && settings.resyncMs === null);
    case "confirming":
      return !isUnasked(main.stream);
    case "new":
    case "asking":
    case "dialing":
    case "making":
    case "scanning":
    case "over":
      return true;
  }
}

/** The stream has not been asked for yet. */
function isUnasked(stream: Stream): boolean {
  return stream.is === "probing" && stream.probeAtMs !== null;
}
