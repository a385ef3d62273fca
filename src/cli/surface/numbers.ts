// Numbers as people read them. Used by tables, progress and messages; never in JSON.

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `12,345,678`. */
export function formatCount(count: number | bigint): string {
  return count.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}

/** `512 B`, `1.5 KiB`, `20 GiB`. */
export function formatBytes(bytes: number | bigint): string {
  let rest = Number(bytes);
  let unit = 0;
  while (rest >= 1023.95 && unit < BINARY_UNITS.length - 1) {
    rest /= 1024;
    unit += 1;
  }
  return `${trim(rest, unit)} ${BINARY_UNITS[unit] ?? ""}`;
}

/** `950`, `1.2 k`, `3.4 M`: a number where only the size matters, as in rates. */
export function formatRough(count: number): string {
  if (count < 999.5) return Math.round(count).toString();
  if (count < 999_950) return `${trim(count / 1e3, 1)} k`;
  if (count < 999_950_000) return `${trim(count / 1e6, 1)} M`;
  return `${trim(count / 1e9, 1)} G`;
}

function trim(number: number, unit: number): string {
  if (unit === 0) return Math.round(number).toString();
  const text = number < 99.95 ? number.toFixed(1) : number.toFixed(0);
  return text.replace(/\.0$/, "");
}

/** `0 ms`, `350 ms`, `4.2 s`, `3 m 05 s`, `2 h 10 m`, `5 d 03 h`. */
export function formatDuration(durationMs: number): string {
  if (!Number.isFinite(durationMs)) return "never";
  if (durationMs < 999.5) return `${Math.max(0, Math.round(durationMs))} ms`;
  if (durationMs < 59_950) return `${trim(durationMs / 1000, 1)} s`;
  const seconds = Math.round(durationMs / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} m ${pad(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${pad(minutes % 60)} m`;
  return `${Math.floor(hours / 24)} d ${pad(hours % 24)} h`;
}

function pad(number: number): string {
  return number.toString().padStart(2, "0");
}

/** `45 %`; never 100 % before the end. */
export function formatShare(done: number, total: number): string {
  if (total <= 0) return "";
  return `${done >= total ? 100 : Math.min(99, Math.floor((done / total) * 100))} %`;
}

/** `1 shard`, `3 shards`. */
export function formatCounted(count: number | bigint, singular: string, plural = `${singular}s`) {
  return `${formatCount(count)} ${BigInt(count) === 1n ? singular : plural}`;
}

/** `2027-01-31 12:00:05 UTC` of unix ms. */
export function formatTime(unixMs: number): string {
  if (!Number.isFinite(unixMs) || Math.abs(unixMs) > 8.64e15) return "an impossible time";
  return `${new Date(unixMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `2027-01-31T12:00:05Z` of unix ms: how a line of a log begins. */
export function formatStamp(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}
