"use strict";
// Everything is drawn from the two data blocks; text enters by textContent only.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const heads = [];
const state = { head: 0, pinned: null, shown: null, cell: null, sort: "layer" };
const chips = {};
let colours = [];

async function unpack() {
  const packed = Uint8Array.from(atob($("weights").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// A byte holds the square root of a weight as a share of the head's largest.
class Head {
  constructor(layer, record, bytes) {
    Object.assign(this, record, { layer, bytes, rows: layer.rows, columns: layer.columns });
    [this.height, this.width] = layer.shape;
  }
  at(t, s) {
    const share = this.bytes[t * this.width + s] / 255;
    return share * share * this.largest;
  }
}

function readHeads(bytes) {
  let start = 0;
  for (const layer of data.layers) {
    const size = layer.shape[0] * layer.shape[1];
    for (const record of layer.heads) {
      heads.push(new Head(layer, record, bytes.subarray(start, start + size)));
      start += size;
    }
  }
}

// ---- colours ----
function readColours() {
  const stops = getComputedStyle(document.documentElement).getPropertyValue("--ramp").split(",")
    .map((text) => text.trim().match(/[0-9a-f]{2}/gi).map((pair) => parseInt(pair, 16)));
  colours = Array.from({ length: 256 }, (_, i) => {
    const place = (i / 255) * (stops.length - 1), low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((c, k) => Math.round(c + (stops[low + 1][k] - c) * (place - low)));
  });
}
const colour = (weight, largest) => colours[Math.round(255 * Math.sqrt(Math.min(1, weight / largest)))];
const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function paint(canvas, height, width, value, largest) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  for (let t = 0; t < height; t++) for (let s = 0; s < width; s++) {
    image.data.set([...colour(value(t, s), largest), 255], 4 * (t * width + s));
  }
  context.putImageData(image, 0, 0);
}
const fullScale = (head) => Math.max(1, head.largest);

// ---- numbers as text ----
const share = (x) => (x >= 0.9995 && x <= 1.0005 ? "1.00" : x >= 10 ? x.toFixed(1) : x >= 0.0995 ? x.toFixed(2) : x.toFixed(3));
const percent = (x) => (x >= 0.1 ? `${(100 * x).toFixed(0)}%` : x >= 0.001 ? `${(100 * x).toFixed(1)}%` : "<0.1%");
const quoted = (name, i) => `“${data.texts[name][i]}”`;

// ---- the text ----
function buildText() {
  for (const [name, text] of Object.entries(data.texts)) {
    if (Object.keys(data.texts).length > 1) $("strips").append(make("p", "soft strip-name", name));
    const strip = make("div", "strip");
    strip.setAttribute("role", "group");
    strip.setAttribute("aria-label", `${name}: arrow keys move, enter keeps`);
    chips[name] = text.map((label, i) => {
      const chip = make("button", "token", label);
      chip.tabIndex = -1;
      chip.setAttribute("aria-label", `token ${i}: ${label}`);
      chip.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show({ name, i }); });
      chip.addEventListener("pointerleave", () => show(state.pinned));
      chip.addEventListener("focus", () => show({ name, i }));
      chip.addEventListener("click", () => pin({ name, i }));
      chip.addEventListener("keydown", (event) => move(event, name, i));
      return chip;
    });
    strip.append(...chips[name]);
    $("strips").append(strip);
  }
}

function move(event, name, i) {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const to = Math.max(0, Math.min(chips[name].length - 1, i + step));
  pin({ name, i: to });
  chips[name][to].focus();
}

function pin(place) {
  if (state.pinned) chips[state.pinned.name][state.pinned.i].tabIndex = -1;
  state.pinned = place;
  chips[place.name][place.i].tabIndex = 0;
  show(place);
}

function show(place, cell = null) {
  state.shown = place;
  state.cell = cell;
  drawText();
  drawMap();
  drawLens();
}

function drawText() {
  const head = heads[state.head], { name, i } = state.shown, scale = fullScale(head);
  const out = [], into = [];
  for (const [other, list] of Object.entries(chips)) list.forEach((chip, j) => {
    const a = name === head.rows && other === head.columns ? head.at(i, j) : 0;
    const b = name === head.columns && other === head.rows ? head.at(j, i) : 0;
    if (a > 0.0005 * scale) out.push([a, other, j]);
    if (b > 0.0005 * scale) into.push([b, other, j]);
    chip.style.setProperty("--a", Math.sqrt(Math.min(1, a / scale)).toFixed(3));
    chip.style.setProperty("--b", Math.sqrt(Math.min(1, b / scale)).toFixed(3));
    chip.classList.toggle("strong", Math.sqrt(a / scale) > 0.75);
    chip.classList.toggle("chosen", other === name && j === i);
  });
  $("who").textContent = `Token ${i}, ${quoted(name, i)}, in head ${head.name}`;
  listed($("attends"), "attends to", "out", out, name === head.rows);
  listed($("attended"), "attended by", "in", into, name === head.columns);
}

function listed(node, words, className, found, has) {
  node.replaceChildren(make("b", className, words));
  if (!found.length) node.append(make("span", "soft", has ? "nothing" : "nothing in this layer: it reads the other text"));
  found.sort((x, y) => y[0] - x[0]);
  for (const [weight, name, j] of found.slice(0, 6)) {
    const item = make("span", "share mono", data.texts[name][j] + " ");
    item.append(make("span", "", `${j} · ${share(weight)}`));
    node.append(item);
  }
  if (found.length > 6) node.append(make("span", "soft", `and ${found.length - 6} more`));
}

// ---- one head large ----
let frame = { left: 0, top: 0, size: 1 };
function drawMap() {
  const head = heads[state.head], canvas = $("map"), stage = canvas.parentElement;
  const room = stage.clientWidth, ratio = window.devicePixelRatio || 1;
  const longest = (name) => Math.min(9, Math.max(...data.texts[name].map((x) => x.length)));
  const most = Math.min(30, (Math.min(room, 660) - 14) / (head.width + 1));
  const named = most >= 9.5;
  const upright = longest(head.columns) < 2;
  const left = named ? 12 + 7 * longest(head.rows) : 30, top = named ? (upright ? 20 : 12 + 7 * longest(head.columns)) : 20;
  const size = Math.min(30, (Math.min(room, 660) - left - 1) / head.width);
  frame = { left, top, size, upright };
  const width = left + size * head.width + 1, height = top + size * head.height + 1;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`; canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const small = document.createElement("canvas");
  paint(small, head.height, head.width, (t, s) => head.at(t, s), fullScale(head));
  context.imageSmoothingEnabled = false;
  context.drawImage(small, left, top, size * head.width, size * head.height);
  context.strokeStyle = style("--line");
  context.strokeRect(left - 0.5, top - 0.5, size * head.width + 1, size * head.height + 1);
  labels(context, head, named);
  marks(context, head);
  $("head-name").textContent = `Head ${head.name}${head.title ? ` — ${head.title}` : ""}`;
  $("head-where").textContent = `${head.layer.name}, head ${head.number}; a row asks (${head.rows}), a column is asked (${head.columns})`;
}

function labels(context, head, named) {
  const { left, top, size } = frame, chosen = state.shown, cell = state.cell;
  context.font = `${Math.min(12, Math.max(9, size - 1))}px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace`;
  const bright = style("--ink"), soft = style("--soft"), mark = style("--mark");
  const row = cell ? cell[0] : chosen.name === head.rows ? chosen.i : -1;
  const column = cell ? cell[1] : chosen.name === head.columns ? chosen.i : -1;
  const write = (text, i, active, sideways) => {
    context.save();
    context.fillStyle = active ? mark : named ? soft : bright;
    context.textBaseline = "middle";
    if (sideways && frame.upright) { context.translate(left + size * (i + 0.5), top - 9); context.textAlign = "center"; }
    else if (sideways) { context.translate(left + size * (i + 0.5), top - 6); context.rotate(-Math.PI / 2); context.textAlign = "left"; }
    else { context.translate(left - 6, top + size * (i + 0.5)); context.textAlign = "right"; }
    context.fillText(text.length > 9 ? text.slice(0, 8) + "…" : text, 0, 0);
    context.restore();
  };
  const every = named ? 1 : Math.ceil(28 / size / 8) * 8;
  data.texts[head.rows].forEach((text, i) => { if (i % every === 0) write(named ? text : String(i), i, i === row, false); });
  data.texts[head.columns].forEach((text, i) => {
    if (i % every) return;
    if (named) return write(text, i, i === column, true);
    context.fillStyle = soft;
    context.textAlign = "center";
    context.fillText(String(i), left + size * (i + 0.5), top - 8);
  });
}

function marks(context, head) {
  const { left, top, size } = frame, chosen = state.shown, cell = state.cell;
  context.lineWidth = 1.5;
  if (chosen.name === head.rows) {
    context.strokeStyle = style("--out");
    context.strokeRect(left, top + size * chosen.i, size * head.width, size);
  }
  if (chosen.name === head.columns) {
    context.strokeStyle = style("--in");
    context.strokeRect(left + size * chosen.i, top, size, size * head.height);
  }
  if (cell) {
    context.strokeStyle = style("--mark");
    context.lineWidth = 2;
    context.strokeRect(left + size * cell[1], top + size * cell[0], size, size);
  }
}

function cellAt(event) {
  const box = $("map").getBoundingClientRect(), head = heads[state.head];
  const s = Math.floor((event.clientX - box.left - frame.left) / frame.size);
  const t = Math.floor((event.clientY - box.top - frame.top) / frame.size);
  return t >= 0 && s >= 0 && t < head.height && s < head.width ? [t, s] : null;
}

function overMap(event) {
  const cell = cellAt(event), head = heads[state.head];
  if (!cell) return leaveMap();
  show({ name: head.rows, i: cell[0] }, cell);
  $("cell").textContent = `${quoted(head.rows, cell[0])} (${cell[0]}) → ${quoted(head.columns, cell[1])} (${cell[1]}): ${share(head.at(...cell))}`;
}
function leaveMap() {
  show(state.pinned);
  $("cell").textContent = "";
}

function drawScores() {
  const head = heads[state.head];
  $("scores").replaceChildren();
  for (const [name, about] of Object.entries(data.scores)) {
    const value = head.scores[name], label = make("span", "", name);
    label.title = `${about.meaning}. ${about.reference}`;
    const meter = make("span", "meter"), fill = make("i");
    const most = name === "entropy" ? Math.log(head.width) : 1;
    fill.style.setProperty("--a", value === null ? 0 : Math.min(1, value / most));
    meter.append(fill);
    $("scores").append(label, meter, make("span", "number", value === null ? "–" : value.toFixed(2) + (name === "entropy" ? " nats" : "")));
  }
}

// ---- all heads ----
function pooled(head, most = 96) {
  const step = Math.ceil(Math.max(head.height, head.width) / most);
  const height = Math.ceil(head.height / step), width = Math.ceil(head.width / step);
  const value = (t, s) => {
    let found = 0;
    for (let i = t * step; i < Math.min(head.height, (t + 1) * step); i++)
      for (let j = s * step; j < Math.min(head.width, (s + 1) * step); j++) found = Math.max(found, head.at(i, j));
    return found;
  };
  return [height, width, value];
}

function sorted() {
  const order = heads.map((_, i) => i), name = state.sort;
  if (name === "layer") return order;
  const sign = name === "entropy" ? 1 : -1;
  const key = (i) => (heads[i].scores[name] === null ? Infinity : sign * heads[i].scores[name]);
  return order.sort((a, b) => key(a) - key(b) || a - b);
}

function drawHeads() {
  $("grid").replaceChildren(...sorted().map((i) => {
    const head = heads[i], card = make("button", "head");
    const canvas = make("canvas"), line = make("div", "line");
    paint(canvas, ...pooled(head), fullScale(head));
    const score = state.sort === "layer" ? null : head.scores[state.sort];
    line.append(make("span", "mono", head.name), make("span", "number soft", score === null ? "" : score.toFixed(2)));
    card.append(canvas, line, make("div", "title", head.title));
    card.classList.toggle("chosen", i === state.head);
    card.setAttribute("aria-pressed", String(i === state.head));
    card.setAttribute("aria-label", `head ${head.name} ${head.title}`);
    card.addEventListener("click", () => choose(i));
    card.dataset.head = i;
    return card;
  }));
}

function choose(i) {
  state.head = i;
  state.cell = null;
  for (const card of $("grid").children) {
    card.classList.toggle("chosen", Number(card.dataset.head) === i);
    card.setAttribute("aria-pressed", String(Number(card.dataset.head) === i));
  }
  drawScores();
  show(state.pinned);
}

// ---- the logit lens ----
function drawLens() {
  if (!data.lens) return;
  const lens = data.lens, place = state.shown.name === lens.text ? state.shown : state.pinned;
  const i = place.name === lens.text ? place.i : lens.wanted.length - 1;
  const wanted = lens.wanted[i], body = $("lens-rows");
  $("lens-where").replaceChildren(
    document.createTextNode(`After token ${i}, ${quoted(lens.text, i)}: what each layer would say comes next`),
    document.createTextNode(wanted === null ? "." : `; right is “${data.symbols[wanted]}”.`));
  body.replaceChildren(...lens.layers.map((_, k) => lens.layers.length - 1 - k).map((k) => {
    const row = make("tr");
    row.append(make("td", "mono", lens.layers[k]));
    lens.tokens[k][i].forEach((token, rank) => {
      const cell = make("td", rank > 2 ? "far" : ""), guess = make("div", "guess mono" + (token === wanted ? " right" : ""));
      const p = lens.probabilities[k][i][rank];
      guess.style.setProperty("--a", p);
      guess.append(make("b", "", data.symbols[token]), make("span", "", percent(p)));
      cell.append(guess);
      row.append(cell);
    });
    const text = wanted === null ? "–" : `${lens.rank[k][i]} · ${percent(lens.probability[k][i])}`;
    row.append(make("td", "number", text));
    return row;
  }));
  drawLensMap(i);
}

function drawLensMap(chosen) {
  const lens = data.lens, canvas = $("lens-map"), depth = lens.layers.length, length = lens.wanted.length;
  const scale = Math.max(1, Math.floor(1280 / length)), tall = 14;
  const small = document.createElement("canvas");
  paint(small, depth, length, (k, t) => lens.probability[depth - 1 - k][t] ** 2, 1);
  canvas.width = length * scale;
  canvas.height = depth * tall;
  canvas.style.height = `${depth * tall}px`;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  context.strokeStyle = style("--mark");
  context.lineWidth = Math.max(2, scale / 8);
  context.strokeRect(chosen * scale, 0, scale, canvas.height);
}

function build() {
  $("run").textContent = data.run;
  const thumb = heads.length <= 9 ? 160 : heads.length <= 25 ? 112 : heads.length <= 100 ? 84 : 64;
  if (innerWidth > 640) $("grid").style.setProperty("--thumb", `${thumb}px`);
  $("about").textContent = `step ${data.step.toLocaleString("en")} · ${data.about}${data.notes.length ? " · " + data.notes.join("; ") : ""}`;
  $("spec").textContent = data.spec;
  buildText();
  for (const name of Object.keys(data.scores)) {
    const option = make("option", "", name === "entropy" ? "entropy (lowest first)" : name);
    option.value = name;
    $("sort").append(option);
    $("meanings").append(make("dt", "", name), make("dd", "", `${data.scores[name].meaning}. ${data.scores[name].reference}`));
  }
  $("sort").addEventListener("change", () => { state.sort = $("sort").value; drawHeads(); });
  $("map").addEventListener("pointermove", overMap);
  $("map").addEventListener("pointerleave", leaveMap);
  $("map").addEventListener("click", (event) => { const cell = cellAt(event); if (cell) pin({ name: heads[state.head].rows, i: cell[0] }); });
  $("lens").hidden = !data.lens;
  if (data.lens) $("lens-map").addEventListener("click", (event) => {
    const box = $("lens-map").getBoundingClientRect();
    const i = Math.floor(((event.clientX - box.left) / box.width) * data.lens.wanted.length);
    pin({ name: data.lens.text, i: Math.max(0, Math.min(data.lens.wanted.length - 1, i)) });
  });
  $("theme").addEventListener("click", () => paintAs(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  let width = innerWidth;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; drawMap(); } });
}

function paintAs(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = theme === "dark" ? "Light" : "Dark";
  readColours();
  drawHeads();
  choose(state.head);
}

async function start() {
  readHeads(await unpack());
  build();
  state.head = data.first.head;
  const name = heads[state.head].rows;
  state.pinned = { name, i: data.first.token };
  chips[name][state.pinned.i].tabIndex = 0;
  state.shown = state.pinned;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  paintAs(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => paintAs(dark.matches ? "dark" : "light"));
  document.documentElement.dataset.ready = "yes";
}
start();
