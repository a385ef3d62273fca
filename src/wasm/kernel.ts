// The WASM kernel: what scripts/build-wasm compiles to build/kernel.wasm. It has the loops that visit every slot, one call
// a batch or a chunk. It imports its memory and allocates nothing; its callers lay it out (format/wasm-kernel.ts).

import { buildTables } from "./crc";
import { prepareSecret } from "./xxh3";

export { apply } from "./apply";
export { deal, findDoubles, thin } from "./duplicates";
export { spanCrc, prepareSpans } from "./span-crc";
export { scan } from "./scan";
export { touch } from "./touch";

/** To be called once for each memory, before anything else. */
export function prepare(): void {
  buildTables();
  prepareSecret();
}
