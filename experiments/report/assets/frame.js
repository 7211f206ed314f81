// Axes, a grid and a plot area, as wide as the place where they stand.

const MARGIN = { top: 14, right: 16, bottom: 42, left: 56 };

function frame(host, { x, y, height = 320, label, left = MARGIN.left }) {
  const width = Math.max(260, host.clientWidth);
  const box = { left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  const across = scale(x.domain, [box.left, box.right], x.log);
  const up = scale(y.domain, [box.bottom, box.top], y.log);
  const clip = `clip-${frame.count++}`;
  const area = shape("g", { "clip-path": `url(#${clip})` });
  const rect = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  const svg = shape(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    shape("clipPath", { id: clip }, shape("rect", rect)),
    shape("g", { class: "axis" }, ...axisX(across, x, box), ...(y.names ? [] : axisY(up, y, box))),
    area,
  );
  return { svg, area, across, up, box, width, height };
}
frame.count = 0;

function axisX(across, { title, share }, box) {
  const count = Math.max(2, Math.floor((box.right - box.left) / 64));
  const marks = across.ticks(count).map((tick) => {
    const at = across(tick);
    const anchor = at > box.right - 8 ? "end" : "middle";
    return shape(
      "g",
      {},
      shape("line", { x1: at, x2: at, y1: box.top, y2: box.bottom }),
      words(at, box.bottom + 17, anchor, share ? `${short(100 * tick)}%` : short(tick)),
    );
  });
  const name = words((box.left + box.right) / 2, box.bottom + 36, "middle", title);
  name.setAttribute("class", "title");
  return [...marks, name];
}

function axisY(up, { title, share }, box) {
  const marks = up.ticks(6).map((tick) => {
    const at = up(tick);
    return shape(
      "g",
      {},
      shape("line", { x1: box.left, x2: box.right, y1: at, y2: at }),
      words(box.left - 8, at + 4, "end", share ? `${short(100 * tick)}%` : short(tick)),
    );
  });
  const name = words(-(box.top + box.bottom) / 2, 13, "middle", title);
  name.setAttribute("transform", "rotate(-90)");
  name.setAttribute("class", "title");
  return [...marks, name];
}

function words(x, y, anchor, text) {
  const made = shape("text", { x, y, "text-anchor": anchor });
  made.textContent = text;
  return made;
}

function titled(name, unit) {
  return unit ? `${name} (${unit})` : name;
}
