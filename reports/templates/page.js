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

/* Sorting: first click best first, second click reversed, third click the original order. Cells without a number stay last. */
for (const table of selectAll(document, ".sortable")) {
  const body = table.tBodies[0];
  const original = Array.from(body.rows);
  for (const header of selectAll(table, ".sort")) {
    header.addEventListener("click", (event) => {
      if (!event.target.closest("button")) return;
      const before = header.getAttribute("aria-sort");
      const order = before === null ? "descending" : before === "descending" ? "ascending" : null;
      for (const other of selectAll(table, ".sort")) other.removeAttribute("aria-sort");
      let rows = original;
      if (order) {
        header.setAttribute("aria-sort", order);
        const sign = order === "descending" ? -1 : 1;
        const key = (row) => {
          const text = row.cells[Number(header.dataset.column)].dataset.value;
          return text === undefined ? null : text === "inf" ? Infinity : Number(text);
        };
        rows = original.slice().sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === null || y === null) return (x === null) - (y === null);
          return x === y ? 0 : sign * (x < y ? -1 : 1);
        });
      }
      body.append(...rows);
    });
  }
}
