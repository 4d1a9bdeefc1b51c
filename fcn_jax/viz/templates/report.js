"use strict";
(() => {
  const all = (what, within = document) => Array.from(within.querySelectorAll(what));

  // Tables: a click on a title sorts, a second one turns round; empty cells stay last.
  const key = (row, column) => {
    const cell = row.cells[column];
    const given = cell.dataset.v;
    if (given === undefined) return cell.textContent.trim().toLowerCase();
    return given === "" ? null : Number(given);
  };
  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  };
  for (const table of all("table.sortable")) {
    for (const button of all("thead button", table)) {
      button.addEventListener("click", () => {
        const title = button.closest("th");
        const up = title.getAttribute("aria-sort") === (title.dataset.first || "ascending")
          ? { ascending: "descending", descending: "ascending" }[title.getAttribute("aria-sort")]
          : title.dataset.first || "ascending";
        for (const each of all("th[aria-sort]", table)) each.setAttribute("aria-sort", "none");
        title.setAttribute("aria-sort", up);
        const body = table.tBodies[0], sign = up === "ascending" ? 1 : -1;
        const rows = Array.from(body.rows).map((row) => [key(row, title.cellIndex), row]);
        rows.sort((a, b) => compare(a[0], b[0], sign));
        body.append(...rows.map((each) => each[1]));
      });
    }
  }

  // Pictures: a slider that fades from one layer to the next.
  for (const example of all(".example")) {
    const slider = example.querySelector("input[type=range]");
    const stack = example.querySelector(".stack");
    const stops = all(".stops button", example);
    const show = () => {
      const at = Number(slider.value), near = Math.round(at);
      stack.style.setProperty("--at", at);
      stops.forEach((stop, i) => stop.setAttribute("aria-pressed", String(i === near)));
      slider.setAttribute("aria-valuetext", stops[near].textContent.trim());
    };
    slider.addEventListener("input", show);
    stops.forEach((stop, i) => stop.addEventListener("click", () => {
      slider.value = i;
      show();
    }));
    show();
  }
  const everywhere = document.getElementById("everywhere");
  if (everywhere) {
    everywhere.addEventListener("change", () => {
      for (const slider of all(".example input[type=range]")) {
        slider.value = everywhere.value;
        slider.dispatchEvent(new Event("input"));
      }
    });
  }

  // Classes: what is typed filters tables and pictures; a whole name means that class.
  const filter = document.getElementById("filter");
  const order = document.getElementById("order");
  const said = document.getElementById("said");
  const gallery = document.getElementById("gallery");
  const names = JSON.parse(document.getElementById("names").textContent);
  const apply = () => {
    const text = filter.value.trim().toLowerCase();
    const whole = names.filter((name) => name.toLowerCase() === text);
    const found = new Set(whole.length
      ? whole
      : names.filter((name) => name.toLowerCase().includes(text)));
    for (const row of all("[data-classes]")) {
      const own = JSON.parse(row.dataset.classes);
      row.hidden = text !== "" && !own.some((name) => found.has(name));
    }
    let shown = 0;
    if (gallery) {
      const ranked = all(".example", gallery).map((example) => {
        const iu = JSON.parse(example.dataset.iu);
        const own = text === "" ? [] : Object.keys(iu).filter((name) => found.has(name));
        example.hidden = text !== "" && own.length === 0;
        shown += !example.hidden;
        const mean = own.reduce((sum, name) => sum + iu[name], 0) / own.length;
        return [own.length ? mean : Number(example.dataset.mean), example];
      });
      const sign = order.value === "best" ? -1 : 1;
      ranked.sort((a, b) => sign * (a[0] - b[0]));
      gallery.append(...ranked.map((each) => each[1]));
    }
    said.textContent = text === ""
      ? `${names.length} classes, ${shown} images`
      : `${found.size} of ${names.length} classes, ${shown} images`;
  };
  filter.addEventListener("input", apply);
  if (order) order.addEventListener("change", apply);
  apply();
})();
