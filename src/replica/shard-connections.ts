// The connections of one shard: makes, scans over and closes those that its machine asks for, and tells it what is heard of them. Used
// by shard-follower.ts. Decides nothing.

import { type ArmdbError, toPlainError } from "../errors.ts";
import type { Clock } from "../io/clock.ts";
import type { Net } from "../io/net.ts";
import type { ScanEnd } from "../link/scan-types.ts";
import type { ShardInfo } from "../wire/messages.ts";
import { acksAhead } from "./acks-ahead.ts";
import type { AppliedBatch } from "./apply/batch-applier.ts";
import { Connection } from "./connection.ts";
import type { ConnectionOwner } from "./connection-types.ts";
import type { FollowerSettings } from "./follower-types.ts";
import type { FollowerReports } from "./follower-reports.ts";
import { HealedWatch } from "./apply/healed-watch.ts";
import type { Action } from "./machine/actions.ts";
import type { ConnectionEnd, Told } from "./machine/inputs.ts";
import type { ScanLook, ScanObserver } from "./compare/scan-observer.ts";
import type { ShardFiles } from "./shard-files.ts";
import type { ShardMessage } from "./shard-messages.ts";

export interface ShardConnectionsOptions {
  readonly settings: FollowerSettings;
  send(message: ShardMessage): void;
  readonly net: Net;
  readonly clock: Clock;
  readonly observer: ScanObserver;
  readonly reports: FollowerReports;
  readonly files: ShardFiles;
  /** Something came that is to be shown. */
  moved(): void;
  /** Whether anything may still be written: not after the disk failed. */
  mayWrite(): boolean;
  tell(told: Told): void;
}

export class ShardConnections implements ConnectionOwner<Connection> {
  readonly #options: ShardConnectionsOptions;
  readonly #open = new Map<number, Connection>();
  readonly #healed = new HealedWatch();
  /** Who looks at the scan of a connection, until it was judged or broke. */
  readonly #looks = new Map<number, ScanLook>();

  constructor(options: ShardConnectionsOptions) {
    this.#options = options;
  }

  /** The last slot of the scan under way, null without one. */
  get slotLast(): number | null {
    for (const { kind, isWhole, slotLast } of this.#open.values()) {
      if (kind !== null && !isWhole) return slotLast;
    }
    return null;
  }

  /** Slots that a scan beside the stream wrote, and that the stream has not brought since. True while some still wait. */
  settleHealed(): boolean {
    const { reports, clock } = this.#options;
    reports.counts.healed += this.#healed.settle(clock.nowMs());
    reports.healing(this.#healed.waiting);
    return this.#healed.waiting > 0;
  }

  // ---- what the machine asks for ----

  dial({ link, role, protocol, windowAcks }: Extract<Action, { kind: "dial" }>): void {
    const { settings, net, clock, files, reports } = this.#options;
    const { host, port, shard, sync, limitRateBytes } = settings;
    const linkOptions = {
      ...{ host, port, shard, protocol },
      windowFor: (shards: number) => acksAhead({ sync, windowAcks, limitRateBytes }, shards),
      isEmpty: role === "main" && files.isEmpty,
    };
    const connection = new Connection(
      {
        ...{ net, clock, link: linkOptions, role, number: link },
        // Of a new directory only ShardInfo says how many share the limit.
        limits: () => ({
          waitForSync: sync === "batch",
          limitRateBytes: limitRateBytes === null ? null : limitRateBytes / files.shardCount,
        }),
        body: () => files.body,
        firstIsSound: () => files.firstIsSound(),
      },
      this,
    );
    this.#open.set(link, connection);
    reports.dialed(connection);
    // Before the leader can read its first slot: what the stream brings from here on may be newer than what the scan shows.
    if (role === "beside") files.need().judge.begin(link);
    connection.start();
  }

  close(link: number): void {
    const connection = this.#open.get(link);
    if (connection === undefined) return;
    connection.close();
    this.#gone(connection, "the connection was closed");
  }

  probe(link: number): void {
    this.#open.get(link)?.probe();
  }

  expect(link: number, heartbeats: boolean): void {
    const connection = this.#open.get(link);
    if (connection !== undefined) connection.link.expectsHeartbeats = heartbeats;
  }

  /** Judge and observer begin; what was held is taken. */
  scan({ link, scan: kind }: Extract<Action, { kind: "scan" }>): void {
    const connection = this.#open.get(link);
    if (connection === undefined) return;
    const { files, reports, observer } = this.#options;
    const body = files.need();
    const isMain = connection.role === "main";
    if (isMain) body.judge.begin(link);
    reports.scanBegan(connection);
    const look = observer.scanBegan(link, body, kind);
    if (look !== null) this.#looks.set(link, look);
    connection.beginScan(kind, isMain && look === null ? "scan" : "compare");
  }

  /** The scan of this connection counts as whole. */
  endLook(link: number): void {
    this.#looks.get(link)?.whole();
    this.#looks.delete(link);
  }

  vouch(link: number, lives: boolean): void {
    this.#open.get(link)?.vouch(lives);
  }

  /** Nothing more is heard of it: what is written by now counts. */
  #gone(connection: Connection, reason: string): void {
    if (!this.#open.delete(connection.number)) return;
    const { files, reports, observer, mayWrite } = this.#options;
    reports.gone(connection);
    if (files.body !== null && mayWrite()) {
      files.body.intake.writePending();
      files.body.durability.wrote();
    }
    if (!connection.isWhole) {
      this.#looks.get(connection.number)?.broke(reason);
      this.#looks.delete(connection.number);
    } else if (connection.role === "main") observer.streamEnded();
  }

  // ---- what is heard ----

  opened({ number: link }: Connection): void {
    this.#options.tell({ kind: "opened", link });
  }

  shardInfo(from: Connection, info: ShardInfo): void {
    const { files, send, tell } = this.#options;
    const misfit = files.misfit(info);
    if (misfit === null) send({ kind: "learned", info, protocol: from.protocol });
    tell({ kind: "shardInfo", link: from.number, info, misfit });
  }

  scanApplied(from: Connection, batch: AppliedBatch): void {
    const { reports, files, clock } = this.#options;
    this.#looks.get(from.number)?.batch(batch);
    reports.scanApplied(from, batch, files.need().intake.resetsSaved);
    // Without a stream nothing else could have brought it: that is counted as rescanned.
    if (from.kind !== "beside") return;
    reports.counts.healed += this.#healed.took(batch.differences, clock.nowMs());
  }

  caughtUp({ number: link }: Connection): void {
    this.#options.tell({ kind: "caughtUp", link });
  }

  wantsWord({ number: link }: Connection): void {
    this.#options.send({ kind: "confirming", link });
  }

  whole(from: Connection, end: Extract<ScanEnd, { kind: "whole" }>): void {
    this.#options.reports.scanWhole(from, end);
    this.#options.tell({ kind: "whole", link: from.number });
  }

  live(from: Connection, payload: Uint8Array, full: boolean, batch: AppliedBatch): void {
    const { observer, reports, files, clock, tell } = this.#options;
    const { store, judge } = files.need();
    const { layout } = store;
    reports.heard(from, batch);
    const heldAtMs = full ? from.age.heldAtMs(clock.nowMs()) : null;
    observer.streamBatch(payload, from.protocol, batch.events);
    this.#healed.streamBrought(payload, layout, from.protocol);
    const hasStruck = judge.overwrote(payload, layout, from.protocol);
    this.#options.moved();
    tell({ kind: "batch", link: from.number, events: batch.events, full, heldAtMs });
    if (!hasStruck) return;
    reports.struck(judge);
    tell({ kind: "struck", diverged: judge.divergedCount });
  }

  heartbeat(from: Connection): void {
    this.#options.reports.heartbeat(from);
    this.#options.tell({ kind: "heartbeat", link: from.number });
  }

  chunkEnded(from: Connection): void {
    this.#options.reports.moved(from);
  }

  ended(from: Connection, end: ConnectionEnd): void {
    const reason = "reason" in end ? end.reason : end.kind === "leader-error" ? end.text : "closed";
    this.#gone(from, reason);
    const { send, tell } = this.#options;
    const isOurs = end.kind === "closed-here" && from.isWhole;
    const mayStop = end.kind !== "leader-error" && !isOurs;
    send({ kind: "gone", link: from.number, mayStop });
    tell({ kind: "ended", link: from.number, end });
  }

  failed(error: ArmdbError): void {
    this.#options.tell({ kind: "diskFailed", error: toPlainError(error) });
  }
}
