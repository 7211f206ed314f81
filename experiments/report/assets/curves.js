// Metrics over a run: means over seeds, bands, a cross hair that reads values.

function groupOf(name) {
  if (name.startsWith("grid/")) return "grid";
  if (name.startsWith("heads/")) return "heads";
  if (name.startsWith("val/") && name.split("/").length > 2) return "slices";
  return name.startsWith("optim/") ? "optimizer" : "main";
}

function fillMetrics(select) {
  const groups = new Map();
  for (const [name, metric] of Object.entries(DATA.curves.metrics)) {
    const group = groupOf(name);
    if (!groups.has(group)) groups.set(group, element("optgroup", { label: group }));
    const option = element("option", { value: name });
    option.textContent = metric.name;
    groups.get(group).append(option);
  }
  for (const group of ["main", "slices", "grid", "heads", "optimizer"]) {
    if (groups.has(group)) select.append(groups.get(group));
  }
  const wanted = DATA.tasks[0].metric;
  const known = wanted in DATA.curves.metrics ? wanted : Object.keys(DATA.curves.metrics)[0];
  if (known) select.value = known;
}

// One run's metric as [x, value] pairs; smoothed as a mean that forgets.
function runCurve(index, metric, over, weight) {
  const found = metric.runs[index];
  if (!found) return [];
  const run = DATA.runs[index];
  const factor = { steps: 1, tokens: run.tokens, seconds: run.seconds }[over];
  if (factor === null) return [];
  let [sum, mass] = [0, 0];
  return DATA.curves.steps[found[0]].map((step, place) => {
    const value = found[1][place];
    if (value === null) return [step * factor, NaN];
    sum = weight * sum + (1 - weight) * value;
    mass = weight * mass + (1 - weight);
    return [step * factor, weight ? sum / mass : value];
  });
}

// Mean and band at each x that at least one seed has.
function summary(curves, kind, share) {
  const at = new Map();
  curves.forEach((curve) => {
    for (const [x, value] of curve) {
      if (!at.has(x)) at.set(x, []);
      if (Number.isFinite(value)) at.get(x).push(value);
    }
  });
  return [...at.entries()].sort((a, b) => a[0] - b[0]).map(([x, values]) => point(x, values, kind, share));
}

// Beyond 0 and 1 a share has no interval.
function point(x, values, kind, share) {
  const n = values.length;
  const mean = n ? values.reduce((a, b) => a + b, 0) / n : NaN;
  if (n < 2) return { x, mean, low: NaN, high: NaN, n };
  if (kind === "range") return { x, mean, low: Math.min(...values), high: Math.max(...values), n };
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (n - 1);
  const half = DATA.quantiles[Math.min(n, DATA.quantiles.length - 1)] * Math.sqrt(variance / n);
  const [low, high] = share ? [Math.max(0, mean - half), Math.min(1, mean + half)] : [mean - half, mean + half];
  return { x, mean, low, high, n };
}

function seconds(curves) {
  // Seeds run at their own pace: on a clock each is brought to the first one's times.
  const first = curves.find((each) => each.length) || [];
  return curves.map((each) => each.map(([x, value], i) => [first[i] ? first[i][0] : x, value]));
}

function series(variant, settings) {
  const metric = DATA.curves.metrics[settings.metric];
  let curves = variant.runs.map((i) => runCurve(i, metric, settings.over, settings.smooth));
  if (settings.over === "seconds") curves = seconds(curves);
  return { variant, curves, points: summary(curves, settings.band, metric.share) };
}

function settingsNow() {
  return {
    metric: find("metric").value,
    over: find("over").value,
    band: find("band").value,
    smooth: Number(find("smooth").value) / 100,
    logX: find("log-x").checked,
    logY: find("log-y").checked,
    all: find("outliers").checked,
  };
}

function drawCurves(host, task) {
  const settings = settingsNow();
  const metric = DATA.curves.metrics[settings.metric];
  if (!metric) return say(host, "No metric has been logged.");
  const found = shown(task).map((each) => series(each, settings)).filter((each) => each.points.length);
  if (!found.length) return say(host, "Nothing to draw: no shown variant has this metric here.");
  const xs = found.flatMap((each) => each.points.map((p) => p.x));
  const ys = found.flatMap((each) => each.points.flatMap((p) => [p.mean, p.low, p.high]));
  const logY = settings.logY && ys.some((y) => y > 0);
  const made = frame(host, {
    x: { domain: span(xs, { log: settings.logX, pad: 0.01 }), log: settings.logX, title: settings.over },
    y: { domain: within(span(ys, { log: logY, all: settings.all }), metric.share && !logY), log: logY, title: titled(metric.name, metric.unit), share: metric.share },
    height: host.clientWidth > 700 ? 400 : 300,
    label: `${metric.name} over ${settings.over}, ${found.length} variants`,
  });
  for (const each of found) made.area.append(...marks(each, made, settings.band));
  host.replaceChildren(made.svg);
  reader(host, made, found, metric);
}

function marks({ variant, curves, points }, { across, up, box }, band) {
  const seen = [];
  const turned = (value) => Math.min(box.bottom + 999, Math.max(box.top - 999, up(value)));
  if (band === "seeds") {
    for (const curve of curves) {
      const d = path(curve.map(([x, y]) => [across(x), turned(y)]));
      seen.push(shape("path", { d, class: `seed ${variant.colour}` }));
    }
  } else {
    const inside = points.filter((p) => Number.isFinite(p.low) && Number.isFinite(turned(p.low)));
    const upper = inside.map((p) => [across(p.x), turned(p.high)]);
    const lower = inside.map((p) => [across(p.x), turned(p.low)]).reverse();
    if (inside.length > 1) seen.push(shape("path", { d: `${path([...upper, ...lower])}Z`, class: `band ${variant.colour}` }));
  }
  const d = path(points.map((p) => [across(p.x), turned(p.mean)]));
  seen.push(shape("path", { d, class: `line ${variant.colour}` }));
  if (points.length <= 25) {
    for (const p of points.filter((each) => Number.isFinite(each.mean))) {
      seen.push(shape("circle", { cx: across(p.x), cy: turned(p.mean), r: points.length < 15 ? 3 : 2, class: `dot ${variant.colour}` }));
    }
  }
  return seen;
}

function say(host, text) {
  host.replaceChildren(element("p", { class: "empty" }, text));
}
