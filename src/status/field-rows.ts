// The rows of the tables of status (fields.ts, follower-fields.ts): a field's kind, where its value comes from in a follower that runs
// and where none does, and its series of /metrics. A document is made, read and measured by walking them. Pure.

import { type Kind, orNull, record, type RecordOf } from "./field-kinds.ts";

/**
 * `seconds`: of ms; `timestamp`: of an age; `lag`: seconds, infinite before the first whole scan; `since`: the age of a debt;
 * `lifetime`: counted over all runs, so that it begins at no 0 in each.
 */
type Unit = "plain" | "seconds" | "timestamp" | "lag" | "since" | "lifetime";

export interface Metric {
  readonly type: "gauge" | "counter";
  readonly name: string;
  readonly help: string;
  readonly unit: Unit;
}

/** The series of a row, by its name. */
type Series =
  | { readonly gauge: string; readonly help: string; readonly unit?: Unit }
  | { readonly counter: string; readonly help: string; readonly unit?: "lifetime" }
  | { readonly help?: never };

export interface Field<Value, Running, Stopped> {
  readonly kind: Kind<Value>;
  /** Of a follower that runs. */
  readonly of: (facts: Running) => Value;
  /** Where none runs: of what was saved, and of the files. */
  readonly stopped: (facts: Stopped) => Value;
  readonly metric: Metric | null;
}

/** What nobody saves is not known once the follower has stopped. */
export const NOT_SAVED = (): null => null;

/** A row as it is written; the type of its value is that of its kind. */
type Row<Kinds, Value, Facts> = Series & {
  readonly kind: Kind<Kinds>;
  readonly of: (facts: Facts) => NoInfer<Value>;
};
type SavedRow<Kinds, Value, Facts, Stopped> = Row<Kinds, Value, Facts> & {
  readonly stopped: (facts: Stopped) => NoInfer<Value>;
};

/** Makes the rows of one table. */
export class Rows<Facts, Stopped> {
  /** A field that is always known: a document without it is none. */
  always<Value>(row: SavedRow<Value, Value, Facts, Stopped>): Field<Value, Facts, Stopped> {
    return { ...row, metric: metricOf(row) };
  }

  /** One that is known of a stopped follower too, if at all; null: not known. */
  saved<Value>(
    row: SavedRow<Value, Value | null, Facts, Stopped>,
  ): Field<Value | null, Facts, Stopped> {
    return { ...row, kind: orNull(row.kind), metric: metricOf(row) };
  }

  /** One that is known while the follower runs, if at all; null: not known. */
  running<Value>(row: Row<Value, Value | null, Facts>): Field<Value | null, Facts, Stopped> {
    return { ...row, kind: orNull(row.kind), metric: metricOf(row), stopped: NOT_SAVED };
  }
}

/** The metric of a row; null where it has none. */
export function metricOf<Given extends Series>(
  row: Given,
): Given extends { help: string } ? Metric : null;
export function metricOf(row: Series): Metric | null {
  if (row.help === undefined) return null;
  const { help, unit = "plain" } = row;
  if ("gauge" in row) return { type: "gauge", name: row.gauge, help, unit };
  return { type: "counter", name: row.counter, help, unit };
}

type Table<Running, Stopped> = Readonly<Record<string, Field<unknown, Running, Stopped>>>;
/** The rows of any table, for what asks neither of its sources. */
export type AnyTable = Table<never, never>;

/** All fields of a table as values. */
export type ValuesOf<Fields extends AnyTable> = RecordOf<{
  readonly [Name in keyof Fields]: Fields[Name]["kind"];
}>;

/** The fields of a follower that runs. */
export function runningValues<Running, Fields extends Table<Running, never>>(
  fields: Fields,
  facts: Running,
): ValuesOf<Fields> {
  return valuesBy(fields, (row) => row.of(facts)) as ValuesOf<Fields>;
}

/** The fields where no follower runs. */
export function stoppedValues<Stopped, Fields extends Table<never, Stopped>>(
  fields: Fields,
  facts: Stopped,
): ValuesOf<Fields> {
  return valuesBy(fields, (row) => row.stopped(facts)) as ValuesOf<Fields>;
}

/** The kind of a document of these fields. */
export function documentKind<Fields extends AnyTable>(fields: Fields): Kind<ValuesOf<Fields>> {
  return record(valuesBy(fields, ({ kind }) => kind)) as Kind<ValuesOf<Fields>>;
}

function valuesBy<Row, Value>(
  fields: Readonly<Record<string, Row>>,
  valueOf: (row: Row) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(fields).map(([name, row]) => [name, valueOf(row)]));
}
