// The kinds of values in a status document, each as the question whether a value is one: a document comes from another process,
// which may be of another version, or no armdb at all. Types are made of them. Pure.

/** The value if it is one of this kind, else undefined. */
export type Kind<Value> = (value: unknown) => Value | undefined;

export type ValueOf<OneKind> = OneKind extends Kind<infer Value> ? Value : never;

const TEXT_CHARS_MAX = 2_000;

/** A number from `least` on. */
export function numberFrom(least: number): Kind<number> {
  return (value) =>
    typeof value === "number" && Number.isFinite(value) && value >= least ? value : undefined;
}

export const count: Kind<number> = numberFrom(0);

/** A u64 as decimal digits. */
export const digits: Kind<string> = (value) =>
  typeof value === "string" && /^\d{1,20}$/.test(value) ? value : undefined;

export const text: Kind<string> = (value) =>
  typeof value === "string" ? value.slice(0, TEXT_CHARS_MAX) : undefined;

export const flag: Kind<boolean> = (value) => (typeof value === "boolean" ? value : undefined);

/** One of these. */
export function word<const Word extends string | number>(words: readonly Word[]): Kind<Word> {
  return (value) => words.find((each) => each === value);
}

export function orNull<Value>(kind: Kind<Value>): Kind<Value | null> {
  return (value) => kind(value) ?? null;
}

type Shape = Readonly<Record<string, Kind<unknown>>>;
export type RecordOf<Fields extends Shape> = {
  readonly [Name in keyof Fields]: ValueOf<Fields[Name]>;
};

/** An object with a value of the right kind in each of these fields; others are left out. */
export function record<Fields extends Shape>(fields: Fields): Kind<RecordOf<Fields>> {
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const given = value as Readonly<Record<string, unknown>>;
    const read: Record<string, unknown> = {};
    for (const [name, kind] of Object.entries(fields)) {
      read[name] = kind(given[name]);
      if (read[name] === undefined) return undefined;
    }
    return read as RecordOf<Fields>;
  };
}

/** A list of at most `most`, all of one kind. */
export function list<Value>(kind: Kind<Value>, most: number): Kind<readonly Value[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return undefined;
    const read = someOf(kind, most)(value);
    return read?.length === value.length ? read : undefined;
  };
}

/** What of a list is of one kind, at most `most`; nothing where there is no list. */
export function someOf<Value>(kind: Kind<Value>, most: number): Kind<readonly Value[]> {
  return (value) =>
    (Array.isArray(value) ? value : [])
      .slice(0, most)
      .map(kind)
      .filter((each) => each !== undefined);
}
