// A process that holds something of a database directory until its stdin ends: `exclusive` or `shared` its lock, `writing`
// or `reading` a shard's file. Says `ready` when it does. Started by the tests of locks and of serve.

import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { realDisk } from "../../src/io/real-disk.ts";
import { takeLock } from "../../src/store/lock.ts";

const [mode = "", dir = ""] = process.argv.slice(2);

function hold(): () => void {
  if (mode === "exclusive" || mode === "shared") {
    const lock = takeLock(realDisk, dir, mode);
    return () => lock.release();
  }
  const path = join(dir, "shard_000/fixed.data");
  const fd = openSync(path, mode === "writing" ? "r+" : "r");
  return () => closeSync(fd);
}

const release = hold();
console.log("ready");
await new Response(Bun.stdin.stream()).text();
release();
