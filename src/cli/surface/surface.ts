// What a command says things through: stdout for data, stderr for people. Interfaces only; imports nothing. Their real forms stand
// beside this file, tests pass in others.

/** Wraps text in colour where the stream shows colour, and returns it unchanged elsewhere. */
export interface Palette {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** stdout: data for scripts and people. Never throws: a closed pipe sets `closed`. */
export interface Output {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly palette: Palette;
  /** True after the reader went away (`| head`): long work may stop. */
  readonly closed: boolean;
  /** Lines of a terminal; 24 elsewhere. */
  readonly rows: number;
  /** Lines that are redrawn in place; only for a terminal. */
  drawing(): Drawing;
  /** Calls back when the reader goes away, in a command that runs on. */
  whenClosed(run: () => void): void;
  line(text: string): void;
  /** One JSON document (or NDJSON object) and a newline. bigint becomes a string. */
  json(document: unknown): void;
}

/** A few lines at the bottom of a terminal. */
export interface Drawing {
  /** Replaces the drawn lines by those that are made, now and whenever the terminal changes. None may be wider than it. */
  draw(make: () => readonly string[]): void;
  /** Removes the lines for good and gives the cursor back. Also right before the process ends. */
  end(): void;
}

/** A row of a screen of progress. All text is safe already. */
export interface ScreenRow {
  readonly label: string;
  readonly state: string;
  readonly colour: Exclude<keyof Palette, "bold">;
  /** 0 to 1; null: there is no bar, and the text stands in its place. */
  readonly share: number | null;
  readonly text: string;
  /** When not all rows fit, the lower ones are shown. */
  readonly rank: number;
}

export interface Screen {
  readonly title: string;
  /** What is said of the whole, the most important first: as many as fit. */
  readonly parts: readonly string[];
  readonly rows: readonly ScreenRow[];
}

/** What there is to tell of long work now; made only when it is told, in the form in which it is. */
export interface Told {
  /** Without colours. */
  line(): string;
  object(): unknown;
  screen(): Screen;
}

/** Where progress is told, and when: drawn ten times a second on a terminal, elsewhere as --progress says. */
export interface Telling {
  readonly isDrawn: boolean;
  /** Its times count from now. */
  begin(): void;
  /** Whether it is time; says so once for each time. */
  isDue(): boolean;
  tell(told: Told): void;
  /** Takes off what is drawn. */
  end(): void;
}

/** One row of a progress display. */
export interface ProgressRow {
  /** `shard 3` */
  readonly label: string;
  /** What is happening: `scanning`, `live`. */
  readonly state: string;
  readonly done: number;
  /** 0 when unknown. */
  readonly total: number;
  /** `slots`, `bytes`: bytes are shown as KiB, MiB. */
  readonly unit: "slots" | "bytes";
  /** What is read now, and how often in all: told to scripts only. */
  readonly part?: string;
  readonly parts?: number;
}

/** Rate and time left are worked out from successive updates. On a terminal redrawn in place, else a line per interval. */
export interface Progress {
  update(rows: readonly ProgressRow[]): void;
  /** Removes or finishes the display. */
  stop(): void;
}

/** stderr: everything for people, and `--json`'s error objects. */
export interface Messages {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly palette: Palette;
  /** Level debug needs `--verbose`; info is silent with `--quiet`. */
  debug(text: string): void;
  info(text: string): void;
  warn(text: string): void;
  error(text: string): void;
  progress(title: string): Progress;
  telling(): Telling;
  /** Only where both ends are a terminal and CI is not set; elsewhere null: the caller then demands `--yes`. */
  readonly confirm: ((question: string) => Promise<boolean>) | null;
}
