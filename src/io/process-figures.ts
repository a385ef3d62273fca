// What this process has used, for /metrics. Used by cli/commands/follower-services.ts.

export interface ProcessFigures {
  /** Null: the system does not say. It is read from a file of /proc, for which there may be no descriptor left. */
  readonly residentBytes: number | null;
  readonly cpuSeconds: number;
}

export function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return { residentBytes: residentBytes(), cpuSeconds: (user + system) / 1e6 };
}

function residentBytes(): number | null {
  try {
    return process.memoryUsage.rss();
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === "SystemError") return null;
    throw thrown;
  }
}
