// A unit of systemd with its drop-ins, as far as the units of this project use the format. Pure.

const READY_LIMIT_MS = 90_000;
const STOP_LIMIT_MS = 90_000;
const RESTART_MS = 100;
const UNITS_MS: Readonly<Record<string, number>> = { "": 1000, s: 1000, ms: 1, min: 60_000 };

/** What a service manager does with a unit. */
export interface Unit {
  readonly words: readonly string[];
  readonly user: string;
  /** It says itself when it is ready. */
  readonly notifies: boolean;
  readonly umask: string;
  readonly openFiles: string | null;
  /** Below /var/lib. */
  readonly stateDirectory: string | null;
  readonly stateMode: string;
  readonly restarts: boolean;
  readonly restartMs: number;
  /** Exit statuses after which it is not restarted. */
  readonly finalStatuses: readonly number[];
  readonly readyLimitMs: number;
  readonly stopLimitMs: number;
  readonly isInstallable: boolean;
}

/** The unit's own text first, then its drop-ins in the order of their names. */
export function readUnit(texts: readonly string[]): Unit {
  const values = assignments(texts);
  const last = (key: string) => values.get(key)?.at(-1) ?? null;
  const [command, ...others] = values.get("Service.ExecStart") ?? [];
  if (command === undefined) throw new Error("Service has no ExecStart=");
  if (others.length > 0) throw new Error("Service has more than one ExecStart=");
  return {
    words: wordsOf(command),
    user: last("Service.User") ?? "root",
    notifies: last("Service.Type") === "notify",
    umask: last("Service.UMask") ?? "0022",
    openFiles: last("Service.LimitNOFILE"),
    stateDirectory: last("Service.StateDirectory"),
    stateMode: last("Service.StateDirectoryMode") ?? "0755",
    restarts: last("Service.Restart") === "on-failure",
    restartMs: durationMs(last("Service.RestartSec"), RESTART_MS),
    finalStatuses: (last("Service.RestartPreventExitStatus") ?? "").split(" ").map(Number),
    readyLimitMs: durationMs(last("Service.TimeoutStartSec"), READY_LIMIT_MS),
    stopLimitMs: durationMs(last("Service.TimeoutStopSec"), STOP_LIMIT_MS),
    isInstallable: values.has("Install.WantedBy"),
  };
}

/** `Section.Key` with its values in order; an empty one takes back those before it. */
function assignments(texts: readonly string[]): ReadonlyMap<string, string[]> {
  const values = new Map<string, string[]>();
  for (const text of texts) {
    let section = "";
    for (const line of text.split("\n").map((each) => each.trim())) {
      const [, name] = /^\[(\w+)\]$/.exec(line) ?? [];
      const [, key, value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined) section = name;
      else if (key === undefined && line !== "" && !line.startsWith("#"))
        throw new Error(`not understood: ${line}`);
      else if (key !== undefined)
        values.set(
          `${section}.${key}`,
          value === "" ? [] : [...(values.get(`${section}.${key}`) ?? []), value],
        );
    }
  }
  return values;
}

function wordsOf(command: string): string[] {
  const words = command.match(/"(\\.|[^"])*"|[^\s"]+/g) ?? [];
  return words.map((word) =>
    word
      .replace(/^"(.*)"$/, "$1")
      .replace(/\\(.)/g, "$1")
      .replaceAll("$$", "$")
      .replaceAll("%%", "%"),
  );
}

function durationMs(text: string | null, usualMs: number): number {
  if (text === null) return usualMs;
  if (text === "infinity") return Number.POSITIVE_INFINITY;
  const [, number, unit = ""] = /^(\d+)(ms|s|min)?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`not a duration: ${text}`);
  return Number(number) * (UNITS_MS[unit] ?? 1000);
}
