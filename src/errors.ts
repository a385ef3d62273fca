// Errors for people. Every failure that reaches an operator is an ArmdbError: what happened, where, why,
// and the next command to try. Each code has one exit status (cli.md: Exit codes).

/** Why a command failed, in the words that `--json` prints and that fix the exit status. */
export type ErrorCode =
  | "unexpected"
  | "usage"
  | "damaged"
  | "differs"
  | "incomplete"
  | "unknown"
  | "no-database"
  | "locked"
  | "leader-unreachable"
  | "incompatible"
  | "no-space"
  | "storage";

/** Exit status of each error code (cli.md: Exit codes). 0, 130 and 143 are not errors. */
export const EXIT_STATUS: Readonly<Record<ErrorCode, number>> = {
  unexpected: 1,
  usage: 2,
  damaged: 3,
  differs: 4,
  incomplete: 4,
  unknown: 5,
  "no-database": 10,
  locked: 11,
  "leader-unreachable": 12,
  incompatible: 13,
  "no-space": 14,
  storage: 15,
};

/** What an ArmdbError carries besides its message. */
export interface ErrorDetails {
  /** The next command or step, without the word `Try:`. */
  readonly hint?: string;
  /** File, shard, slot, byte offset: whatever is known of the place. */
  readonly path?: string;
  readonly shard?: number;
  readonly slot?: number;
  readonly offset?: number;
  readonly cause?: unknown;
}

/** A failure that is explained to the operator; never a bug of ours (see `assert`). */
export class ArmdbError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ArmdbError";
    this.code = code;
    this.details = details;
  }

  get exitStatus(): number {
    return EXIT_STATUS[this.code];
  }
}

/** A broken assumption of our own. Never caught on purpose: it ends the thread with its stack. */
export class Bug extends Error {
  constructor(message: string) {
    super(`bug in armdb: ${message}`);
    this.name = "Bug";
  }
}

/** Throws `Bug` unless the condition holds. For our own mistakes, never for input. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Bug(message);
}

/** The default arm of an exhaustive switch. */
export function unreachable(value: never): never {
  throw new Bug(`unreachable value ${JSON.stringify(value)}`);
}

/** A form of an ArmdbError that survives `postMessage` (Bun drops own fields of errors there). */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
  readonly path?: string;
}

/** Flattens any thrown value for another thread; what is not an ArmdbError becomes `unexpected`. */
export function toPlainError(thrown: unknown): PlainError {
  if (thrown instanceof ArmdbError) {
    const { hint, path } = thrown.details;
    return {
      code: thrown.code,
      message: thrown.message,
      ...(hint === undefined ? {} : { hint }),
      ...(path === undefined ? {} : { path }),
    };
  }
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return { code: "unexpected", message };
}

/** The inverse of `toPlainError`. */
export function fromPlainError(plain: PlainError): ArmdbError {
  const { code, message, ...details } = plain;
  return new ArmdbError(code, message, details);
}
