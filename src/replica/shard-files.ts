// The files of one shard as its follower has them: opened, or made once the first frame has proved sound, judged after a scan,
// closed. Used by shard-follower.ts and shard-connections.ts. Throws what the disk says; decides nothing.

import { ArmdbError, type PlainError, toPlainError } from "../errors.ts";
import { layoutOf } from "../store/geometry.ts";
import { LoadStopped } from "../store/load-slots.ts";
import type { ShardInfo } from "../wire/messages.ts";
import type { FollowerSettings, OwnWork } from "./follower-types.ts";
import type { FollowerReports } from "./follower-reports.ts";
import type { Told } from "./machine/inputs.ts";
import { geometryTrouble } from "./misfit.ts";
import { LEFT_AS_FOUND, ShardBody, type ShardBodyTools } from "./shard-body.ts";
import type { ShardMessage } from "./shard-messages.ts";

export interface ShardFilesOptions {
  readonly settings: FollowerSettings;
  send(message: ShardMessage): void;
  readonly tools: ShardBodyTools;
  readonly reports: FollowerReports;
  /** For texts. */
  readonly leader: string;
  tell(told: Told): void;
  /** As `tell`, before all that waits. */
  tellNext(told: Told): void;
}

export class ShardFiles {
  readonly #options: ShardFilesOptions;
  body: ShardBody | null = null;
  #shardInfo: ShardInfo | null = null;
  /** To be made once the first frame has proved sound. */
  #toMake: ShardInfo | null = null;
  /** To be made once what all shards share is there. */
  #making: ShardInfo | null = null;
  /** Of files that were not loaded. */
  #unloaded: string | null = null;
  /** Under way, and no leader's to wait for. */
  work: OwnWork | null = null;

  constructor(options: ShardFilesOptions) {
    this.#options = options;
  }

  get shardCount(): number {
    return this.#options.settings.geometry?.shardCount ?? this.#shardInfo?.shardCount ?? 1;
  }

  /** Once it is closed without an error: why its files are not clean; null: they are. */
  get unclean(): string | null {
    return this.body?.unclean ?? this.#unloaded;
  }

  /** No slot here is occupied: a leader need not send deleted ones. */
  get isEmpty(): boolean {
    return this.body === null || this.body.store.table.occupied === 0;
  }

  need(): ShardBody {
    if (this.body === null) throw new ArmdbError("unexpected", "a shard without files");
    return this.body;
  }

  /** Why this ShardInfo is another database's, or null. In a directory that this run makes, the first one is what it is made by. */
  misfit(info: ShardInfo): PlainError | null {
    const { settings, leader } = this.#options;
    const known = settings.geometry ?? this.#shardInfo;
    const misfit = geometryTrouble(settings.dir, leader, known, info);
    if (misfit === null) this.#shardInfo = info;
    return misfit;
  }

  /** Opens what is there, or makes it with so many slots. */
  open(newSlotCount: number | null): void {
    const { settings, send, tools, reports, tell } = this.#options;
    const layout = layoutOf(settings.geometry ?? (this.#shardInfo as ShardInfo));
    const told = {
      failed: (error: PlainError) => tell({ kind: "diskFailed", error }),
      warn: (text: string) => reports.log("warn", text),
    };
    if (newSlotCount === null) {
      this.work = "reading its own slots";
      reports.reading(this.work);
    }
    let body: ShardBody;
    try {
      body = new ShardBody(settings, layout, newSlotCount, tools, told);
    } catch (thrown) {
      if (thrown instanceof LoadStopped && !thrown.isClean) this.#unloaded = LEFT_AS_FOUND;
      throw thrown;
    } finally {
      this.work = null;
    }
    this.body = body;
    body.judge.remember(settings.saved.diverged, settings.saved.machine.diverged);
    if (newSlotCount !== null) body.markWorthClosing();
    reports.opened(body, newSlotCount !== null);
    send({ kind: "holds", held: body.store.held });
  }

  // ---- what the machine asks for ----

  make(info: ShardInfo): void {
    this.#toMake = info;
  }

  firstIsSound(): void {
    const info = this.#toMake;
    this.#toMake = null;
    if (info === null) return;
    this.#making = info;
    this.work = "creating its files";
    this.#options.reports.snapshot();
    this.#options.send({ kind: "prepare", info });
  }

  /** What all shards share is made, or is not. */
  prepared(error: PlainError | null): void {
    const slotCount = this.#making?.slotCount ?? null;
    this.#making = null;
    if (slotCount === null) return;
    let failure = error;
    if (failure !== null) this.work = null;
    try {
      if (failure === null) this.open(slotCount);
    } catch (thrown) {
      if (!(thrown instanceof ArmdbError)) throw thrown;
      failure = toPlainError(thrown);
    }
    this.#options.tell({ kind: "filesMade", error: failure });
  }

  /** The shard is over: files that nothing sound came for are not made any more. */
  over(): void {
    if (this.#toMake === null) return;
    this.#toMake = null;
    this.#options.tell({ kind: "filesMade", error: null });
  }

  close(): void {
    const closed = (error: PlainError | null) => this.#options.tell({ kind: "filesClosed", error });
    if (this.body === null) closed(null);
    else this.body.close(closed);
  }

  abandon(): void {
    this.body?.abandon();
    this.#options.tell({ kind: "filesClosed", error: null });
  }

  sync(link: number): void {
    const { tell } = this.#options;
    this.need().durability.whenDurable(() => tell({ kind: "durable", link }));
  }

  /** A scan was whole: what the leader does not have is cleared where it cannot be trusted, and what differs is told. */
  judge(link: number): void {
    const { reports, tellNext } = this.#options;
    const body = this.need();
    const { judge, store, intake } = body;
    let cleared = 0;
    const suspects = judge.finish(link, (slot) => {
      store.clearSlot(slot);
      cleared++;
    });
    if (body.doubtsVersions || cleared > 0) intake.recountVersions();
    body.doubtsVersions = false;
    body.markWorthClosing();
    body.durability.wrote();
    reports.judged(judge);
    // Nothing comes between a scan and its judgement.
    tellNext({ kind: "judged", link, suspects, diverged: judge.divergedCount });
  }

  /** --accept-leader: what is listed as lost is saved and no longer trusted, so that the next scan decides. */
  acceptLeader(): void {
    const body = this.need();
    const slots = body.judge.divergedSlots;
    body.intake.save(slots, "accept-leader");
    body.judge.distrust(slots);
    body.doubtsVersions = true;
    this.#options.reports.accepted(slots.length);
  }
}
