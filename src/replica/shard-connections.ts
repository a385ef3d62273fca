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
import type { FollowerHost, FollowerSettings } from "./follower-types.ts";
import type { FollowerReports } from "./follower-reports.ts";
import { HealedWatch } from "./apply/healed-watch.ts";
import type { Action } from "./machine/actions.ts";
import type { ConnectionEnd, Told } from "./machine/inputs.ts";
import type { ScanObserver } from "./compare/scan-observer.ts";
import type { ShardFiles } from "./shard-files.ts";

export interface ShardConnectionsOptions {
  readonly settings: FollowerSettings;
  readonly host: FollowerHost;
  readonly net: Net;
  readonly clock: Clock;
  readonly observer: ScanObserver;
  readonly reports: FollowerReports;
  readonly files: ShardFiles;
  /** Whether anything may still be written: not after the disk failed. */
  mayWrite(): boolean;
  /** Whether the main connection carries the live stream now. */
  hasStream(): boolean;
  tell(told: Told): void;
}

export class ShardConnections implements ConnectionOwner<Connection> {
  readonly #options: ShardConnectionsOptions;
  readonly #open = new Map<number, Connection>();
  readonly #healed = new HealedWatch();

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

  /** Slots that a scan beside the stream wrote, and that the stream has not brought since. */
  settleHealed(): void {
    const { reports, clock } = this.#options;
    reports.counts.healed += this.#healed.settle(clock.nowMs());
    reports.healing(this.#healed.waiting);
  }

  // ---- what the machine asks for ----

  dial({ link, role, protocol, windowAcks }: Extract<Action, { kind: "dial" }>): void {
    const { settings, net, clock, files, reports } = this.#options;
    const { host, port, shard, sync, limitRateBytes } = settings;
    const limitBytes = limitRateBytes === null ? null : limitRateBytes / files.shardCount;
    const linkOptions = {
      ...{ host, port, shard, protocol },
      windowFor: (shards: number) => acksAhead({ sync, windowAcks, limitRateBytes }, shards),
      isEmpty: role === "main" && files.isEmpty,
    };
    const connection = new Connection(
      {
        ...{ net, clock, link: linkOptions, role, number: link },
        limits: { waitForSync: sync === "batch", limitRateBytes: limitBytes },
        body: () => files.body,
        firstIsSound: () => files.firstIsSound(),
      },
      this,
    );
    this.#open.set(link, connection);
    reports.dialed(connection);
    // Before the leader can read its first slot: what the stream brings from here on may be newer than what the scan shows.
    if (role === "beside") files.need().judge.begin();
    connection.start();
  }

  close(link: number): void {
    const connection = this.#open.get(link);
    if (connection === undefined) return;
    connection.close();
    this.#gone(connection, "the connection was closed");
  }

  probe(link: number): void {
    this.#open.get(link)?.link.sendHeartbeat();
  }

  expect(link: number, heartbeats: boolean): void {
    const connection = this.#open.get(link);
    if (connection !== undefined) connection.link.expectsHeartbeats = heartbeats;
  }

  /** Judge and observer begin; what was held is taken. */
  scan({ link, scan: kind }: Extract<Action, { kind: "scan" }>): void {
    const connection = this.#open.get(link);
    if (connection === undefined) return;
    const { files, reports, observer, hasStream } = this.#options;
    const body = files.need();
    const isBeside = connection.role === "beside";
    if (isBeside) body.intake.writePending();
    else body.judge.begin();
    reports.scanBegan(connection);
    observer.scanBegan({ body, kind, hasStream: isBeside && hasStream() });
    connection.beginScan(kind);
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
    observer.scanBroke(reason);
    if (connection.role === "main" && connection.isWhole) observer.streamEnded();
  }

  // ---- what is heard ----

  opened({ number: link }: Connection): void {
    this.#options.tell({ kind: "opened", link });
  }

  shardInfo(from: Connection, info: ShardInfo): void {
    const { files, host, tell } = this.#options;
    const misfit = files.misfit(info);
    if (misfit === null) host.learned(info, from.protocol);
    tell({ kind: "shardInfo", link: from.number, info, misfit });
  }

  scanBatch(from: Connection, payload: Uint8Array): void {
    this.#options.observer.scanBatch(payload, from.protocol);
  }

  scanApplied(from: Connection, batch: AppliedBatch): void {
    const { observer, reports, files, clock } = this.#options;
    const { intake, durability } = files.need();
    observer.scanBatchApplied();
    reports.scanApplied(from, batch, intake.resetsSaved);
    if (from.role !== "beside" || batch.taken === 0) return;
    const nowMs = clock.nowMs();
    intake.writePending((slot, slots) => {
      // Without a stream nothing else could have brought it: that is counted as rescanned.
      if (from.kind === "beside") reports.counts.healed += this.#healed.wrote(slot, slots, nowMs);
    });
    durability.wrote();
  }

  caughtUp({ number: link }: Connection): void {
    this.#options.tell({ kind: "caughtUp", link });
  }

  wantsWord({ number: link }: Connection): void {
    this.#options.host.confirming(link);
  }

  whole(from: Connection, end: Extract<ScanEnd, { kind: "whole" }>): void {
    this.#options.reports.scanWhole(from, end);
    this.#options.tell({ kind: "whole", link: from.number });
  }

  live(from: Connection, payload: Uint8Array, full: boolean, batch: AppliedBatch): void {
    const { observer, reports, files, tell } = this.#options;
    const { layout } = files.need().store;
    reports.heard(from, batch);
    observer.streamBatch(payload, from.protocol, batch.events);
    this.#healed.streamBrought(payload, layout, from.protocol);
    const left = files.divergence?.afterLive(payload, layout, from.protocol) ?? null;
    tell({ kind: "batch", link: from.number, events: batch.events, full });
    if (left !== null) tell({ kind: "struck", diverged: left });
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
    this.#options.tell({ kind: "ended", link: from.number, end });
  }

  failed(error: ArmdbError): void {
    this.#options.tell({ kind: "diskFailed", error: toPlainError(error) });
  }
}
