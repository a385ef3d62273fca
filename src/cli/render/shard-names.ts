// Shards by their numbers, in few words.

/** Ranges that are named; of the other shards there is the number. */
const RANGES_MAX = 4;

/** `shard 3`, `shards 0 to 254`, `shards 1, 3 and 7 to 9`, `shards 0, 2, 4, 6 and 120 more`. */
export function shardNames(shards: Iterable<number>): string {
  const sorted = [...new Set(shards)].sort((left, right) => left - right);
  const ranges: { first: number; last: number }[] = [];
  for (const shard of sorted) {
    const range = ranges.at(-1);
    if (range !== undefined && range.last === shard - 1) range.last = shard;
    else ranges.push({ first: shard, last: shard });
  }
  const named = ranges.slice(0, ranges.length > RANGES_MAX + 1 ? RANGES_MAX : RANGES_MAX + 1);
  const words = named.flatMap(({ first, last }) =>
    last - first < 2
      ? first === last
        ? [`${first}`]
        : [`${first}`, `${last}`]
      : [`${first} to ${last}`],
  );
  const left = sorted.length - named.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  if (left > 0) words.push(`${left} more`);
  const head = words.slice(0, -1).join(", ");
  const text = head === "" ? (words[0] ?? "") : `${head} and ${words.at(-1)}`;
  return `${sorted.length === 1 ? "shard" : "shards"} ${text}`;
}
