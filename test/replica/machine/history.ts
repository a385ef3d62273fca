// Runs one history of the model to its end. Used by the test of the machine and by the test of its mutants.

import { Model } from "./model.ts";
import type { Machine } from "./properties.ts";

const INPUTS = 300;

/** Throws what does not hold, with the seed and the last inputs. */
export function holdHistory(machine: Machine, seed: number): Model {
  const model = new Model(machine, seed);
  try {
    while (model.inputs < INPUTS) model.step();
    model.quiet();
  } catch (thrown) {
    const last = model.trace.join("\n  ");
    throw new Error(`${thrown}\n  seed ${seed}, input ${model.inputs}:\n  ${last}`, {
      cause: thrown,
    });
  }
  return model;
}
