// Finds what a mistyped word was meant to be. Used by the usage errors of commands, options and choices.

/** Edits (insert, delete, replace, swap of neighbours) that make `right` of `left`. */
export function editDistance(left: string, right: string): number {
  const width = right.length + 1;
  const cells = new Uint16Array((left.length + 1) * width);
  const at = (row: number, column: number): number => cells[row * width + column] ?? 0;
  for (let row = 0; row <= left.length; row++) {
    for (let column = 0; column <= right.length; column++) {
      let cost = row === 0 || column === 0 ? row + column : Number.MAX_SAFE_INTEGER;
      if (row > 0 && column > 0) {
        const change = left[row - 1] === right[column - 1] ? 0 : 1;
        cost = Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + change,
        );
        const swapped = left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
        if (row > 1 && column > 1 && swapped) cost = Math.min(cost, at(row - 2, column - 2) + 1);
      }
      cells[row * width + column] = cost;
    }
  }
  return at(left.length, right.length);
}

/** The candidate that `word` most likely stands for, or null when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | null {
  if (word.length > 64) return null;
  const lower = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const isPrefix = lower.length >= 3 && candidate.startsWith(lower);
    const distance = isPrefix ? 1 : editDistance(lower, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}
