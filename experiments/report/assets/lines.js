// A metric over one axis of a grid, beyond what was trained on.

function drawLines(host, place) {
  const about = DATA.lines[place];
  const rows = about.rows.filter((row) => !hidden.has(DATA.variants[row.variant].key));
  const found = rows.map((row) => ({
    variant: DATA.variants[row.variant],
    curves: [],
    points: row.points.flatMap((p, i) => (p && p.mean !== null ? [{ x: about.x[i], mean: p.mean, low: p.low ?? NaN, high: p.high ?? NaN }] : [])),
  }));
  const ys = found.flatMap((each) => each.points.flatMap((p) => [p.mean, p.low, p.high]));
  if (!ys.length) return say(host, "No shown variant was evaluated here.");
  const log = about.x[0] > 0 && about.x[about.x.length - 1] / about.x[0] >= 8;
  const made = frame(host, {
    x: { domain: span(about.x, { log, pad: 0.03 }), log, title: about.axis },
    y: { domain: within(span(ys), about.share), title: titled(about.name, about.unit), share: about.share },
    label: `${about.name} over ${about.axis}`,
  });
  for (const each of found) made.area.append(...marks(each, made, "interval"));
  host.replaceChildren(made.svg);
}
