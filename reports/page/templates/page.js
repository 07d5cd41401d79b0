"use strict";
const select = (place, what) => place.querySelector(what);
const selectAll = (place, what) => Array.from(place.querySelectorAll(what));

/* Protocol: one choice for every table and every score of the page. */
const protocol = {
  name: select(document, "[data-protocol]")?.dataset.protocol ?? "",
  listeners: [],
  choose(name) {
    protocol.name = name;
    for (const part of selectAll(document, ".of-protocol")) part.hidden = part.dataset.protocol !== name;
    for (const listener of protocol.listeners) listener();
  },
};
{
  const choices = document.getElementById("protocols");
  if (choices) {
    choices.hidden = false;
    choices.addEventListener("change", (event) => protocol.choose(event.target.value));
    /* a browser keeps the choice of a reloaded page, but not what was shown for it */
    const kept = select(choices, "input:checked");
    if (kept && kept.value !== protocol.name) protocol.choose(kept.value);
  }
}

/* Theme: the system's, or one that the reader chose; remembered where the browser allows it. */
{
  const button = document.getElementById("theme");
  const themes = ["system", "light", "dark"];
  const memory = {
    read() { try { return localStorage.getItem("derainbench-theme"); } catch { return null; } },
    write(name) { try { localStorage.setItem("derainbench-theme", name); } catch { /* private or file pages may refuse */ } },
  };
  const apply = (name) => {
    if (name === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    button.textContent = `Theme: ${name}`;
    button.dataset.next = themes[(themes.indexOf(name) + 1) % themes.length];
  };
  const remembered = memory.read();
  apply(themes.includes(remembered) ? remembered : "system");
  button.hidden = false;
  button.addEventListener("click", () => {
    const name = button.dataset.next;
    apply(name);
    memory.write(name);
  });
}

/* Filters: words that must all be in a name; commas separate alternatives. */
const matches = (name, wanted) => {
  const ways = wanted.toLowerCase().split(",").map((way) => way.split(/\s+/).filter(Boolean)).filter((way) => way.length);
  const text = name.toLowerCase();
  return !ways.length || ways.some((way) => way.every((word) => text.includes(word)));
};
/* One row that says so, as wide as what is shown of the table. */
const noMatch = (table, words) => {
  const row = document.createElement("tr");
  const cell = row.insertCell();
  row.className = "no-match";
  const heads = Array.from(table.tHead.rows[0].cells).filter((head) => !head.hidden);
  cell.colSpan = heads.reduce((sum, head) => sum + head.colSpan, 0);
  cell.textContent = words;
  return row;
};
const methodFilter = {
  wanted: "",
  listeners: [],
  choose(wanted) {
    methodFilter.wanted = wanted;
    for (const listener of methodFilter.listeners) listener();
  },
};
{
  const filters = document.getElementById("filters");
  if (filters) {
    const input = document.getElementById("method-filter");
    const count = document.getElementById("method-count");
    const rows = selectAll(document, "tr[data-method]");
    methodFilter.listeners.push(() => {
      for (const row of rows) row.hidden = !matches(row.dataset.method, methodFilter.wanted);
      for (const each of selectAll(document, "table.comparison")) {
        const body = each.tBodies[0];
        select(body, ".no-match")?.remove();
        if (Array.from(body.rows).every((row) => row.hidden)) body.append(noMatch(each, "No method matches."));
      }
      const table = rows[0] ? selectAll(rows[0].parentElement, "tr[data-method]") : [];
      const left = table.filter((row) => !row.hidden).length;
      count.textContent = methodFilter.wanted.trim() ? `${left} of ${table.length} methods, here and in the tables of images` : "";
    });
    input.addEventListener("input", () => methodFilter.choose(input.value));
    const checks = document.getElementById("dataset-filter");
    checks?.addEventListener("change", () => {
      /* of a cell and its heads: data-column counts cells from 0, the method's name and its parameters come first */
      const left = selectAll(checks, "input").map((check) => check.checked);
      for (const table of selectAll(document, "table.comparison")) {
        for (const head of selectAll(table.tHead, "[data-dataset]")) head.hidden = !left[Number(head.dataset.dataset)];
        const heads = Array.from(table.tHead.rows[1].cells);
        for (const row of table.tBodies[0].rows) heads.forEach((head, number) => { row.cells[number + 2].hidden = head.hidden; });
      }
    });
    filters.hidden = false;
  }
}

/* Sorting: first click best first, second click reversed, third click the original order. Cells without a number stay last.
   A header says where the lowest is best.
   A table gets the header and the order, and sorts itself by `inOrder`. */
const inOrder = (order) => {
  const sign = order === "descending" ? -1 : 1;
  return (x, y) => {
    if (x === null || y === null) return (x === null) - (y === null);
    return x === y ? 0 : sign * (x < y ? -1 : 1);
  };
};
const markSorted = (table, isSorted, order) => {
  for (const header of selectAll(table, ".sort")) {
    if (order && isSorted(header)) header.setAttribute("aria-sort", order);
    else header.removeAttribute("aria-sort");
  }
};
const nextOrder = (header) => {
  const before = header.getAttribute("aria-sort");
  const orders = header.dataset.best === "lowest" ? ["ascending", "descending"] : ["descending", "ascending"];
  return before === null ? orders[0] : before === orders[0] ? orders[1] : null;
};
function onSort(table, listener) {
  for (const header of selectAll(table, ".sort")) {
    header.addEventListener("click", (event) => { if (event.target.closest("button")) listener(header, nextOrder(header)); });
  }
}
/* The comparison has a table a protocol, which sort together: who switches looks at the same order of the same column. */
const sortable = selectAll(document, ".sortable").map((table) => {
  const body = table.tBodies[0];
  const original = Array.from(body.rows);
  const key = (row, column) => {
    const text = row.cells[column].dataset.value;
    return text === undefined ? null : text === "inf" ? Infinity : Number(text);
  };
  const sort = (column, order) => {
    markSorted(table, (header) => Number(header.dataset.column) === column, order);
    const compare = inOrder(order);
    body.append(...(order ? original.slice().sort((a, b) => compare(key(a, column), key(b, column))) : original));
  };
  return { table, sort, together: table.matches(".comparison") };
});
for (const one of sortable) {
  const others = one.together ? sortable.filter((other) => other.together) : [one];
  onSort(one.table, (header, order) => {
    for (const other of others) other.sort(Number(header.dataset.column), order);
  });
}

/* Paper has no folds: what is closed on the screen is printed open, and closed again. */
{
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = selectAll(document, "details.fold:not([open])");
    for (const fold of opened) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of opened) fold.open = false;
  });
}

/* The bar scrolls sideways on narrow screens: the section that is read stays in it, and is marked. */
{
  const bar = select(document, ".links");
  const links = new Map(selectAll(bar, "a").map((link) => [link.hash.slice(1), link]));
  const sections = Array.from(links.keys(), (id) => document.getElementById(id)).filter(Boolean);
  let now = null;
  const follow = () => {
    const above = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3);
    const link = above.length ? links.get(above[above.length - 1].id) : null;
    if (link === now) return;
    now?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "true");
    now = link;
    if (link) bar.scrollTo({ left: link.offsetLeft - bar.offsetLeft - 40 });
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; follow(); });
  }, { passive: true });
}
