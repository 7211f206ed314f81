// A row a variant: seeds as dots, the mean with its interval.

const ROW = 30;
const TALL = 46; // on a narrow screen a label stands above its row
const MOST_ROWS = 40;

function drawDots(host, task) {
  const rows = shown(task).filter((each) => each.mean !== null).slice(0, MOST_ROWS);
  if (!rows.length) return say(host, "No shown variant has a value.");
  const about = DATA.tasks[task];
  const narrow = host.clientWidth < 560;
  const row = narrow ? TALL : ROW;
  const left = narrow ? 14 : Math.min(280, host.clientWidth * 0.3);
  const values = rows.flatMap((each) => [...each.values, each.low, each.high, each.mean]);
  const domain = within(span(values.filter((x) => x !== null), { pad: 0.06 }), about.share);
  const height = MARGIN.top + MARGIN.bottom + row * rows.length;
  const made = frame(host, {
    x: { domain, title: titled(about.name, about.unit), share: about.share },
    y: { domain: [0, 1], names: true },
    height,
    left,
    label: `${about.name} of ${rows.length} variants with 95% intervals; the table below has the numbers`,
  });
  rows.forEach((each, place) => {
    const y = MARGIN.top + row * (place + (narrow ? 0.75 : 0.5));
    const name = narrow
      ? words(left, y - 14, "start", cut(each.label, Math.floor(host.clientWidth / 7.5)))
      : words(left - 10, y + 4, "end", cut(each.label, Math.floor(left / 7)));
    name.append(shape("title", {}, each.label));
    made.svg.append(name);
    dotRow(each, made, y);
  });
  host.replaceChildren(made.svg);
}

function dotRow(each, { across, area }, y) {
  const c = each.colour;
  const mid = across(each.mean);
  if (each.low !== null) {
    area.append(
      shape("line", { x1: across(each.low), x2: across(each.high), y1: y, y2: y, class: `whisker ${c}` }),
      ...[each.low, each.high].map((end) => shape("line", { x1: across(end), x2: across(end), y1: y - 5, y2: y + 5, class: `whisker ${c}` })),
    );
  }
  for (const value of each.values) {
    if (value !== null) area.append(shape("circle", { cx: across(value), cy: y, r: 3, class: `faint ${c}` }));
  }
  area.append(shape("circle", { cx: mid, cy: y, r: 5.5, class: `dot ${c}` }));
}

function cut(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
