// A cross hair with the values below it, for a pointer and for arrow keys.

const MOST_READ = 12;

function reader(host, made, found, metric) {
  const xs = [...new Set(found.flatMap((each) => each.points.map((p) => p.x)))].sort((a, b) => a - b);
  const line = shape("line", { class: "hair", y1: made.box.top, y2: made.box.bottom });
  const dots = shape("g", { class: "read" });
  const tip = element("div", { class: "tip", "aria-live": "polite" });
  made.svg.append(line, dots);
  host.append(tip);
  host.tabIndex = 0;
  let at = -1;
  const hide = () => {
    at = -1;
    host.classList.remove("reading");
  };
  const show = (index) => {
    at = Math.max(0, Math.min(xs.length - 1, index));
    host.classList.add("reading");
    const x = made.across(xs[at]);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    const rows = read(found, xs[at], metric);
    dots.replaceChildren(...rows.map((row) => shape("circle", { cx: x, cy: made.up(row.value), r: 4, class: `dot ${row.colour}` })));
    tip.replaceChildren(...tipLines(xs[at], rows, metric));
    const side = x > made.width / 2;
    tip.style.left = side ? "" : `${x + 14}px`;
    tip.style.right = side ? `${made.width - x + 14}px` : "";
  };
  host.onpointermove = (event) => {
    const box = made.svg.getBoundingClientRect();
    show(nearest(xs, made.across.invert(((event.clientX - box.left) / box.width) * made.width)));
  };
  host.onpointerleave = hide;
  host.onblur = hide;
  host.onkeydown = (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -xs.length, End: xs.length }[event.key];
    if (event.key === "Escape") hide();
    if (!move) return;
    event.preventDefault();
    show(at < 0 ? (move > 0 ? 0 : xs.length - 1) : at + move);
  };
}

function nearest(xs, x) {
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle;
    else high = middle;
  }
  return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
}

function read(found, x, metric) {
  const rows = found.flatMap(({ variant, points }) => {
    const p = points.find((each) => each.x === x);
    if (!p || !Number.isFinite(p.mean)) return [];
    return [{ label: variant.label, colour: variant.colour, value: p.mean, low: p.low, high: p.high }];
  });
  return rows.sort((a, b) => (metric.share ? b.value - a.value : a.value - b.value)).slice(0, MOST_READ);
}

function tipLines(x, rows, metric) {
  const lines = rows.map((row) => {
    const swatch = element("span", { class: `swatch ${row.colour}`, "aria-hidden": "true" });
    const name = element("bdi");
    name.textContent = row.label;
    const half = Number.isFinite(row.low) ? ` ± ${figure((row.high - row.low) / 2, metric.share)}` : "";
    const value = element("b", {}, figure(row.value, metric.share));
    return element("div", {}, swatch, name, " ", value, half);
  });
  return [element("div", { class: "tip-head" }, `${find("over").value} ${short(x)}`), ...lines];
}
