/* The before/after slider of each dataset. The range input holds the position; pointers move it, keys come for free. */
const report = JSON.parse(document.getElementById("report-data").textContent);

function startViewer(place) {
  const viewer = report.viewers[Number(place.dataset.viewer)];
  const section = place.closest("section");
  const part = (name) => select(place, `.${name}`);
  const stage = part("stage");
  const slider = part("slider");
  const sides = ["left", "right"].map((name, number) => ({
    version: viewer.start[number],
    choice: part(`choose-${name}`),
    picture: part(name === "left" ? "above" : "below"),
    absent: part(`absent-${name}`),
    tag: part(`tag-${name}`),
    name: part(`name-${name}`),
    score: part(`score-${name}`),
  }));
  const film = viewer.images.map((name, number) => thumbnail(name, viewer.pictures[number][0]));
  let image = 0;

  function thumbnail(name, picture) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", name);
    button.title = name;
    if (picture === null) button.textContent = "not kept";
    else {
      const small = document.createElement("img");
      small.alt = "";
      small.decoding = "async";
      small.src = report.pictures[picture];
      button.append(small);
    }
    return button;
  }

  function divide() {
    const at = Number(slider.value);
    stage.style.setProperty("--at", `${at}%`);
    slider.setAttribute("aria-valuetext", `${at} % ${sides[0].name.textContent}, ${100 - at} % ${sides[1].name.textContent}`);
    sides[0].tag.classList.toggle("covered", at < 15);
    sides[1].tag.classList.toggle("covered", at > 85);
  }

  function showScores() {
    for (const side of sides) side.score.textContent = viewer.scores[protocol.name]?.[image][side.version] || "not scored";
  }

  function show() {
    for (const side of sides) {
      const name = viewer.versions[side.version];
      const picture = viewer.pictures[image][side.version];
      side.choice.value = String(side.version);
      side.absent.hidden = picture !== null;
      side.picture.hidden = picture === null;
      if (picture !== null) side.picture.src = report.pictures[picture];
      side.picture.alt = `${viewer.images[image]}, ${name}`;
      side.tag.textContent = name;
      side.name.textContent = name;
    }
    part("which").textContent = `${image + 1} of ${viewer.images.length} · ${viewer.images[image]}`;
    film.forEach((button, number) => button.setAttribute("aria-pressed", String(number === image)));
    for (const row of selectAll(section, "tr[data-image]")) row.classList.toggle("shown", Number(row.dataset.image) === image);
    showScores();
    divide();
  }

  function open(number) {
    image = (number + viewer.images.length) % viewer.images.length;
    show();
    const strip = part("film");
    const item = film[image].parentElement;
    /* only the strip scrolls: scrollIntoView would move the page too */
    strip.scrollTo({ left: item.offsetLeft - strip.offsetLeft - 40, top: item.offsetTop - strip.offsetTop - 40 });
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
    /* portrait images get a portrait stage */
    side.picture.addEventListener("load", () => {
      const { naturalWidth: width, naturalHeight: height } = side.picture;
      stage.style.aspectRatio = `${width} / ${height}`;
      stage.style.maxWidth = `calc(78vh * ${width / height})`;
    });
  }
  part("film").append(...film.map((button, number) => {
    const item = document.createElement("li");
    item.append(button);
    button.addEventListener("click", () => open(number));
    return item;
  }));
  part("previous").addEventListener("click", () => open(image - 1));
  part("next").addEventListener("click", () => open(image + 1));
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
  for (const button of selectAll(section, ".open")) {
    button.addEventListener("click", () => {
      open(Number(button.closest("tr").dataset.image));
      place.scrollIntoView({ block: "start" });
      slider.focus({ preventScroll: true, focusVisible: true });
    });
  }
  protocol.listeners.push(showScores);
  place.hidden = false;
  show();
}

for (const place of selectAll(document, ".viewer")) startViewer(place);
