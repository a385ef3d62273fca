// The only place that imports picocolors and clack. Colours are light and loaded at once; prompts are loaded when
// somebody is asked. A prompt that is left with Ctrl-C or Escape throws Interrupted: clack would return a symbol.

import picocolors from "picocolors";

/** Colour functions, on or off as told, whatever the environment says. */
export const createColors = picocolors.createColors;

/** The person at the terminal left a prompt with Ctrl-C or Escape. */
export class Interrupted extends Error {
  constructor() {
    super("left by the user");
    this.name = "Interrupted";
  }
}

/** Questions to a person, on stderr, so that stdout stays clean. */
export interface Prompts {
  intro(title: string): void;
  outro(text: string): void;
  /** One line about what is going on. */
  step(text: string): void;
  note(text: string, title: string): void;
  confirm(question: string, initial: boolean): Promise<boolean>;
  /** `check` returns what is wrong with the answer, or null. */
  text(
    question: string,
    placeholder: string,
    check: (answer: string) => string | null,
  ): Promise<string>;
  select(question: string, choices: readonly SelectChoice[]): Promise<string>;
}

export interface SelectChoice {
  readonly value: string;
  readonly label: string;
  readonly hint?: string;
}

/**
 * Loads clack. Only call it where stdin and stderr are terminals: its prompts hang for ever elsewhere. A question that
 * is open when `stop` fires ends as if it had been left.
 */
export async function loadPrompts(stop: AbortSignal): Promise<Prompts> {
  const clack = await import("@clack/prompts");
  const io = { output: process.stderr, signal: stop };
  const answer = <T>(given: T): Exclude<T, symbol> => {
    if (typeof given === "symbol") {
      clack.cancel("Left.", io);
      throw new Interrupted();
    }
    return given as Exclude<T, symbol>;
  };
  return {
    intro: (title) => clack.intro(title, io),
    outro: (text) => clack.outro(text, io),
    step: (text) => clack.log.step(text, io),
    note: (text, title) => clack.note(text, title, io),
    async confirm(question, initial) {
      return answer(await clack.confirm({ message: question, initialValue: initial, ...io }));
    },
    async text(question, placeholder, check) {
      const given = await clack.text({
        message: question,
        placeholder,
        validate: (text) => check(text ?? "") ?? undefined,
        ...io,
      });
      return answer(given);
    },
    async select(question, choices) {
      return answer(
        await clack.select<string>({ message: question, options: choices.map(toOption), ...io }),
      );
    },
  };
}

function toOption(choice: SelectChoice): { value: string; label: string; hint?: string } {
  const { value, label, hint } = choice;
  return hint === undefined ? { value, label } : { value, label, hint };
}
