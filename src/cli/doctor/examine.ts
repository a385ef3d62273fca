// All of doctor's checks in their order. Used by `armdb doctor` and by the set-up wizard. Writes nothing.

import { formatAddress } from "../../io/address.ts";
import type { Clock } from "../../io/clock.ts";
import type { Disk } from "../../io/disk.ts";
import type { Net } from "../../io/net.ts";
import { lockHolder, type ProcessTable, systemTable, writersOf } from "../../store/holders.ts";
import { type Check, warn } from "./check.ts";
import {
  type Content,
  checkConnections,
  checkContent,
  checkCursorTime,
  checkHolders,
  checkLeaderBefore,
  growthBytesOf,
  lookInside,
  shardsOf,
} from "./content-checks.ts";
import { leaderAddress, leaderChecks } from "./leader-checks.ts";
import { findPlace, placeChecks } from "./place-checks.ts";
import { checkSystemCalls, processChecks } from "./process-checks.ts";
import { type SystemFacts, systemFacts } from "./system.ts";

/** What is examined, and with what. */
export interface Examination {
  /** Null: no leader is asked. */
  readonly leader: string | null;
  /** Null: no directory is looked at. */
  readonly data: string | null;
  readonly disk: Disk;
  readonly net: Net;
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly system?: SystemFacts;
  readonly processes?: ProcessTable;
}

/** Runs every check that applies. Throws only for a LEADER that is no address, or when it is stopped. */
export async function examine(examination: Examination): Promise<Check[]> {
  const { leader, data, disk, net, clock, stop } = examination;
  const system = examination.system ?? systemFacts;
  const address = leader === null ? null : leaderAddress(leader);
  const name = address === null ? null : formatAddress(address);
  const local =
    data === null ? processChecks(system, null) : directoryChecks(examination, data, name);
  if (address === null) return local;
  return [...(await leaderChecks(net, clock, address, stop)), ...local];
}

function directoryChecks(examination: Examination, data: string, leader: string | null): Check[] {
  const { disk, clock } = examination;
  const system = examination.system ?? systemFacts;
  const processes = examination.processes ?? systemTable;
  const place = findPlace(disk, data);
  const isDirectory = place.facts === null || place.facts.kind === "directory";
  const canRead = checkSystemCalls(system).result === "ok";
  const content: Content | null = canRead && isDirectory ? lookInside(disk, place.path) : null;
  const checks = [
    ...processChecks(system, content === null ? null : shardsOf(content)),
    ...placeChecks(system, place, content === null ? 0 : growthBytesOf(content)),
  ];
  if (content === null) {
    if (isDirectory) {
      checks.push(
        warn("contents", "not looked at: files cannot be read without system calls", "see above"),
      );
    }
    return checks;
  }
  checks.push(checkContent(content), ...checkLeaderBefore(content, leader));
  checks.push(...checkConnections(content, leader, clock));
  checks.push(...checkCursorTime(content, system.wallMs()));
  if (place.exists) {
    const holder = lockHolder(place.path, processes);
    checks.push(...checkHolders(holder, writersOf(place.path, processes)));
  }
  return checks;
}
