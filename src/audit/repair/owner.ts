// Owner and mode of the files that a repair creates (cli.md: Files of ours in DIR): those of db.meta, and where that is the
// file to be created, of a file beside it. Used by repair/repair.ts.

import { ArmdbError } from "../../errors.ts";
import type { Disk, FileFacts } from "../../io/disk.ts";
import { NEW_FILE_MODE, ownerLikeDatabase } from "../../store/ownership.ts";
import type { DatabaseDirectory } from "../look/database-look.ts";
import type { FileAttributes } from "./changes.ts";

/** Throws `storage` where this process cannot give its files the right owner. */
export function attributesLike(disk: Disk, directory: DatabaseDirectory): FileAttributes {
  if (directory.meta.facts?.kind === "file") {
    const owner = ownerLikeDatabase(disk, directory.path);
    return owner.uid === null ? { ...owner, gid: 0 } : owner;
  }
  const sibling = directory.shards.find((look) => look.data.facts?.kind === "file")?.data.facts;
  if (sibling === undefined || sibling === null) return { uid: null, gid: 0, mode: NEW_FILE_MODE };
  return likeFile(directory.path, sibling);
}

function likeFile(path: string, facts: FileFacts): FileAttributes {
  const uid = process.geteuid?.() ?? facts.uid;
  const gid = process.getegid?.() ?? facts.gid;
  const mode = facts.mode & 0o666;
  if (uid === facts.uid && gid === facts.gid) return { uid: null, gid: 0, mode };
  if (uid === 0) return { uid: facts.uid, gid: facts.gid, mode };
  throw new ArmdbError(
    "storage",
    `Cannot write "${path}" as user ${uid}: its files belong to user ${facts.uid}, group ${facts.gid}`,
    { path, hint: `sudo -u '#${facts.uid}' armdb repair ...` },
  );
}
