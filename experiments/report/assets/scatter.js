// Cost against quality, with the line of those that nothing beats in both.

function drawScatter(host, task) {
  const cost = DATA.costs[Number(find("cost-of").value)];
  const about = DATA.tasks[task];
  const log = find("cost-log").checked;
  const rows = DATA.variants
    .map((each, place) => ({ ...each, cost: cost.values[place] }))
    .filter((each) => each.task === task && !hidden.has(each.key))
    .filter((each) => each.mean !== null && each.cost > 0);
  if (!rows.length) return say(host, "No shown variant has this cost.");
  const ys = rows.flatMap((each) => [each.mean, each.low, each.high]).filter((y) => y !== null);
  const made = frame(host, {
    x: { domain: span(rows.map((each) => each.cost), { log, pad: 0.12 }), log, title: cost.label },
    y: { domain: within(span(ys, { pad: 0.1 }), about.share), title: titled(about.name, about.unit), share: about.share },
    height: 340,
    label: `${about.name} against ${cost.label}`,
  });
  const best = front(rows, about.most).map((each) => [made.across(each.cost), made.up(each.mean)]);
  made.area.append(shape("path", { d: path(best), class: "front" }));
  const taken = [];
  for (const each of rows) made.area.append(...scatterMark(each, made, taken, about.share));
  host.replaceChildren(made.svg);
}

function front(rows, most) {
  const better = (a, b) => (most ? a.mean > b.mean : a.mean < b.mean);
  const sorted = [...rows].sort((a, b) => a.cost - b.cost || (better(a, b) ? -1 : 1));
  const kept = [];
  for (const each of sorted) {
    if (!kept.length || better(each, kept[kept.length - 1])) kept.push(each);
  }
  return kept;
}

function scatterMark(each, { across, up, box }, taken, share) {
  const [x, y, c] = [across(each.cost), up(each.mean), each.colour];
  const whisker = each.low === null ? [] : [shape("line", { x1: x, x2: x, y1: up(each.low), y2: up(each.high), class: `whisker ${c}` })];
  const dot = shape("circle", { cx: x, cy: y, r: 6, class: `dot ${c}` });
  dot.append(shape("title", {}, `${each.label}: ${figure(each.mean, share)} at ${short(each.cost)}`));
  const text = cut(each.label, 28);
  const label = labelAt(x, y + 4, text.length * 6.6, box, taken);
  if (!label) return [...whisker, dot];
  taken.push(label);
  return [...whisker, dot, words(label.x + (label.left ? label.width : 0), label.y, label.left ? "end" : "start", text)];
}

// Where a label is free, to the right of its dot or to the left; null if nowhere.
function labelAt(x, y, width, box, taken) {
  const places = [{ x: x + 10, y, width, left: false }, { x: x - 10 - width, y, width, left: true }];
  const free = ({ x: start, y: line }) => start > box.left && start + width < box.right
    && !taken.some((other) => Math.abs(other.y - line) < 13 && other.x < start + width && start < other.x + other.width);
  return places.find(free) || null;
}
