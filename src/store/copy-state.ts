// Whether a directory is a whole copy of its leader, as armdb.state.json says. Used by serve, by the audit and by status. Opens for
// reading only, and gets through whatever lies there: what the file does not say is null, never true.

import { join } from "node:path";
import { parseAddress } from "../io/address.ts";
import { type Disk, DiskError, type FileFacts } from "../io/disk.ts";
import { type FollowerState, readState, STATE_FILE } from "./state-file.ts";

export interface CopyState {
  /** The leader it is a copy of, in a form that is safe as a word of a command; null: not known. */
  readonly leader: string | null;
  /** By shard: true once a whole scan of it was durable, false until then, null where nobody says. */
  readonly shards: readonly (boolean | null)[];
  /** False when any shard says false, true when all say true. */
  readonly complete: boolean | null;
  readonly fault: CopyFault | null;
}

/** Why a state file that is there tells nothing. */
export type CopyFault =
  | { readonly kind: "not-understood"; readonly why: string }
  | { readonly kind: "not-read"; readonly errno: string };

/** Nothing in it means anything to a shell but for the brackets around an IPv6 host. */
const PLAIN_ADDRESS = /^[\w.:%[\]-]+$/;

/** Reads the state file of a database with so many shards. */
export function readCopyState(disk: Disk, dir: string, shardCount: number): CopyState {
  try {
    const facts = disk.facts(join(dir, STATE_FILE));
    if (facts === null) return copyOf(null, shardCount);
    if (facts.kind !== "file") return withFault(shardCount, notUnderstood(wordFor(facts)));
    const state = readState(disk, dir);
    if (state !== null) return copyOf(state, shardCount);
    return withFault(shardCount, notUnderstood("is not the state of a follower"));
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown;
    return withFault(shardCount, { kind: "not-read", errno: thrown.errno });
  }
}

/** What a state says of the copy; `state` null: there is none. */
function copyOf(state: FollowerState | null, shardCount: number): CopyState {
  const shards = Array.from({ length: shardCount }, (_, shard) => completeOf(state, shard));
  return { leader: leaderOf(state), shards, complete: completeOfAll(shards), fault: null };
}

/** What all shards together are. */
export function completeOfAll(shards: readonly (boolean | null)[]): boolean | null {
  if (shards.includes(false)) return false;
  return shards.length > 0 && !shards.includes(null) ? true : null;
}

function completeOf(state: FollowerState | null, shard: number): boolean | null {
  if (state === null) return null;
  const said = state.shards.filter((entry) => entry.shard === shard);
  const complete = completeOfAll(said.map((entry) => entry.complete));
  // A follower that is killed while it makes the files has not noted that yet.
  return complete ?? (state.created ? null : false);
}

function leaderOf(state: FollowerState | null): string | null {
  if (state === null || !PLAIN_ADDRESS.test(state.leader)) return null;
  return parseAddress(state.leader) === null ? null : state.leader;
}

function withFault(shardCount: number, fault: CopyFault): CopyState {
  return { ...copyOf(null, shardCount), fault };
}

function notUnderstood(why: string): CopyFault {
  return { kind: "not-understood", why };
}

function wordFor({ kind }: FileFacts): string {
  if (kind === "symlink") return "is a symbolic link, which is not followed";
  return kind === "directory" ? "is a directory" : "is a device, socket or pipe";
}
