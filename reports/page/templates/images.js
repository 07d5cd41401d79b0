/* The scores of single images: data, of which as many rows are made as are looked at. */
const report = JSON.parse(document.getElementById("report-data").textContent);
const METRICS = new Map(report.metrics.map((metric) => [metric.name, metric]));
const FIRST_ROWS = 50; /* of a longer table than ALL_ROWS */
const ALL_ROWS = 100;
const MORE_ROWS = 200;
const thousands = (number) => number.toLocaleString("en");

/* Scores are integers in units of the last printed digit; "inf" for identical images, null for no score. */
const printed = (score, metric) => {
  if (score === null) return "–";
  const { digits } = METRICS.get(metric);
  return typeof score === "string" ? score.replace("inf", "∞") : (score / 10 ** digits).toFixed(digits);
};
const size = (score) => (score === "inf" ? Infinity : score === "-inf" ? -Infinity : score);

/* What the table and the viewer of a dataset tell each other: which image is open. */
const meetings = new Map();
const meeting = (section) => {
  if (!meetings.has(section)) meetings.set(section, { opened: null, open: null, listeners: [] });
  return meetings.get(section);
};

function startTable(section) {
  const data = report.datasets[Number(section.dataset.dataset)];
  const table = select(section, "table.images");
  const body = table.tBodies[0];
  const filters = select(section, ".filters");
  const input = select(filters, "input");
  const more = select(section, ".more");
  const open = meeting(section);
  const pictured = new Set(data.viewer?.shown);
  let sort = null; /* {line, metric, order} */
  let lines = data.lines.map((_, line) => line);
  let images = [];
  const first = data.images.length <= ALL_ROWS ? ALL_ROWS : FIRST_ROWS;
  let rows = first;

  const column = (line, metric) => data.scores[protocol.name]?.[metric][line] ?? null;

  /* What is printed decides, so what looks equal shares a rank. */
  function ranks(scores, metric) {
    const compare = inOrder(METRICS.get(metric).higherIsBetter ? "descending" : "ascending");
    const heights = Array.from(new Set(scores.filter((score) => score !== null).map(size))).sort(compare);
    return scores.map((score) => (score === null ? -1 : heights.indexOf(size(score))));
  }

  /* The markup made here holds numbers only; names of users are put into it as text. */
  function cell(score, metric, rank) {
    const text = printed(score, metric);
    const first = metric === report.metrics[0].name ? " first" : "";
    if (score === null) return `<td class="missing${first}">${text}</td>`;
    const marked = rank === 0 ? `<strong class="best">${text}</strong><span class="said"> best</span>`
      : rank === 1 ? `<span class="second">${text}</span><span class="said"> second best</span>` : text;
    return `<td class="finished${first}">${marked}</td>`;
  }

  function cells(image, columns) {
    const scores = {}, ranked = {};
    for (const metric of METRICS.keys()) {
      scores[metric] = columns[metric].map((values) => values?.[image] ?? null);
      ranked[metric] = ranks(scores[metric], metric);
    }
    const name = pictured.has(image) ? '<button type="button" class="open"></button>' : "";
    const numbers = lines.map((line) => Array.from(METRICS.keys(), (metric) => cell(scores[metric][line], metric, ranked[metric][line])).join(""));
    return `<tr data-image="${image}"><th scope="row" class="name">${name}</th>${numbers.join("")}</tr>`;
  }

  function show() {
    const columns = {};
    for (const metric of METRICS.keys()) columns[metric] = data.lines.map((_, line) => column(line, metric));
    const made = lines.length ? images.slice(0, rows) : [];
    body.innerHTML = made.map((image) => cells(image, columns)).join("");
    made.forEach((image, number) => {
      const name = body.rows[number].cells[0];
      (name.firstChild ?? name).textContent = data.images[image];
    });
    if (!made.length) body.append(noMatch(table, lines.length ? "No image matches." : "No method matches."));
    mark();
    const left = lines.length ? images.length - made.length : 0;
    const all = data.images.length;
    const found = input.value.trim() ? `${thousands(images.length)} of ${thousands(all)} images` : `${thousands(all)} image${all === 1 ? "" : "s"}`;
    select(filters, ".count").textContent = left ? `${found}, ${thousands(made.length)} shown` : found;
    more.hidden = !left;
    select(more, ".show-more").textContent = `Show ${Math.min(left, MORE_ROWS)} more`;
  }

  function mark() {
    for (const made of body.rows) made.classList.toggle("shown", Number(made.dataset.image) === open.opened);
  }

  function choose() {
    images = [];
    data.images.forEach((name, image) => {
      if (matches(data.scenes ? `${name} ${data.scenes[image]}` : name, input.value)) images.push(image);
    });
    if (sort) {
      const values = column(sort.line, sort.metric);
      const compare = inOrder(sort.order);
      const key = (image) => size(values?.[image] ?? null);
      images.sort((a, b) => compare(key(a), key(b)));
    }
    show();
  }

  function showLines() {
    lines = data.lines.map((_, line) => line).filter((line) => matches(`${data.lines[line]} ${data.names[line]}`, methodFilter.wanted));
    for (const head of selectAll(table, "[data-line]")) head.hidden = !lines.includes(Number(head.dataset.line));
    show();
  }

  onSort(table, (header, order) => {
    markSorted(table, (other) => other === header, order);
    sort = order && { line: Number(header.dataset.line), metric: header.dataset.metric, order };
    rows = first;
    choose();
  });
  input.addEventListener("input", () => {
    rows = first;
    choose();
  });
  select(more, ".show-more").addEventListener("click", () => {
    const before = rows;
    rows += MORE_ROWS;
    show();
    focusRow(before);
  });
  select(more, ".show-all").addEventListener("click", () => {
    const before = rows;
    rows = Infinity;
    show();
    focusRow(before);
  });
  /* the button that was pressed may be gone: who reads by keyboard goes on where the new rows begin */
  function focusRow(number) {
    const target = body.rows[number] && select(body.rows[number], ".open, th");
    if (!target) return;
    if (target.tagName === "TH") target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }
  body.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button) open.open?.(Number(button.closest("tr").dataset.image));
  });
  open.listeners.push(mark);
  protocol.listeners.push(() => {
    select(table, ".protocol-name").textContent = protocol.name;
    choose();
  });
  methodFilter.listeners.push(showLines);
  filters.hidden = false;
  select(section, ".per-image").hidden = false;
  select(table, ".protocol-name").textContent = protocol.name;
  choose();
}

for (const table of selectAll(document, "table.images")) startTable(table.closest("section"));
