// A table of regions: a click on a head sorts, words and sizes filter, arrow keys move, and the chosen row follows.
const COLUMNS = [["class", "Class"], ["number", "No."], ["area", "Area"], ["place", "Place"], ["sure", "Certainty"]];
const SIZE = /^([<>])\s*([\d.,]+)\s*(ha|km²|km2|m²|m2|px)?$/;
const UNITS = { ha: 1e4, "km²": 1e6, km2: 1e6, "m²": 1, m2: 1, px: 1 };

// A filter such as "> 2 ha" compares areas; any other must stand in one of the cells.
function passes(row, text) {
  const size = SIZE.exec(text);
  if (!size) return row.cells.some((cell) => String(cell).toLowerCase().includes(text));
  const limit = Number(size[2].replace(",", ".")) * (UNITS[size[3]] ?? 1);
  return size[1] === ">" ? row.area > limit : row.area < limit;
}

function make(kind, properties = {}, parent) {
  const one = Object.assign(document.createElement(kind), properties);
  parent?.append(one);
  return one;
}

export default {
  render({ model, el }) {
    let order = { column: "", down: true }, filter = "";
    el.classList.add("spex", "spex-regions");
    const filterBox = make("input", { type: "search", placeholder: "filter: north, or > 2 ha" }, el);
    filterBox.setAttribute("aria-label", "Filter the regions");
    const frame = make("div", { className: "spex-frame" }, el), table = make("table", {}, frame);
    table.setAttribute("aria-label", "Regions");
    const head = make("tr", {}, make("thead", {}, table)), body = make("tbody", {}, table);
    const count = make("div", { className: "quiet" }, el);
    count.setAttribute("role", "status");
    const heads = COLUMNS.map(([name, label]) => {
      const cell = make("th", { scope: "col", className: `spex-${name}` }, head);
      make("button", { textContent: label, type: "button", title: `Sort by ${label.toLowerCase()}`, onclick: () => {
        order = { column: name, down: order.column === name ? !order.down : name === "area" || name === "sure" };
        draw();
      } }, cell);
      return [name, cell];
    });
    const choose = (row) => { model.set("value", row); model.save_changes(); };
    const shown = () => {
      const kept = model.get("rows").filter((row) => !filter || passes(row, filter));
      if (!order.column) return kept;
      const key = (row) => row[order.column];
      const text = (a, b) => String(key(a)).localeCompare(String(key(b)), undefined, { numeric: true });
      const less = (a, b) => (typeof key(a) === "number" ? key(a) - key(b) : text(a, b));
      return kept.sort((a, b) => (order.down ? -less(a, b) : less(a, b)));
    };
    function draw() {
      const rows = shown(), chosen = model.get("value"), all = model.get("rows").length;
      el.style.display = all ? "" : "none";
      for (const [name, cell] of heads) {
        const direction = order.down ? "descending" : "ascending";
        cell.setAttribute("aria-sort", name === order.column ? direction : "none");
      }
      body.replaceChildren(...rows.map((row, place) => {
        const line = make("tr", { tabIndex: row.row === chosen || (chosen < 0 && !place) ? 0 : -1 });
        line.dataset.row = row.row;
        line.setAttribute("aria-selected", String(row.row === chosen));
        row.cells.forEach((cell, place) => make("td", { textContent: cell, className: `spex-${COLUMNS[place][0]}` }, line));
        line.onclick = () => choose(row.row);
        return line;
      }));
      // A class that all regions share says nothing in a narrow panel.
      table.classList.toggle("spex-one-class", new Set(model.get("rows").map((row) => row.class)).size < 2);
      const known = model.get("total");
      count.textContent = rows.length === known ? `${known} regions` : `${rows.length} of ${known} regions`;
    }
    const move = (event) => {
      const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
      const line = event.target.closest("tr[data-row]");
      const next = line && (step ? line[step] : { Home: body.firstChild, End: body.lastChild }[event.key]);
      if (line && event.key === "Enter") choose(Number(line.dataset.row));
      if (!next) return;
      event.preventDefault();
      event.stopPropagation();
      choose(Number(next.dataset.row));
      body.querySelector(`[data-row="${next.dataset.row}"]`)?.focus();
    };
    const mark = () => {
      const chosen = String(model.get("value"));
      for (const line of body.children) {
        const is = line.dataset.row === chosen;
        line.setAttribute("aria-selected", String(is));
        line.tabIndex = is ? 0 : -1;
        if (is) line.scrollIntoView({ block: "nearest" });
      }
      if (!body.querySelector("[tabindex='0']") && body.firstChild) body.firstChild.tabIndex = 0;
    };
    filterBox.oninput = () => { filter = filterBox.value.trim().toLowerCase(); draw(); };
    body.addEventListener("keydown", move);
    model.on("change:rows", draw);
    model.on("change:value", mark);
    draw();
    return () => { model.off("change:rows", draw); model.off("change:value", mark); };
  },
};
