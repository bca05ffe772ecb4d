"use strict";
// Zooming, what is under the pointer, and the filter of nodes. All is drawn already; without this the page only holds still.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const UNITS = 100000, LANE = 14, MARKS = 12, MIN_SPAN_MS = 1000, FINE_FROM = 6;
  const SECOND = 1000, MINUTE = 60000, HOUR = 3600000, DAY = 86400000;
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const drawings = all("svg.t"), plots = all(".plot"), flags = all("[data-at]");
  document.documentElement.classList.add("js");
  let from = 0, to = data.span;

  // ---- figures as people write them; the same as in the rest of the page

  const tell = {
    count: (value) => (Math.abs(value) < 100 && value % 1 ? value.toFixed(1) : Math.round(value).toLocaleString("en").replaceAll(",", "\u202f")),
    size(value) {
      const units = ["B", "KB", "MB", "GB", "TB"];
      let at = 0;
      while (Math.abs(value) >= 1000 && at < 4) { value /= 1000; at++; }
      return value.toFixed(at === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2) + " " + units[at];
    },
    duration(ms) {
      if (ms < SECOND) return Math.round(ms) + " ms";
      if (ms < MINUTE) return +(ms / 1000).toFixed(1) + " s";
      for (const [large, name, small, less] of [[DAY, "d", HOUR, "h"], [HOUR, "h", MINUTE, "min"], [MINUTE, "min", SECOND, "s"]]) {
        if (ms >= large) {
          const rest = Math.floor((ms % large) / small);
          return Math.floor(ms / large) + " " + name + (rest ? ` ${rest} ${less}` : "");
        }
      }
    },
  };
  const moment = (ms) => new Date(data.start + ms).toISOString().slice(0, 19).replace("T", " ");

  // ---- zooming

  const steps = [1, 5, 15, 30].map((n) => n * SECOND).concat([1, 5, 10, 15, 30].map((n) => n * MINUTE),
    [1, 2, 3, 6, 12].map((n) => n * HOUR), [1, 2, 7, 14, 30, 61, 122, 365].map((n) => n * DAY));
  const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

  function ticks() {
    const room = Math.min(12, Math.max(2, Math.floor(document.querySelector(".ticks").clientWidth / 70)));
    const step = steps.find((one) => (to - from) / one <= room) || steps.at(-1), found = [];
    if (step >= 30 * DAY) {
      const skip = Math.round(step / (30 * DAY)), start = new Date(data.start);
      for (let month = start.getUTCMonth(); ; month += skip) {
        const at = Date.UTC(start.getUTCFullYear(), month, 1) - data.start;
        if (at > to) return found;
        if (at >= from) found.push([at, step]);
      }
    }
    for (let at = Math.ceil((data.start + from) / step) * step - data.start; at <= to; at += step) found.push([at, step]);
    return found;
  }

  function label(ms, step) {
    const at = new Date(data.start + ms);
    if (step >= 30 * DAY) return months[at.getUTCMonth()] + (at.getUTCMonth() ? "" : " " + at.getUTCFullYear());
    if ((data.start + ms) % DAY === 0) return months[at.getUTCMonth()] + " " + at.getUTCDate();
    return at.toISOString().slice(11, step < MINUTE ? 19 : 16);
  }

  const percent = (ms) => (100 * (ms - from)) / (to - from);

  function show(newFrom, newTo) {
    const span = Math.min(data.span, Math.max(Math.min(MIN_SPAN_MS, data.span), newTo - newFrom));
    from = Math.max(0, Math.min(newFrom, data.span - span));
    to = from + span;
    const x = (UNITS * from) / data.span, width = (UNITS * span) / data.span;
    for (const one of drawings) one.setAttribute("viewBox", `${x} 0 ${width} ${one.dataset.h}`);
    document.documentElement.classList.toggle("zoomed", data.span / span > FINE_FROM);
    for (const one of flags) {
      one.style.left = percent(+one.dataset.at) + "%";
      one.hidden = +one.dataset.at < from || +one.dataset.at > to;
    }
    for (const one of all(".ticks")) {
      one.replaceChildren(...ticks().filter(([at]) => percent(at) < 98.5).map(([at, step]) => {
        const tick = document.createElement("span");
        tick.style.left = percent(at) + "%";
        tick.textContent = label(at, step);
        return tick;
      }));
    }
    say(`From ${moment(from)} to ${moment(to)}`);
  }

  function zoom(factor, around) {
    const center = around ?? (from + to) / 2;
    show(center - (center - from) * factor, center + (to - center) * factor);
  }

  function move(part) {
    const by = (to - from) * part;
    show(from + by, to + by);
  }

  const actions = {
    in: () => zoom(0.5, cursorAt), out: () => zoom(2, cursorAt), left: () => move(-0.25), right: () => move(0.25),
    all: () => show(0, data.span),
  };
  for (const button of all("[data-do]")) button.addEventListener("click", () => actions[button.dataset.do]());
  const keys = { "+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all", Home: "all" };
  document.getElementById("timeline").addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey) return;
    if (event.altKey && event.key.startsWith("Arrow")) stepCursor(event.key === "ArrowLeft" ? -1 : 1);
    else if (keys[event.key] && !event.altKey) actions[keys[event.key]]();
    else return;
    event.preventDefault();
  });
  for (const link of all("[data-time]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const at = +link.dataset.time, around = Math.max(data.span / 40, Math.min(data.span, 600 * SECOND));
      show(at - around, at + around);
      const place = document.querySelector(link.hash);
      place.hidden = false; // a filter may have hidden it
      place.scrollIntoView({ block: link.hash === "#timeline" ? "start" : "center" });
      document.getElementById("timeline").focus({ preventScroll: true });
    });
  }

  addEventListener("resize", () => show(from, to));
  addEventListener("beforeprint", actions.all);

  // ---- what is under the pointer

  const make = (name) => all(".lines").map((lines) => {
    const one = document.createElement("div");
    one.className = name;
    one.hidden = true;
    lines.append(one);
    return one;
  });
  const cursors = make("cursor"), spans = make("chosen-span");
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  const voice = document.body.appendChild(document.createElement("div"));
  voice.className = "read";
  voice.setAttribute("aria-live", "polite");
  const say = (text) => { voice.textContent = text; };
  let cursorAt = null, dragFrom = null;

  function timeAt(plot, clientX) {
    const box = plot.getBoundingClientRect();
    return from + (Math.min(1, Math.max(0, (clientX - box.left) / box.width))) * (to - from);
  }

  function place(elements, start, end) {
    for (const one of elements) {
      const plot = one.parentElement.querySelector(".plot"), lines = one.parentElement.getBoundingClientRect();
      const box = plot.getBoundingClientRect(), x = (ms) => box.left - lines.left + (box.width * (ms - from)) / (to - from);
      one.hidden = start === null || end < from || start > to;
      if (one.hidden) continue;
      one.style.left = x(start) + "px";
      if (end !== start) one.style.width = x(end) - x(start) + "px";
    }
  }

  function pieceAt([name, ends, texts], at) {
    let low = 0, high = ends.length - 1;
    if (high < 0) return "";
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle] <= at) low = middle + 1; else high = middle;
    }
    const start = low ? ends[low - 1] : 0;
    return `${name}: ${data.texts[texts[low]]} (${tell.duration(ends[low] - start)})`;
  }

  function marksAt(at, near, marks) {
    const found = marks.filter(([time]) => Math.abs(time - at) <= near);
    const lines = found.slice(0, 6).map(([time, kind, detail, count]) =>
      `${moment(time).slice(11)} ${kind}${count > 1 ? " × " + count : ""} ${detail}`);
    return found.length > 6 ? [...lines, `and ${found.length - 6} more`] : lines;
  }

  function faultsAt(at) {
    return data.faults[Math.min(data.faults.length - 1, Math.floor((at / data.span) * data.faults.length))].split(", ");
  }

  function told(plot, at, y) {
    const near = ((to - from) / plot.clientWidth) * 5;
    if (plot.dataset.node) {
      const node = data.nodes[plot.dataset.node], lane = Math.floor((y - MARKS - 2) / LANE);
      const lanes = node.lanes[lane] && y > MARKS ? [node.lanes[lane]] : node.lanes;
      return [node.name, ...lanes.map((one) => pieceAt(one, at)), ...marksAt(at, near, node.marks)];
    }
    if (plot.dataset.chart) return chartAt(data.charts[plot.dataset.chart], at, near);
    const lane = plot.dataset.lane || "";
    if (lane === "marks") return faultsAt(at);
    if (lane.startsWith("hub")) return [pieceAt(data.hubs[lane.slice(3)], at)];
    if (lane === "heat") return [data.heat[Math.max(0, Math.floor((y / plot.clientHeight) * data.heat.length))] || ""];
    return [];
  }

  function chartAt(chart, at, near) {
    const format = tell[chart.tell];
    const lines = chart.curves.map(([name, values]) =>
      `${name}: ${format(values[Math.min(values.length - 1, Math.floor(at / chart.width))])}`);
    chart.stems.forEach(([time, value, reached], index) => {
      if (Math.abs(time - at) <= near * 2) lines.push(`${data.wishes[index]}: ${reached ? "" : "not reached in "}${format(value)}`);
    });
    return lines;
  }

  function showTip(plot, event, at) {
    const lines = told(plot, at, event.clientY - plot.getBoundingClientRect().top).filter(Boolean);
    const head = document.createElement("b");
    head.textContent = moment(at);
    tip.replaceChildren(head, lines.join("\n"));
    tip.hidden = false;
    const right = event.clientX + 16 + tip.offsetWidth > innerWidth;
    tip.style.left = (right ? Math.max(4, event.clientX - 16 - tip.offsetWidth) : event.clientX + 16) + "px";
    tip.style.top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 6) + "px";
  }

  function stepCursor(direction) {
    const at = (cursorAt ?? (from + to) / 2) + (direction * (to - from)) / 60;
    cursorAt = Math.min(to, Math.max(from, at));
    place(cursors, cursorAt, cursorAt);
    const lines = plots.flatMap((plot) => (plot.offsetParent && (plot.dataset.node || plot.dataset.lane === "marks") ? told(plot, cursorAt, -1) : []));
    say([moment(cursorAt), ...lines.filter(Boolean)].join(". "));
  }

  for (const plot of plots) {
    plot.addEventListener("pointermove", (event) => {
      cursorAt = timeAt(plot, event.clientX);
      place(cursors, cursorAt, cursorAt);
      if (dragFrom !== null) place(spans, Math.min(dragFrom, cursorAt), Math.max(dragFrom, cursorAt));
      showTip(plot, event, cursorAt);
    });
    plot.addEventListener("pointerleave", () => { tip.hidden = true; });
    plot.addEventListener("pointerdown", (event) => {
      if (event.button || event.target.closest("a") || event.pointerType === "touch") return;
      dragFrom = timeAt(plot, event.clientX);
      plot.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    plot.addEventListener("pointerup", (event) => {
      if (dragFrom === null) return;
      const end = timeAt(plot, event.clientX), start = dragFrom;
      dragFrom = null;
      place(spans, null, null);
      if (Math.abs(end - start) > (to - from) / 200) show(Math.min(start, end), Math.max(start, end));
    });
    plot.addEventListener("dblclick", actions.all);
    plot.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.shiftKey) return; // a page scrolls unless one asks for more
      event.preventDefault();
      zoom((event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8, timeAt(plot, event.clientX));
    }, { passive: false });
  }

  // ---- the filter of nodes

  const filter = document.getElementById("filter"), troubled = document.getElementById("troubled");
  function choose() {
    const text = filter.value.trim().toLowerCase();
    for (const node of all(".node")) {
      node.hidden = !node.dataset.name.includes(text) || (troubled.checked && node.dataset.violations === "0");
    }
  }
  filter.addEventListener("input", choose);
  troubled.addEventListener("change", choose);
  show(0, data.span);
})();
