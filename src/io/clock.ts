// Time and chance as the rest of the program sees them, so that tests can run years in a second and repeat
// every roll of the dice. The real forms are in time.ts.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Monotonic ms, the same origin in every thread. Never goes back. */
  nowMs(): number;
  /** Unix time, ms; may jump. For people and for the cursor only, never for a decision. */
  wallMs(): number;
  /** Calls `run` once after `delayMs` unless cancelled first. */
  after(delayMs: number, run: () => void): Timer;
}

export interface RandomSource {
  /** Uniform in [0, 1). */
  fraction(): number;
}
