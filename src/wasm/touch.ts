// Makes pages of the table the process's own before they are read. Memory that was never written to is the system's one page
// of zeros; to give its reader a page of its own later means to interrupt every other core, once for each page: a catch-up of
// 8x64 over 2 shards takes 22 % longer. Pages that no slot of a scan falls into stay the system's.
//
//   invariant    no byte of the table at or past TABLE_TOUCHED was ever written to, so zeros change nothing there

import { GROUP_BYTES, TABLE_START, TABLE_TOUCHED } from "./cells";

const PAGE_BYTES: u32 = 4096;

/** To be called before an entry or a mark of this slot's group is written, when the group does not end before TABLE_TOUCHED. */
export function touch(slot: u32): void {
  const touched = load<u32>(TABLE_TOUCHED);
  const group = load<u32>(TABLE_START) + (slot >> 5) * GROUP_BYTES;
  const pagesStart = max<u32>(touched, group & ~(PAGE_BYTES - 1));
  const pagesEnd = (group + GROUP_BYTES + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
  if (pagesEnd <= touched) return;
  memory.fill(pagesStart, 0, pagesEnd - pagesStart);
  store<u32>(TABLE_TOUCHED, pagesEnd);
}
