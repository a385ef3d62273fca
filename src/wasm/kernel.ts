// The WASM kernel: what scripts/build-wasm compiles to build/kernel.wasm. It has the two loops that visit every slot, one
// call a batch or a chunk. It imports its memory and allocates nothing; replica/wasm-memory.ts lays it out.

export { apply } from "./apply";
export { buildTables } from "./crc";
export { scan } from "./scan";
