// A small program that kernel.test.ts compiles as scripts/build compiles the product: says what the applier came to on the
// main thread and on another. Its thread is an entry of its own in a directory of its own, as the product's are.

import { Worker } from "node:worker_threads";
import { tryApplier } from "./try-applier.ts";

const url = import.meta.url.includes("$bunfs")
  ? new URL("file:///$bunfs/root/replica/thread.ts")
  : new URL("./replica/thread.ts", import.meta.url);
const thread = new Worker(url);
thread.on("message", (text: string) => {
  process.stdout.write(`main ${tryApplier()}, thread ${text}\n`);
});
