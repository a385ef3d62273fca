// The benchmark's charts: slots a second as SVG, drawn by hand so that they need nothing to be shown. On a ground of their own,
// so that they can be read on light and dark pages.

import type { Point } from "./results.ts";

const WIDTH = 880;
const HEIGHT = 400;
const LEFT = 70;
const RIGHT = 20;
const TOP = 48;
const BOTTOM = 96;
const LEGEND_COLUMNS = 2;
const LEGEND_ROW = 20;
const COLORS: Readonly<Record<string, string>> = {
  crate: "#c2410c",
  null: "#64748b",
  ours: "#0f766e",
  "ours, --window 256": "#4338ca",
};
const LABELS: Readonly<Record<string, string>> = {
  crate: "the crate's follower",
  null: "null follower (stores nothing)",
  ours: "armdb replicate",
  "ours, --window 256": "armdb replicate --window 256",
};

/** Bars by group on a logarithmic scale, so that 0.1 M and 10 M can be read from one chart. */
export function chart(title: string, axis: string, points: readonly Point[]): string {
  const names = Object.keys(COLORS).filter((name) =>
    points.some((point) => name in point.slotsPerSecond),
  );
  const values = points.flatMap((point) => names.map((name) => point.slotsPerSecond[name] ?? 1));
  const low = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(...values)));
  const y = (value: number) => {
    const share = Math.log10(value / low) / Math.log10(high / low);
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM);
  };
  const parts = [...gridLines(low, high, y), ...bars(points, names, y), ...legend(names)];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img">`,
    `<title>${title}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="24" font-size="15" font-weight="bold" fill="#1e293b">${title}</text>`,
    ...parts,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - BOTTOM + 36}" text-anchor="middle" fill="#1e293b">${axis}; slots a second, logarithmic</text>`,
    "</svg>",
    "",
  ].join("\n");
}

function gridLines(low: number, high: number, y: (value: number) => number): string[] {
  const lines: string[] = [];
  for (let value = low; value <= high; value *= 10) {
    const at = y(value).toFixed(1);
    lines.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="#cbd5e1"/>`);
    lines.push(
      `<text x="${LEFT - 8}" y="${at}" dy="4" text-anchor="end" fill="#1e293b">${short(value)}/s</text>`,
    );
  }
  return lines;
}

function bars(
  points: readonly Point[],
  names: readonly string[],
  y: (value: number) => number,
): string[] {
  const group = (WIDTH - LEFT - RIGHT) / points.length;
  const width = (group * 0.8) / names.length;
  return points.flatMap((point, index) => {
    const start = LEFT + index * group + group * 0.1;
    const base = HEIGHT - BOTTOM;
    const drawn = names.flatMap((name, place) => {
      const value = point.slotsPerSecond[name];
      if (value === undefined) return [];
      const x = start + place * width;
      const top = y(value);
      return [
        `<rect x="${x.toFixed(1)}" y="${top.toFixed(1)}" width="${(width - 3).toFixed(1)}" height="${(base - top).toFixed(1)}" fill="${COLORS[name]}"/>`,
        `<text x="${(x + width / 2).toFixed(1)}" y="${(top - 4).toFixed(1)}" text-anchor="middle" font-size="10" fill="#1e293b">${short(value)}</text>`,
      ];
    });
    const middle = (start + group * 0.4).toFixed(1);
    return [
      ...drawn,
      `<text x="${middle}" y="${base + 18}" text-anchor="middle" fill="#1e293b">${point.at}</text>`,
    ];
  });
}

/** In columns: the longest name takes more than a quarter of the width. */
function legend(names: readonly string[]): string[] {
  const step = (WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS;
  return names.flatMap((name, index) => {
    const x = LEFT + (index % LEGEND_COLUMNS) * step;
    const y = HEIGHT - BOTTOM + 50 + Math.floor(index / LEGEND_COLUMNS) * LEGEND_ROW;
    return [
      `<rect x="${x}" y="${y}" width="12" height="12" fill="${COLORS[name]}"/>`,
      `<text x="${x + 17}" y="${y + 10}" font-size="11" fill="#1e293b">${LABELS[name]}</text>`,
    ];
  });
}

/** As narrow as it goes: it stands over a bar. */
function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toFixed(value >= 1e7 ? 0 : 1))}M`;
  return `${Math.round(value / 1e3)}k`;
}
