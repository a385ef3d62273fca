// Follows one shard of a leader: performs what the shard's machine decides (machine/step.ts), and tells it what came of it. Knows
// no thread: the disk, the network, the clock and chance are passed in, and everything it has to say is sent to its supervisor.
//
//   what is heard -> one input after the other -> step -> actions, each performed at once -> one timer for what is due next

import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import { LoadStopped } from "../store/load-slots.ts";
import { formatAddress } from "../io/address.ts";
import type { RandomSource, Timer } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { RUN_EVENTS_SUSPECT } from "../limits.ts";
import type { FollowerSettings } from "./follower-types.ts";
import { FollowerReports } from "./follower-reports.ts";
import type { Action } from "./machine/actions.ts";
import type { Input, Told } from "./machine/inputs.ts";
import { changesNothing } from "./machine/stream.ts";
import { initialState, step, wakeAtMs } from "./machine/step.ts";
import type { MachineSettings, ShardState } from "./machine/types.ts";
import { DifferenceRecorder } from "./compare/difference-recorder.ts";
import type { ShardBodyTools } from "./shard-body.ts";
import { ShardConnections } from "./shard-connections.ts";
import { ShardFiles } from "./shard-files.ts";
import type { ShardCommand, ShardMessage } from "./shard-messages.ts";

export interface FollowerTools extends ShardBodyTools {
  readonly net: Net;
  readonly random: RandomSource;
  /** To the supervisor. */
  send(message: ShardMessage): void;
  /** A frame came on the main connection; monotonic ms. More often than anything is sent. */
  heard(atMs: number): void;
}

const TICK_MS = 1_000;
/** Of a shard in which nothing moves: there are 255 of them. */
const TICK_IDLE_MS = 5_000;
/** A tick that comes later than this was held up, and so was everything else here. */
const LATE_MS = 2_000;

export class ShardFollower {
  readonly #settings: FollowerSettings;
  readonly #tools: FollowerTools;
  readonly #reports: FollowerReports;
  readonly #files: ShardFiles;
  readonly #connections: ShardConnections;
  readonly #recorder: DifferenceRecorder;
  readonly #told: Told[] = [];
  #state: ShardState;
  #stepping = false;
  #wake: Timer | null = null;
  #wakeAtMs: number | null = null;
  #tick: Timer | null = null;
  #tickDueMs = 0;
  /** Something has moved since the last tick. */
  #hasMoved = true;

  constructor(settings: FollowerSettings, tools: FollowerTools) {
    this.#settings = settings;
    this.#tools = tools;
    this.#state = initialState(machineSettings(settings));
    const { clock, net } = tools;
    this.#reports = new FollowerReports(settings, tools, () => ({
      state: this.#state,
      body: this.#files.body,
      unclean: this.#files.unclean,
      work: this.#files.work,
      slotLast: this.#connections.slotLast,
    }));
    const tell = (told: Told) => this.#tell(told);
    this.#recorder = new DifferenceRecorder({
      clock,
      body: () => this.#files.body,
      rescan: () => tell({ kind: "rescan" }),
    });
    const shared = { settings, send: tools.send, reports: this.#reports, tell };
    this.#files = new ShardFiles({
      ...{ ...shared, tools, leader: this.#state.settings.leader },
      tellNext: (told) => void this.#told.unshift(told),
    });
    this.#connections = new ShardConnections({
      ...{ ...shared, net, clock, files: this.#files, observer: this.#recorder },
      moved: () => this.#moved(),
      mayWrite: () => this.#state.files === "open",
    });
  }

  /** Opens what is there and starts to follow. Everything that follows is reported. */
  start(): void {
    const { exists, saved } = this.#settings;
    let failure: unknown = null;
    try {
      if (exists) this.#files.open(null);
    } catch (thrown) {
      failure = thrown;
    }
    this.#scheduleTick(TICK_MS);
    // What is known of the files is told also where they cannot be opened: it is saved as it was.
    this.#tell({ kind: "start", saved: saved.machine, hasFiles: exists });
    if (failure instanceof LoadStopped) this.take({ kind: "stop" });
    else if (failure !== null) this.#tell({ kind: "diskFailed", error: explained(failure) });
    else this.#reports.snapshot();
  }

  /** Does what the supervisor says. */
  take(command: ShardCommand): void {
    switch (command.kind) {
      case "granted":
      case "held":
      case "rescan":
        return this.#tell(command);
      case "prepared":
        return this.#files.prepared(command.error);
      case "vouched":
        return this.#guarded(() => this.#connections.vouch(command.link, command.lives));
      case "compare": {
        const { id, differencesMax } = command;
        // That it has ended is said elsewhere, and its files are another's by now.
        if (this.#state.main.at === "over") return;
        return this.#recorder.start(differencesMax, (event) =>
          this.#tools.send({ kind: "compare", id, event }),
        );
      }
      case "compare-stop":
        return this.#recorder.stop();
      case "lost":
        return this.#tell({ kind: "diskFailed", error: command.error });
      case "stop":
        this.#recorder.stop();
        return this.#tell(command);
    }
  }

  // ---- the machine ----

  /** Takes an input; one that arises while another is performed comes after it. */
  #tell(told: Told): void {
    const isFirst = !this.#stepping && this.#told.length === 0;
    if (told.kind === "batch" && isFirst && changesNothing(this.#state, told)) return;
    this.#told.push(told);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#told.shift(); next !== undefined; next = this.#told.shift()) {
        this.#step(next);
      }
    } finally {
      this.#stepping = false;
    }
    this.#scheduleWake();
  }

  #step(told: Told): void {
    const { clock, random } = this.#tools;
    const input = { ...told, nowMs: clock.nowMs(), chance: random.fraction() } as Input;
    const [state, actions] = step(this.#state, input);
    this.#state = state;
    for (const action of actions) this.#guarded(() => this.#perform(action));
    if (told.kind === "judged") this.#reports.tellJudged();
    if (state.main.at === "over") this.#files.over();
  }

  /** An explained failure (disk, space, permission) ends the shard; a bug goes on up. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#tell({ kind: "diskFailed", error: explained(thrown) });
    }
  }

  #perform(action: Action): void {
    switch (action.kind) {
      case "ask":
      case "drop":
      case "tell":
        return this.#tools.send(action);
      case "dial":
        return this.#connections.dial(action);
      case "close":
        return this.#connections.close(action.link);
      case "probe":
        return this.#connections.probe(action.link);
      case "expect":
        return this.#connections.expect(action.link, action.heartbeats);
      case "scan":
        return this.#connections.scan(action);
      case "makeFiles":
        return this.#files.make(action.info);
      case "closeFiles":
        return this.#files.close();
      case "abandonFiles":
        return this.#files.abandon();
      case "sync":
        return this.#files.sync(action.link);
      case "judge":
        this.#connections.endLook(action.link);
        return this.#files.judge(action.link);
      case "acceptLeader":
        return this.#files.acceptLeader();
      case "report":
        return this.#reports.report(action.report);
      case "save":
        return this.#reports.save();
      case "leaderRestarted":
        return this.#reports.leaderRestarted();
      case "end":
        return this.#end(action.error);
    }
  }

  #scheduleWake(): void {
    const atMs = wakeAtMs(this.#state);
    if (atMs === this.#wakeAtMs) return;
    this.#wake?.cancel();
    this.#wake = null;
    this.#wakeAtMs = atMs;
    if (atMs === null) return;
    const { clock } = this.#tools;
    this.#wake = clock.after(Math.max(0, atMs - clock.nowMs()), () => {
      this.#wakeAtMs = null;
      this.#tell({ kind: "tick" });
    });
  }

  /** What moves is shown within a second, also behind a long pause. */
  #moved(): void {
    if (this.#hasMoved) return;
    this.#hasMoved = true;
    const isSoon = this.#tickDueMs - this.#tools.clock.nowMs() <= TICK_MS;
    if (isSoon || this.#tick === null) return;
    this.#tick.cancel();
    this.#scheduleTick(TICK_MS);
  }

  #scheduleTick(delayMs: number): void {
    const { clock } = this.#tools;
    this.#tickDueMs = clock.nowMs() + delayMs;
    this.#tick = clock.after(delayMs, () => {
      const lateMs = clock.nowMs() - this.#tickDueMs;
      if (lateMs > LATE_MS) this.#heldUp(lateMs);
      const isSettling = this.#connections.settleHealed();
      this.#reports.snapshot();
      if (this.#tick === null) return;
      const { store, durability } = this.#files.body ?? { store: null, durability: null };
      const isUnsynced = (store?.oldestUnsyncedAtMs ?? durability?.syncSinceMs ?? null) !== null;
      const isAwaited = this.#hasMoved || isSettling || isUnsynced;
      this.#hasMoved = false;
      const isIdle = !isAwaited && this.#state.main.at === "streaming";
      this.#scheduleTick(isIdle ? TICK_IDLE_MS : TICK_MS);
    });
  }

  #heldUp(ms: number): void {
    const slow = this.#files.body?.intake.slowWrite ?? null;
    const byWrite = slow !== null && slow.endedAtMs >= this.#tickDueMs && slow.tookMs > ms / 2;
    this.#tell({ kind: "heldUp", ms, byWrite });
  }

  #end(error: PlainError | null): void {
    this.#wake?.cancel();
    this.#tick?.cancel();
    this.#tick = null;
    this.#recorder.stop();
    this.#reports.ended(error);
  }
}

function machineSettings(settings: FollowerSettings): MachineSettings {
  const { shard, protocol, followedBefore, once, acceptLeader } = settings;
  const { resyncMs, pollMs, windowAcks, limitRateBytes } = settings;
  return {
    ...{ leader: formatAddress(settings), shard, protocol, followedBefore, once, acceptLeader },
    ...{ resyncMs, pollMs, windowAcks, isRateLimited: limitRateBytes !== null },
    runEventsSuspect: RUN_EVENTS_SUSPECT,
  };
}

/** What was thrown, if it is explained; a bug is thrown on. */
function explained(thrown: unknown): PlainError {
  if (!(thrown instanceof ArmdbError)) throw thrown;
  return toPlainError(thrown);
}
