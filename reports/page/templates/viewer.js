/* The before/after slider of each dataset. The range input holds the position; pointers move it, keys come for free. */
const THUMBNAILS = 24;

function startViewer(place) {
  const section = place.closest("section");
  const data = report.datasets[Number(section.dataset.dataset)];
  const viewer = data.viewer;
  const reference = viewer.reference; /* the version from which maps show the difference */
  const part = (name) => select(place, `.${name}`);
  const stage = part("stage");
  const slider = part("slider");
  const errors = part("show-errors");
  const sides = ["left", "right"].map((name, number) => ({
    version: viewer.start[number],
    choice: part(`choose-${name}`),
    picture: part(name === "left" ? "above" : "below"),
    error: select(place, name === "left" ? "canvas.above" : "canvas.below"),
    absent: part(`absent-${name}`),
    tag: part(`tag-${name}`),
    name: part(`name-${name}`),
    score: part(`score-${name}`),
  }));
  let at = 0; /* of viewer.shown */
  let strip = -1;

  const image = () => viewer.shown[at];
  const moved = startWindow(place, viewer, () => ({ at, name: data.images[image()] }));
  const address = (version, number = at) => report.pictures[viewer.pictures[number][version]];

  function thumbnail(number) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const name = data.images[viewer.shown[number]];
    button.type = "button";
    button.setAttribute("aria-label", name);
    button.title = name;
    button.dataset.at = String(number);
    if (address(0, number) === undefined) button.textContent = "not kept";
    else {
      const small = document.createElement("img");
      small.loading = "lazy"; /* before src, or it is fetched at once */
      small.decoding = "async";
      small.alt = "";
      small.src = address(0, number);
      button.append(small);
    }
    item.append(button);
    return item;
  }

  /* Of thousands of images only the neighbours are there. */
  function showStrip() {
    const now = Math.floor(at / THUMBNAILS);
    if (now !== strip) {
      strip = now;
      const numbers = viewer.shown.map((_, number) => number).slice(now * THUMBNAILS, (now + 1) * THUMBNAILS);
      part("film").replaceChildren(...numbers.map(thumbnail));
    }
    for (const button of selectAll(part("film"), "button")) button.setAttribute("aria-pressed", String(Number(button.dataset.at) === at));
  }

  function divide() {
    const share = Number(slider.value);
    stage.style.setProperty("--at", `${share}%`);
    slider.setAttribute("aria-valuetext", `${share} % ${sides[0].name.textContent}, ${100 - share} % ${sides[1].name.textContent}`);
    sides[0].tag.classList.toggle("covered", share < 15);
    sides[1].tag.classList.toggle("covered", share > 85);
  }

  function scoreOf(version) {
    if (!report.metrics.length) return "";
    if (version === viewer.truth) return "reference";
    const column = viewer.scores[protocol.name]?.[version] ?? null;
    if (column === null) return "not scored";
    const scores = report.metrics.map(({ name }) => {
      const values = typeof column === "number" ? data.scores[protocol.name][name][column] : column[name];
      return values?.[image()] ?? null;
    });
    if (scores.every((score) => score === null)) return "not scored";
    /* a title says what a number is, but for the decibels of the first */
    return report.metrics.map(({ name, title, unit }, number) => {
      const text = `${printed(scores[number], name)}${unit ? ` ${unit}` : ""}`;
      return unit && number === 0 ? text : `${title} ${text}`;
    }).join(" · ");
  }

  function showScores() {
    for (const side of sides) side.score.textContent = scoreOf(side.version);
  }

  const loaded = (source) => new Promise((resolve, reject) => {
    const picture = new Image();
    picture.onload = () => resolve(picture);
    picture.onerror = reject;
    picture.src = source;
  });

  /* |version - reference| in a canvas; a filter of the page colours it. No pixel is read: pages from the disk may not. */
  async function drawError(side) {
    const wanted = `${at} ${side.version}`;
    side.wanted = wanted;
    const sources = [address(reference), address(side.version)];
    /* where there is no truth, nothing changed in the photograph itself: it stays to be seen */
    const itself = viewer.truth === null && side.version === reference;
    side.error.hidden = !showsErrors() || itself || sources.includes(undefined);
    if (side.error.hidden) return;
    side.error.style.visibility = "hidden"; /* not the last image's map over this image */
    const [compared, restored] = await Promise.all(sources.map(loaded)).catch(() => [null, null]);
    if (side.wanted !== wanted || !compared) return;
    side.error.width = compared.naturalWidth;
    side.error.height = compared.naturalHeight;
    side.error.setAttribute("role", "img");
    side.error.setAttribute("aria-label", `${errors.textContent}: ${data.images[image()]}, ${viewer.versions[side.version]}`);
    const context = side.error.getContext("2d");
    context.drawImage(compared, 0, 0);
    context.globalCompositeOperation = "difference";
    context.drawImage(restored, 0, 0, compared.naturalWidth, compared.naturalHeight);
    side.error.style.visibility = "";
    side.error.dataset.drawn = wanted;
  }

  const showsErrors = () => errors.getAttribute("aria-pressed") === "true";

  function showErrors() {
    errors.disabled = address(reference) === undefined;
    errors.title = errors.disabled ? `${viewer.versions[reference]}: not kept` : "";
    part("scale").hidden = !showsErrors();
    for (const side of sides) drawError(side);
  }

  /* portrait images get a portrait stage, before they are loaded: nothing may move under a mouse when they arrive */
  function shape() {
    const [width, height] = viewer.sizes[at];
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.maxWidth = `calc(78vh * ${width / height})`;
  }

  function show() {
    shape();
    for (const side of sides) {
      const name = viewer.versions[side.version];
      const source = address(side.version);
      side.choice.value = String(side.version);
      side.absent.hidden = source !== undefined;
      side.picture.hidden = source === undefined;
      if (source !== undefined) side.picture.src = source;
      side.picture.alt = `${data.images[image()]}, ${name}`;
      side.tag.textContent = name;
      side.name.textContent = name;
    }
    part("which").textContent = `${thousands(at + 1)} of ${thousands(viewer.shown.length)} · ${data.images[image()]}`;
    meeting(section).opened = image();
    for (const listener of meeting(section).listeners) listener();
    showStrip();
    showScores();
    showErrors();
    divide();
    moved();
  }

  function open(number) {
    at = (number + viewer.shown.length) % viewer.shown.length;
    show();
    const film = part("film");
    const item = select(film, "[aria-pressed=true]").parentElement;
    /* only the strip scrolls: scrollIntoView would move the page too */
    film.scrollTo({ left: item.offsetLeft - film.offsetLeft - 40, top: item.offsetTop - film.offsetTop - 40 });
  }

  function follow(event) {
    const frame = stage.getBoundingClientRect();
    slider.value = String(Math.round((100 * (event.clientX - frame.left)) / frame.width));
    divide();
  }

  for (const side of sides) {
    side.choice.append(...viewer.versions.map((name, number) => new Option(name, String(number))));
    side.choice.addEventListener("change", () => {
      side.version = Number(side.choice.value);
      show();
    });
  }
  part("film").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) open(Number(button.dataset.at));
  });
  part("previous").addEventListener("click", () => open(at - 1));
  part("next").addEventListener("click", () => open(at + 1));
  errors.addEventListener("click", () => {
    errors.setAttribute("aria-pressed", String(!showsErrors()));
    showErrors();
  });
  slider.addEventListener("input", divide);
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    stage.setPointerCapture(event.pointerId);
    follow(event);
    slider.focus({ preventScroll: true, focusVisible: false });
    event.preventDefault();
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  meeting(section).open = (number) => {
    open(viewer.shown.indexOf(number));
    place.scrollIntoView({ block: "start" });
    slider.focus({ preventScroll: true, focusVisible: true });
  };
  protocol.listeners.push(showScores);
  place.hidden = false;
  show();
}

for (const place of selectAll(document, ".viewer")) startViewer(place);
