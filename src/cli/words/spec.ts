// The language of the tables: what a row says of a command, its arguments and its options. Parser, help, completion, man page
// and the README's reference are made of such rows. Types only; imports nothing.

/** How the value of an option is written and checked (cli.md: opening lines). */
export type OptionKind =
  | "flag"
  | "text"
  | "integer"
  /** `64KiB`, `10MB`: bytes. */
  | "size"
  /** A size a second, or `off`. */
  | "rate"
  /** `500ms`, `5s`, `10m`, `1h`, or `off` where `offAllowed`. */
  | "duration"
  | "choice"
  /** `A..B`, slots. */
  | "range";

export interface OptionSpec {
  /** Without the dashes: `leader-connections`. */
  readonly name: string;
  readonly short?: string;
  readonly kind: OptionKind;
  /** Placeholder of the value in help: `DIR`, `HOST:PORT`. Absent for flags. */
  readonly value?: string;
  readonly summary: string;
  /** As the user would write it. */
  readonly default?: string;
  readonly choices?: readonly string[];
  readonly offAllowed?: boolean;
  readonly repeatable?: boolean;
  /** Only on the command line, never from environment or file (cli.md: Common options). */
  readonly commandLineOnly?: boolean;
  /** What a shell completes for the value. */
  readonly complete?: "directory" | "file";
}

export interface ArgumentSpec {
  /** `DIR`, `LEADER`, `SHARD`. */
  readonly name: string;
  readonly required: boolean;
  readonly summary: string;
  readonly complete?: "directory" | "file";
  /** The only words that are accepted. */
  readonly choices?: readonly string[];
}

export interface Example {
  readonly command: string;
  readonly explains: string;
}

export interface CommandSpec {
  /** `replicate`, `inspect shard`. */
  readonly name: string;
  readonly summary: string;
  /** A short paragraph or two for help and man page. */
  readonly description: string;
  readonly arguments: readonly ArgumentSpec[];
  /** Besides the common options. */
  readonly options: readonly OptionSpec[];
  /** Two to four, one of them with `--json | jq`. */
  readonly examples: readonly Example[];
  /** It runs until it is stopped, always or with this flag: then no word of it waits for a reader. */
  readonly runsOn?: "always" | { readonly flag: string };
  /** Exit status and when. */
  readonly exits: readonly (readonly [number, string])[];
  /** What to run next. */
  readonly next: readonly string[];
}
