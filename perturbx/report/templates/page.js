"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const state = { row: 0, output: data.first, page: 0, by: "row", falling: false, all: {} };
  const FEW = 20, PAGE = 25, MINUS = "\u2212";

  // Numbers: three digits for the largest, and as many decimals for the others.
  function formatter(values, signed) {
    let largest = 0;
    for (const v of values) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v));
    const plain = !largest || (largest >= 1e-4 && largest < 1e6);
    const decimals = Math.max(0, 2 - Math.floor(Math.log10(largest || 1)));
    return (v) => {
      if (v === 0) return "0";
      let text = plain ? Math.abs(v).toFixed(decimals) : Math.abs(v).toExponential(2);
      text = text.replace(/e([+-])(\d)$/, "e$10$2");
      if (Number(text) === 0) return "\u2248 0";
      return ((v < 0 ? "-" : signed ? "+" : "") + text).replaceAll("-", MINUS);
    };
  }
  // The ends, or half the length where they look alike.
  function interval(write, v, a, b) {
    if (v === a && a === b) return "exact";
    if (![v, a, b].every(Number.isFinite)) return "unknown";
    const [below, above] = [write(a), write(b)], half = (b - a) / 2;
    return below === above ? "\u00b1 " + formatter([half], false)(half) : "[" + below + ", " + above + "]";
  }
  const scaled = (whole, power) => whole.map((w) => (w === null ? NaN : Number(w + "e" + power)));
  const named = (row) => data.names[data.names.length > 1 ? row : 0];
  const outputs = (row) => data.outputs[data.outputs.length > 1 ? row : 0];

  function scoresOf(row, output) {
    const place = row * data.k + output, power = data.s[place];
    const v = scaled(data.v[place], power), h = scaled(data.h[place], power);
    return { v, lower: v.map((x, i) => x - h[i]), upper: v.map((x, i) => x + h[i]), h };
  }

  // The best and the worst rank that joint errors leave open.
  function ranksOf(v, h) {
    const size = v.map((x) => (Number.isNaN(x) ? 0 : Math.abs(x)));
    const low = size.map((x, i) => (Number.isNaN(h[i]) ? 0 : Math.max(x - h[i], 0)));
    const high = size.map((x, i) => (Number.isNaN(h[i]) ? Infinity : x + h[i]));
    return size.map((_, i) => {
      let best = 1, worst = v.length;
      for (let j = 0; j < v.length; j++) {
        if (low[j] > high[i]) best++;
        if (high[j] < low[i]) worst--;
      }
      return best === worst ? String(best) : best + "\u2013" + worst;
    });
  }

  const sample = document.querySelector("#row tbody tr").cloneNode(true);
  const share = (x) => (Math.round(x * 1e4) / 100).toFixed(2) + "%";

  function fill(table, order, of) {
    const body = table.tBodies[0];
    const known = [...of.v, ...of.lower, ...of.upper].filter(Number.isFinite);
    let low = Math.min(0, ...known), high = Math.max(0, ...known);
    if (!(high > low)) [low, high] = [0, 1];
    const place = (x) => share((x - low) / (high - low));
    const write = formatter([...of.v, ...of.lower, ...of.upper], !of.isSize);
    table.style.setProperty("--zero", place(0));
    body.replaceChildren(...order.map((i) => {
      const line = sample.cloneNode(true), get = (name) => line.querySelector(name);
      const [v, a, b] = [of.v[i], of.lower[i], of.upper[i]];
      get("th bdi").textContent = of.names[i];
      if (get(".px-data")) {
        if (of.cells) get(".px-data bdi").textContent = of.cells[i]; else get(".px-data").remove();
      }
      const sign = !Number.isFinite(v) || v === 0 ? "none" : of.isSize ? "size" : v > 0 ? "up" : "down";
      const bar = get(".px-bar"), whisker = get(".px-whisker");
      bar.className = "px-bar px-" + sign;
      bar.removeAttribute("style");
      if (sign !== "none") {
        bar.style.setProperty("--a", place(Math.min(v, 0)));
        bar.style.setProperty("--b", place(Math.max(v, 0)));
      }
      const isKnown = [v, a, b].every(Number.isFinite);
      whisker.hidden = !(isKnown && a < b);
      whisker.removeAttribute("style");
      if (!whisker.hidden) {
        whisker.style.setProperty("--a", place(a));
        whisker.style.setProperty("--b", place(b));
      }
      get(".px-score").textContent = Number.isFinite(v) ? write(v) : "unknown";
      get(".px-interval").textContent = interval(write, v, a, b);
      if (of.ranks) get(".px-rank").textContent = of.ranks[i]; else get(".px-rank")?.remove();
      return line;
    }));
  }

  function cut(order, id) {
    const note = at(id + "-more"), all = state.all[id];
    note.hidden = order.length <= FEW;
    if (order.length <= FEW) return order;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = all ? "Show the first " + FEW : "Show all " + order.length;
    button.addEventListener("click", () => {
      state.all[id] = !all;
      draw();
      note.querySelector("button").focus();
    });
    note.replaceChildren((all ? order.length : FEW) + " of " + order.length + " features are shown. ", button);
    return all ? order : order.slice(0, FEW);
  }

  function ordered(v, names, how) {
    const order = names.map((_, i) => i), size = v.map((x) => (Number.isNaN(x) ? 0 : x));
    const by = {
      size: (i, j) => Math.abs(size[j]) - Math.abs(size[i]),
      high: (i, j) => size[j] - size[i],
      low: (i, j) => size[i] - size[j],
      name: (i, j) => names[i].localeCompare(names[j], undefined, { numeric: true }),
    }[how];
    return by ? order.sort(by) : order;
  }

  function part(text, kind) {
    const span = document.createElement(kind === "total" ? "b" : "span");
    span.className = "part " + kind;
    span.textContent = text;
    return span;
  }

  function drawHead() {
    const head = data.heads[state.row * data.k + state.output];
    const name = outputs(state.row)[state.output];
    const total = head[head.length - 1], base = head[0];
    const parts = [];
    if (total !== "nan") {
      parts.push(part(name, "px-soft"), part(total, "total"));
      if (head.length === 5) {
        parts.push(part("= " + base + " without features", "px-soft"));
        parts.push(part("+ " + head[1] + " raising", "up"), part(MINUS + " " + head[2] + " lowering", "down"));
        if (head[3] !== "0") parts.push(part("+ " + head[3] + " not explained", "px-soft"));
      } else parts.push(part("base value " + base, "px-soft"));
    } else parts.push(part(name, "px-soft"));
    at("head").replaceChildren(...parts);
  }

  function drawScores() {
    const { v, lower, upper, h } = scoresOf(state.row, state.output);
    const names = named(state.row), cells = data.cells[state.row];
    const wanted = at("search").value.trim().toLowerCase();
    let order = ordered(v, names, at("sort").value);
    if (wanted) order = order.filter((i) => names[i].toLowerCase().includes(wanted));
    const of = { v, lower, upper, names, cells: cells.length ? cells : null, ranks: ranksOf(v, h) };
    fill(document.querySelector("#row table"), cut(order, "scores"), of);
  }

  function drawGlobal() {
    if (!data.global) return;
    const g = data.global, j = state.output;
    const [v, lower, upper] = [g.v, g.a, g.b].map((part) => scaled(part[j], g.s[j]));
    const box = document.querySelector("#global .scroll");
    let table = box.querySelector("table");
    if (!table) {
      table = document.querySelector("#row table").cloneNode(true);
      const heads = table.tHead.rows[0].cells;
      heads[heads.length - 1].remove();
      if (sample.querySelector(".px-data")) heads[1].remove();
      for (const head of heads) if (head.textContent.trim() === "score") head.textContent = "mean |score|";
      box.append(table);
    }
    const order = cut(ordered(v, named(0), "size"), "global");
    fill(table, order, { v, lower, upper, names: named(0), isSize: true });
  }

  function predictionOf(row) {
    const head = data.heads[row * data.k + state.output];
    return head[head.length - 1];
  }

  function drawRows() {
    const list = at("rows");
    if (!list) return;
    const order = Array.from({ length: data.n }, (_, i) => i);
    const number = (row) => Number(predictionOf(row).replaceAll(MINUS, "-").replace("\u2248 ", ""));
    if (state.by === "prediction") order.sort((i, j) => number(i) - number(j));
    if (state.falling) order.reverse();
    const pages = Math.ceil(data.n / PAGE);
    state.page = Math.min(Math.max(state.page, 0), pages - 1);
    const start = state.page * PAGE;
    at("page-said").textContent =
      (start + 1).toLocaleString("en") + "\u2013" + Math.min(start + PAGE, data.n).toLocaleString("en") +
      " of " + data.n.toLocaleString("en");
    at("page-back").disabled = state.page === 0;
    at("page-on").disabled = state.page === pages - 1;
    list.querySelector("tbody").replaceChildren(...order.slice(start, start + PAGE).map((row) => {
      const line = document.createElement("tr");
      const open = document.createElement("button"), head = document.createElement("th");
      open.type = "button";
      open.textContent = String(row + 1);
      open.setAttribute("aria-label", "Show row " + (row + 1));
      open.addEventListener("click", () => {
        go(row);
        at("row").focus();
      });
      head.scope = "row";
      head.append(open);
      if (data.rows.length) {
        const name = document.createElement("bdi");
        name.textContent = data.rows[row];
        head.append(" ", name);
      }
      const prediction = document.createElement("td"), largest = document.createElement("td");
      prediction.className = "px-number";
      prediction.textContent = predictionOf(row) === "nan" ? "" : predictionOf(row);
      const { v } = scoresOf(row, state.output), names = named(row), write = formatter(v, true);
      ordered(v, names, "size").slice(0, 3).forEach((i, place) => {
        const name = document.createElement("bdi"), score = document.createElement("span");
        name.textContent = names[i];
        score.className = v[i] > 0 ? "up" : v[i] < 0 ? "down" : "";
        score.textContent = " " + (Number.isFinite(v[i]) ? write(v[i]) : "unknown");
        largest.append(place ? ", " : "", name, score);
      });
      if (row === state.row) line.setAttribute("aria-current", "true");
      line.append(head, prediction, largest);
      return line;
    }));
  }

  function drawFigures() {
    const photo = document.querySelector(`#figures [data-row="${state.row}"] .px-below[src]`);
    for (const one of document.querySelectorAll("#figures .shown")) {
      one.hidden = Number(one.dataset.row) !== state.row || Number(one.dataset.output) !== state.output;
      if (!one.hidden && photo) one.querySelector(".px-below").src = photo.src;
    }
  }

  // The curves of the output whose scores are shown, where they have the same name.
  function followOutput() {
    const choice = at("effects-output"), name = outputs(state.row)[state.output];
    const found = choice && Array.from(choice.options).find((one) => one.textContent === name);
    if (found) drawEffects(Number((choice.value = found.value)));
  }

  function drawEffects(output) {
    for (const one of document.querySelectorAll("#effects figure")) one.hidden = Number(one.dataset.effect) !== output;
  }

  function draw() {
    if (data.n > 1) {
      const name = document.createElement("bdi"), own = data.rows[state.row];
      name.textContent = own ?? "";
      const count = "Row " + (state.row + 1).toLocaleString("en") + " of " + data.n.toLocaleString("en");
      at("row-title").replaceChildren(count, own === undefined ? "" : ": ", name);
      at("number").value = state.row + 1;
      at("previous").disabled = state.row === 0;
      at("next").disabled = state.row === data.n - 1;
    }
    if (data.outputs.length > 1 && at("output"))
      outputs(state.row).forEach((name, j) => { at("output").options[j].textContent = name; });
    drawHead();
    const said = data.words[state.row * data.k + state.output].map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    });
    document.querySelector("#words ul").replaceChildren(...said);
    drawFigures();
    drawScores();
    drawGlobal();
    drawRows();
  }

  function go(row) {
    if (!Number.isInteger(row)) return;
    state.row = Math.min(Math.max(row, 0), data.n - 1);
    draw();
  }

  function on(id, event, act) {
    const element = at(id);
    if (element) element.addEventListener(event, act);
  }

  on("previous", "click", () => go(state.row - 1));
  on("next", "click", () => go(state.row + 1));
  on("number", "change", (event) => go(Number(event.target.value) - 1));
  on("output", "change", (event) => { state.output = Number(event.target.value); draw(); followOutput(); });
  on("effects-output", "change", (event) => drawEffects(Number(event.target.value)));
  on("search", "input", drawScores);
  on("sort", "change", drawScores);
  on("page-back", "click", () => { state.page--; drawRows(); });
  on("page-on", "click", () => { state.page++; drawRows(); });
  for (const button of document.querySelectorAll("#rows thead button"))
    button.addEventListener("click", () => {
      state.falling = state.by === button.dataset.by && !state.falling;
      state.by = button.dataset.by;
      state.page = 0;
      for (const head of document.querySelectorAll("#rows thead th")) head.removeAttribute("aria-sort");
      button.parentElement.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
      drawRows();
    });
  document.addEventListener("keydown", (event) => {
    const isTyped = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (isTyped || event.altKey || event.ctrlKey || event.metaKey || data.n < 2) return;
    if (event.key === "ArrowLeft") go(state.row - 1);
    if (event.key === "ArrowRight") go(state.row + 1);
  });

  // Photos: the layers are blended by the browser, and a filter hides what is below the threshold.
  on("opacity", "input", (event) => at("figures").style.setProperty("--alpha", event.target.value / 100));
  on("known", "change", (event) => {
    for (const layers of document.querySelectorAll(".px-layers")) {
      const [full, known] = layers.querySelectorAll(".px-heat");
      if (known) [full.hidden, known.hidden] = [event.target.checked, !event.target.checked];
    }
  });
  on("threshold", "input", (event) => {
    const least = event.target.value / 100;
    at("threshold-said").textContent = event.target.value + "%";
    const steps = Array.from({ length: 256 }, (_, i) => (i / 255 >= least ? i / 255 : 0).toFixed(4));
    at("above-table").setAttribute("tableValues", steps.join(" "));
    at("figures").classList.toggle("above", least > 0);
  });

  const themes = ["automatic", "light", "dark"];
  on("theme", "click", () => {
    const label = at("theme").querySelector("span");
    const theme = themes[(themes.indexOf(label.textContent) + 1) % 3];
    label.textContent = theme;
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  });

  for (const element of document.querySelectorAll(".controls, #theme, #global, #rows")) element.hidden = false;
  draw();
  followOutput();
})();
