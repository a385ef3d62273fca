// Who owns the files we create (cli.md: Files of ours in DIR). A new directory is 0700 and its files 0600; in an
// existing one new files take owner, group and mode of db.meta, and where that can't be, we refuse.

import { join } from "node:path";
import { ArmdbError } from "../errors.ts";
import { DB_META_FILE } from "../format/db-meta.ts";
import type { Disk } from "../io/disk.ts";

export const NEW_DIRECTORY_MODE = 0o700;
export const NEW_FILE_MODE = 0o600;

/** `uid` null: the process's own owner is right already. */
export type NewFileOwner =
  | { readonly uid: null; readonly mode: number }
  | { readonly uid: number; readonly gid: number; readonly mode: number };

export const OWN_NEW_FILES: NewFileOwner = { uid: null, mode: NEW_FILE_MODE };

/** Owner and mode for new files beside an existing db.meta; throws `storage` where this process cannot give them. */
export function ownerLikeDatabase(disk: Disk, dir: string): NewFileOwner {
  const facts = disk.facts(join(dir, DB_META_FILE));
  if (facts === null) return OWN_NEW_FILES;
  const uid = process.geteuid?.() ?? facts.uid;
  const gid = process.getegid?.() ?? facts.gid;
  // Only the plain bits: a set-uid bit is nothing to copy.
  const mode = facts.mode & 0o666;
  if (uid === facts.uid && gid === facts.gid) return { uid: null, mode };
  if (uid === 0) return { uid: facts.uid, gid: facts.gid, mode };
  throw new ArmdbError(
    "storage",
    `Cannot write "${dir}" as user ${uid}: its files belong to user ${facts.uid}, group ${facts.gid}`,
    { path: dir, hint: `sudo -u '#${facts.uid}' armdb ...` },
  );
}

/** Directory mode that goes with a file mode: whoever may read files may also enter. */
export function directoryModeFor(fileMode: number): number {
  return fileMode | ((fileMode & 0o444) >> 2);
}
