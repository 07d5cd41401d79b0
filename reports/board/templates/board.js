/* A dataset's boards: as many rows as are looked at, sorted within their board; the scores of images come when asked for. */
const told = JSON.parse(document.getElementById("board-data").textContent);
const METRICS = new Map(told.metrics.map((metric) => [metric.name, metric]));
const MORE = 200; /* rows that a press of "more" adds */
const word = (column, row) => column.words[column.of[row]];
const element = (name, text, kind) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
};
const byId = (id) => document.getElementById(id);
const number = (text) => (text === "–" ? null : Number(text.replace("∞", "Infinity")));

/* What is chosen lies in the address, so that a link shows the same. */
const choice = { images: "", protocol: "", training: "", words: "", statuses: null, compare: [] };
function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  const boards = told.boards.filter((board) => !said.get("images") || board.set === said.get("images"));
  const first = boards[0] ?? told.boards[0];
  choice.images = first.set;
  const protocols = new Set(told.boards.filter((board) => board.set === choice.images).map((board) => board.protocol));
  choice.protocol = protocols.has(said.get("protocol")) ? said.get("protocol") : [...protocols][0];
  choice.training = said.get("trained") ?? "";
  choice.compare = (said.get("compare") ?? "").split(",").filter(Boolean).slice(0, 2);
}
function writeAddress() {
  const said = new URLSearchParams({ images: choice.images, protocol: choice.protocol });
  if (choice.training) said.set("trained", choice.training);
  if (choice.compare.length) said.set("compare", choice.compare.join(","));
  try { history.replaceState(null, "", `#${said}`); } catch { /* some browsers refuse it on a page from a disk */ }
}

const shownBoards = () => told.boards.filter((board) => board.set === choice.images && board.protocol === choice.protocol);
let sort = null; /* {column, order} */
let limits = new Map();

const columns = () => {
  const boards = shownBoards();
  const metrics = told.metrics.filter((metric) => boards.some((board) => board.scores[metric.name]));
  return [
    ...metrics.map((metric) => ({
      title: metric.title, unit: metric.unit, best: metric.higherIsBetter ? "highest" : "lowest", metric: metric.name,
      key: (board, row) => (board.scores[metric.name] ? number(board.scores[metric.name].text[row]) : null),
    })),
    { title: "Parameters", best: "lowest", key: (board, row) => board.parameters[row], text: (value) => value.toLocaleString("en") },
    { title: "GMACs", best: "lowest", key: (board, row) => board.macs[row], text: (value) => value.toFixed(2) },
  ];
};

function scoreCell(board, row, metric) {
  const scores = board.scores[metric];
  const cell = element("td");
  if (!scores || scores.text[row] === "–") {
    cell.className = "missing";
    cell.textContent = "–";
    return cell;
  }
  const rank = scores.rank[row];
  cell.append(element(rank === 1 ? "strong" : "span", scores.text[row], ["", "best", "second"][rank]));
  if (rank) cell.append(element("span", rank === 1 ? " best" : " second best", "said"));
  if (scores.tied[row]) cell.append(element("span", "†", "tied"));
  if (board.seen[row]) cell.append(element("span", "‡", "tied"));
  if (scores.deviation[row]) cell.append(element("span", `± ${scores.deviation[row]}`, "deviation"));
  if (scores.interval[row]) cell.append(element("span", scores.interval[row], "interval"));
  return cell;
}

function line(board, row, shown) {
  const made = element("tr");
  const head = element("th", undefined, "name");
  head.scope = "row";
  const link = element("a", word(board.title, row));
  link.href = `../methods/${word(board.page, row)}.html`;
  head.append(link);
  if (word(board.name, row)) head.append(element("small", word(board.name, row), "code"));
  if (word(board.doubt, row)) head.append(element("small", word(board.doubt, row)));
  made.append(head);
  const status = element("td", undefined, "text");
  status.append(element("span", word(board.status, row), `status ${word(board.status, row)}`));
  made.append(status);
  for (const column of shown) {
    if (column.metric) made.append(scoreCell(board, row, column.metric));
    else {
      const value = column.key(board, row);
      made.append(value === null ? element("td", "–", "missing") : element("td", column.text(value)));
    }
  }
  const version = word(board.version, row);
  const by = [word(board.who, row), word(board.how, row), version && `derainbench ${version}`].filter(Boolean).join("; ");
  made.append(element("td", by, "text wraps"), element("td", word(board.licence, row) || "–", "text wraps"));
  const compare = element("td", undefined, "text");
  if (board.file[row]) {
    const button = element("button", "compare", "pick");
    button.type = "button";
    button.dataset.row = word(board.id, row);
    button.setAttribute("aria-label", `Compare ${word(board.title, row)}`);
    button.setAttribute("aria-pressed", String(choice.compare.includes(button.dataset.row)));
    compare.append(button);
  }
  made.append(compare);
  return made;
}

function rowsOf(board) {
  const found = [];
  for (let row = 0; row < board.parameters.length; row += 1) {
    if (choice.statuses && !choice.statuses.has(word(board.status, row))) continue;
    if (choice.words.trim() && !matches(`${word(board.title, row)} ${word(board.name, row)} ${word(board.who, row)}`, choice.words)) continue;
    found.push(row);
  }
  if (sort) {
    const compare = inOrder(sort.order);
    const keys = board.parameters.map((_, row) => sort.column.key(board, row));
    found.sort((a, b) => compare(keys[a], keys[b]));
  }
  return found;
}

function showHead(shown) {
  const row = element("tr");
  const name = (text, kind) => {
    const head = element("th", text, kind);
    head.scope = "col";
    row.append(head);
    return head;
  };
  name("Method", "name");
  name("Status", "text");
  for (const column of shown) {
    const head = name(undefined, "sort");
    head.dataset.best = column.best;
    const button = element("button", column.title);
    button.type = "button";
    if (column.unit) button.append(" ", element("small", column.unit));
    head.append(button);
    if (sort && sort.column.title === column.title) head.setAttribute("aria-sort", sort.order);
  }
  name("By", "text");
  name("Weights' licence", "text");
  name("Compare", "text");
  const table = byId("board-table");
  table.tHead.replaceChildren(row);
}

function show() {
  const shown = columns();
  const table = byId("board-table");
  const body = table.tBodies[0];
  showHead(shown);
  const boards = shownBoards().filter((board) => !choice.training || board.trained === choice.training);
  const parts = [];
  let count = 0, all = 0;
  const first = boards.length > 4 ? 25 : 100;
  for (const board of boards) {
    const rows = rowsOf(board);
    all += board.parameters.length;
    count += rows.length;
    if (!rows.length) continue;
    const head = element("tr", undefined, "board-head");
    const cell = element("th");
    cell.scope = "rowgroup";
    cell.colSpan = shown.length + 5;
    const words = element("div", board.trained === "untrained" ? "Not trained " : board.trained === "unknown" ? "Training set unknown " : `Trained on ${board.trained} `);
    words.append(element("small", `${rows.length.toLocaleString("en")} row${rows.length === 1 ? "" : "s"}`));
    cell.append(words);
    head.append(cell);
    parts.push(head);
    const limit = limits.get(board) ?? first;
    for (const row of rows.slice(0, limit)) parts.push(line(board, row, shown));
    if (rows.length > limit) {
      const more = element("tr", undefined, "board-more more");
      const place = element("td");
      place.colSpan = shown.length + 5;
      const button = element("button", `Show ${Math.min(MORE, rows.length - limit)} more of ${rows.length.toLocaleString("en")}`);
      button.type = "button";
      button.addEventListener("click", () => { limits.set(board, limit + MORE); show(); });
      place.append(button);
      more.append(place);
      parts.push(more);
    }
  }
  body.replaceChildren(...parts);
  if (!parts.length) body.append(noMatch(table, "No row matches."));
  byId("board-count").textContent = count === all ? `${all.toLocaleString("en")} rows` : `${count.toLocaleString("en")} of ${all.toLocaleString("en")} rows`;
  byId("board-notes").replaceChildren(...boards.flatMap((board) => board.notes.map((note) => element("p", `Trained on ${board.trained}: ${note}`))));
}

function fill(select, options, value) {
  select.replaceChildren(...options.map(([key, text]) => {
    const option = element("option", text);
    option.value = key;
    return option;
  }));
  select.value = value;
}
function showChoices() {
  fill(byId("of-images"), told.sets.map((set) => [set.digest, `${set.images.length} images, ${set.digest}${set.whole ? "" : ", a part"}`]), choice.images);
  const here = told.boards.filter((board) => board.set === choice.images);
  fill(byId("of-protocol"), Array.from(new Set(here.map((board) => board.protocol)), (name) => [name, name]), choice.protocol);
  const trainings = Array.from(new Set(shownBoards().map((board) => board.trained)));
  if (!trainings.includes(choice.training)) choice.training = "";
  fill(byId("of-training"), [["", "each, a board of its own"], ...trainings.map((name) => [name, name])], choice.training);
}

/* Two rows: their scores come from files beside the page, each of a hundred rows. */
const taken = new Map(), awaited = new Map();
globalThis.board = {
  take(name, scores) {
    taken.set(name, scores);
    for (const ready of awaited.get(name) ?? []) ready(scores);
    awaited.delete(name);
  },
};
function scoresOf(board, row) {
  const [file, place] = board.file[row];
  const name = `scores/${board.stem}-${file}.js`;
  return new Promise((ready, failed) => {
    const give = (scores) => ready(scores[place]);
    if (taken.has(name)) { give(taken.get(name)); return; }
    const waiting = awaited.get(name);
    awaited.set(name, [...(waiting ?? []), give]);
    if (waiting) return;
    const script = element("script");
    script.src = `../${name}`;
    script.addEventListener("error", () => { awaited.delete(name); failed(new Error(name)); });
    document.head.append(script);
  });
}
const found = (id) => {
  for (const board of shownBoards()) {
    const row = board.id.of.findIndex((at) => board.id.words[at] === id);
    if (row >= 0 && board.file[row]) return { board, row, title: `${word(board.title, row)} (trained on ${board.trained})` };
  }
  return null;
};
const value = (score, metric) => (score === null || score === undefined ? null : score === "inf" ? Infinity : score === "-inf" ? -Infinity : score / 10 ** METRICS.get(metric).digits);
const said = (score, metric) => (score === null ? "–" : Number.isFinite(score) ? score.toFixed(METRICS.get(metric).digits) : score > 0 ? "∞" : "-∞");

let pair = null; /* {names, scores: [a, b], metric, order, rows} */
async function showPair() {
  const picked = choice.compare.map(found).filter(Boolean);
  const words = byId("pair-words");
  byId("pair-shown").hidden = picked.length < 2;
  if (picked.length < 2) {
    pair = null;
    words.textContent = picked.length ? `${picked[0].title} and which other? Press compare in one more row.` : "Press compare in two rows of the board.";
    return;
  }
  let scores;
  try {
    scores = await Promise.all(picked.map(({ board, row }) => scoresOf(board, row)));
  } catch (error) {
    byId("pair-shown").hidden = true;
    words.textContent = `The scores of images are not there: ${error.message} must lie beside this page's folder.`;
    return;
  }
  const metrics = Array.from(METRICS.keys()).filter((metric) => scores.every((each) => each[metric]));
  const metric = pair && metrics.includes(pair.metric) ? pair.metric : metrics[0];
  const alike = picked[0].board === picked[1].board;
  pair = { titles: picked.map((each) => (alike ? word(each.board.title, each.row) : each.title)), scores, metric, order: null, rows: 50 };
  fill(byId("pair-metric"), metrics.map((name) => [name, METRICS.get(name).title]), metric);
  drawPair();
}
function drawPair() {
  const { metric, titles } = pair;
  const kind = METRICS.get(metric);
  const images = told.sets.find((set) => set.digest === choice.images).images;
  const [a, b] = pair.scores.map((each) => each[metric].map((score) => value(score, metric)));
  const rows = images.map((name, n) => ({ name, a: a[n], b: b[n], difference: a[n] === null || b[n] === null ? null : a[n] === b[n] ? 0 : a[n] - b[n] }));
  const both = rows.filter((row) => row.difference !== null);
  const sign = kind.higherIsBetter ? 1 : -1;
  const wins = both.filter((row) => sign * row.difference > 0).length;
  const losses = both.filter((row) => sign * row.difference < 0).length;
  const finite = both.map((row) => row.difference).filter(Number.isFinite);
  const mean = finite.length ? finite.reduce((sum, each) => sum + each, 0) / finite.length : null;
  byId("pair-words").textContent = `${titles[0]} against ${titles[1]}, ${kind.title}: better in ${wins}, equal in ${both.length - wins - losses}, worse in ${losses} of ${both.length} images`
    + (mean === null ? "." : `; the mean difference is ${mean > 0 ? "+" : ""}${mean.toFixed(kind.digits)}${kind.unit ? ` ${kind.unit}` : ""}.`);
  if (pair.order) {
    const compare = inOrder(pair.order.order);
    rows.sort((x, y) => compare(x[pair.order.key], y[pair.order.key]));
  }
  const head = element("tr");
  for (const [text, key] of [["Image", null], [titles[0], "a"], [titles[1], "b"], ["Difference", "difference"]]) {
    const cell = element("th", key ? undefined : text, key ? "sort" : "name");
    cell.scope = "col";
    if (key) {
      cell.dataset.key = key;
      cell.style.whiteSpace = "normal";
      const button = element("button", text);
      button.type = "button";
      cell.append(button);
      if (pair.order?.key === key) cell.setAttribute("aria-sort", pair.order.order);
    }
    head.append(cell);
  }
  const table = byId("pair-table");
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...rows.slice(0, pair.rows).map((row) => {
    const made = element("tr");
    const name = element("th", row.name, "name");
    name.scope = "row";
    made.append(name, element("td", said(row.a, metric)), element("td", said(row.b, metric)));
    made.append(element("td", row.difference === null ? "–" : `${row.difference > 0 ? "+" : ""}${said(row.difference, metric)}`));
    return made;
  }));
  const more = byId("pair-more");
  more.hidden = rows.length <= pair.rows;
  more.textContent = `Show all ${rows.length.toLocaleString("en")} images`;
  byId("pair-chart").replaceChildren(scatter(both.filter((row) => Number.isFinite(row.difference)), titles, kind));
}
function scatter(rows, titles, kind) {
  const drawn = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, said] of Object.entries(attributes)) made.setAttribute(key, said);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const svg = drawn("svg", { viewBox: "0 0 320 320", role: "img", "aria-label": `${kind.title} of each image: ${titles[0]} upwards, ${titles[1]} to the right` });
  const values = rows.flatMap((row) => [row.a, row.b]);
  const low = values.reduce((x, y) => Math.min(x, y), Infinity), high = values.reduce((x, y) => Math.max(x, y), -Infinity);
  const place = (score) => 40 + ((score - low) / (high - low || 1)) * 260;
  svg.append(drawn("line", { x1: 40, y1: 280, x2: 300, y2: 20 }), drawn("line", { x1: 40, y1: 280, x2: 300, y2: 280 }), drawn("line", { x1: 40, y1: 280, x2: 40, y2: 20 }));
  for (const row of rows) svg.append(drawn("circle", { cx: place(row.b).toFixed(1), cy: (320 - place(row.a)).toFixed(1), r: rows.length > 300 ? 2 : 3.5 }));
  if (rows.length) {
    svg.append(drawn("text", { x: 40, y: 296 }, said(low, kind.name)), drawn("text", { x: 300, y: 296, "text-anchor": "end" }, said(high, kind.name)));
    svg.append(drawn("text", { x: 170, y: 312, "text-anchor": "middle" }, titles[1].slice(0, 48)), drawn("text", { x: 14, y: 150, "text-anchor": "middle", transform: "rotate(-90 14 150)" }, titles[0].slice(0, 48)));
  }
  return svg;
}

function again() {
  showChoices();
  show();
  writeAddress();
  showPair();
}
for (const [id, name] of [["of-images", "images"], ["of-protocol", "protocol"], ["of-training", "training"]]) {
  byId(id).addEventListener("change", (event) => {
    choice[name] = event.target.value;
    limits = new Map();
    if (name === "images") {
      choice.compare = [];
      const here = told.boards.filter((board) => board.set === choice.images).map((board) => board.protocol);
      if (!here.includes(choice.protocol)) choice.protocol = here[0];
    }
    if (name === "protocol") choice.compare = [];
    again();
  });
}
byId("of-words").addEventListener("input", (event) => { choice.words = event.target.value; show(); });
byId("of-status").addEventListener("change", (event) => {
  choice.statuses = new Set(selectAll(event.currentTarget, "input:checked").map((check) => check.value));
  show();
});
byId("board-table").addEventListener("click", (event) => {
  const head = event.target.closest(".sort");
  if (head && event.target.closest("button")) {
    const title = head.querySelector("button").firstChild.textContent;
    const column = columns().find((each) => each.title === title);
    const order = nextOrder(head);
    sort = order && { column, order };
    show();
    selectAll(byId("board-table"), ".sort button").find((button) => button.firstChild.textContent === title)?.focus();
  }
  const pick = event.target.closest(".pick");
  if (pick) {
    const id = pick.dataset.row;
    choice.compare = choice.compare.includes(id) ? choice.compare.filter((each) => each !== id) : [...choice.compare, id].slice(-2);
    for (const each of selectAll(byId("board-table"), ".pick")) each.setAttribute("aria-pressed", String(choice.compare.includes(each.dataset.row)));
    writeAddress();
    showPair();
  }
});
byId("pair-table").addEventListener("click", (event) => {
  const head = event.target.closest(".sort");
  if (!head || !event.target.closest("button")) return;
  const order = nextOrder(head);
  pair.order = order && { key: head.dataset.key, order };
  drawPair();
});
byId("pair-metric").addEventListener("change", (event) => { pair.metric = event.target.value; drawPair(); });
byId("pair-more").addEventListener("click", () => { pair.rows = Infinity; drawPair(); });
addEventListener("hashchange", () => {
  if (!location.hash.includes("=")) return;
  readAddress();
  again();
});

readAddress();
showChoices();
show();
showPair();
byId("board-filters").hidden = false;
