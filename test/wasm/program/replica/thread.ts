// The thread of the program that kernel.test.ts compiles.

import { parentPort } from "node:worker_threads";
import { tryApplier } from "../try-applier.ts";

parentPort?.postMessage(tryApplier());
