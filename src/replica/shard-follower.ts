// Follows one shard of a leader: performs what the shard's machine decides (machine/step.ts), and tells it what came of it. Knows
// no thread: the disk, the network, the clock and chance are passed in, and everything it has to say goes to its host.
//
//   what is heard -> one input after the other -> step -> actions, each performed at once -> one timer for what is due next

import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import { LoadStopped } from "../store/load-slots.ts";
import { formatAddress } from "../io/address.ts";
import type { RandomSource, Timer } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import { RUN_EVENTS_SUSPECT } from "../limits.ts";
import type { FollowerHost, FollowerSettings } from "./follower-types.ts";
import { FollowerReports } from "./follower-reports.ts";
import type { Action } from "./machine/actions.ts";
import type { Input, Told } from "./machine/inputs.ts";
import { initialState, step, wakeAtMs } from "./machine/step.ts";
import type { MachineSettings, ShardState } from "./machine/types.ts";
import { NO_OBSERVER, type ScanObserver } from "./compare/scan-observer.ts";
import type { ShardBodyTools } from "./shard-body.ts";
import { ShardConnections } from "./shard-connections.ts";
import { ShardFiles } from "./shard-files.ts";

export interface FollowerTools extends ShardBodyTools {
  readonly net: Net;
  readonly random: RandomSource;
}

const TICK_MS = 1_000;
/** A tick that comes later than this was held up, and so was everything else here. */
const LATE_MS = 2_000;

export class ShardFollower {
  readonly #settings: FollowerSettings;
  readonly #host: FollowerHost;
  readonly #tools: FollowerTools;
  readonly #reports: FollowerReports;
  readonly #files: ShardFiles;
  readonly #connections: ShardConnections;
  readonly #told: Told[] = [];
  #state: ShardState;
  #stepping = false;
  #wake: Timer | null = null;
  #wakeAtMs: number | null = null;
  #tick: Timer | null = null;
  #tickDueMs = 0;

  constructor(
    settings: FollowerSettings,
    host: FollowerHost,
    tools: FollowerTools,
    observer: ScanObserver = NO_OBSERVER,
  ) {
    this.#settings = settings;
    this.#host = host;
    this.#tools = tools;
    this.#state = initialState(machineSettings(settings));
    const { clock, net } = tools;
    this.#reports = new FollowerReports(settings, clock, host, () => ({
      state: this.#state,
      body: this.#files.body,
      unclean: this.#files.unclean,
      work: this.#files.work,
      slotLast: this.#connections.slotLast,
    }));
    const tell = (told: Told) => this.#tell(told);
    const shared = { settings, host, observer, reports: this.#reports, tell };
    this.#files = new ShardFiles({
      ...{ ...shared, tools, leader: this.#state.settings.leader },
      tellNext: (told) => void this.#told.unshift(told),
    });
    this.#connections = new ShardConnections({
      ...{ ...shared, net, clock, files: this.#files },
      mayWrite: () => this.#state.files === "open",
      hasStream: () => {
        const { main } = this.#state;
        return main.at === "streaming" && main.stream.is !== "polling";
      },
    });
  }

  /** Opens what is there and starts to follow. Everything that follows is reported to the host. */
  start(): void {
    const { exists, saved } = this.#settings;
    this.#scheduleTick();
    let failure: unknown = null;
    try {
      if (exists) this.#files.open(null);
    } catch (thrown) {
      failure = thrown;
    }
    // What is known of the files is told also where they cannot be opened: it is saved as it was.
    this.#tell({ kind: "start", saved: saved.machine, hasFiles: exists });
    if (failure instanceof LoadStopped) this.stop();
    else if (failure !== null) this.#tell({ kind: "diskFailed", error: explained(failure) });
    else this.#reports.snapshot();
  }

  // ---- what the supervisor says ----

  granted(request: number): void {
    this.#tell({ kind: "granted", request });
  }

  held(request: number, untilMs: number, limit: number): void {
    this.#tell({ kind: "held", request, untilMs, limit });
  }

  vouched(link: number, lives: boolean): void {
    this.#guarded(() => this.#connections.vouch(link, lives));
  }

  /** Asks for a scan that begins after this (compare by the running follower). */
  rescan(): void {
    this.#tell({ kind: "rescan" });
  }

  /** Its files are not what they were: it ends as after a failed disk. */
  failed(error: ArmdbError): void {
    this.#tell({ kind: "diskFailed", error: toPlainError(error) });
  }

  /** Ends in good order: no more frames, everything applied is written and durable, the shard closed clean. */
  stop(): void {
    this.#tell({ kind: "stop" });
  }

  // ---- the machine ----

  /** Takes an input; one that arises while another is performed comes after it. */
  #tell(told: Told): void {
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
        return this.#host.ask(action.request, action.protocol);
      case "drop":
        return this.#host.drop(action.request);
      case "tell":
        return this.#host.tell(action.request, action.what);
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
        return this.#files.judge(action.link);
      case "acceptLeader":
        return this.#files.acceptLeader();
      case "report":
        return this.#reports.report(action.report);
      case "save":
        this.#reports.snapshot();
        return this.#host.save();
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

  #scheduleTick(): void {
    const { clock } = this.#tools;
    this.#tickDueMs = clock.nowMs() + TICK_MS;
    this.#tick = clock.after(TICK_MS, () => {
      const lateMs = clock.nowMs() - this.#tickDueMs;
      if (lateMs > LATE_MS) this.#tell({ kind: "heldUp", ms: lateMs });
      this.#connections.settleHealed();
      this.#reports.snapshot();
      if (this.#tick !== null) this.#scheduleTick();
    });
  }

  #end(error: PlainError | null): void {
    this.#wake?.cancel();
    this.#tick?.cancel();
    this.#tick = null;
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
