/* A window drawn over the image, and the command that makes a figure with it. The stage lends its pointer meanwhile. */
function startWindow(place, viewer, shownNow) {
  const part = (name) => select(place, `.${name}`);
  const stage = part("stage");
  const open = part("draw-window");
  const frame = part("drawn");
  const fields = Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, part(`at-${name}`)]));
  const SMALLEST = 4;
  let kept = []; /* words of windows before this one */
  let box = null;
  let from = null; /* where a drag began */

  const size = () => viewer.pixels[shownNow().at] ?? viewer.sizes[shownNow().at];
  const clamp = (value, low, high) => Math.min(Math.max(Math.round(value) || 0, low), high);
  const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const word = () => `${viewer.figure.prefix}${shownNow().name}:${box.x},${box.y},${box.width}x${box.height}`;

  function inside({ x, y, width, height }) {
    const [across, down] = size();
    const left = clamp(x, 0, across - SMALLEST);
    const top = clamp(y, 0, down - SMALLEST);
    return { x: left, y: top, width: clamp(width, SMALLEST, across - left), height: clamp(height, SMALLEST, down - top) };
  }

  function show() {
    const [across, down] = size();
    const share = { left: box.x / across, top: box.y / down, width: box.width / across, height: box.height / down };
    for (const [name, value] of Object.entries(share)) frame.style[name] = `${100 * value}%`;
    for (const [name, field] of Object.entries(fields)) if (field !== document.activeElement) field.value = String(box[name]);
    const words = [...new Set([...kept, word()])].map((each) => ` --window ${quoted(each)}`);
    select(part("command"), "code").textContent = viewer.figure.command + words.join("");
    part("copied").textContent = "";
  }

  function start() {
    const [across, down] = size();
    const side = Math.min(across, down, Math.max(48, Math.floor(Math.min(across, down) / 4)));
    box = inside({ x: (across - side) / 2, y: (down - side) / 2, width: side, height: side });
    show();
  }

  const drawing = () => open.getAttribute("aria-expanded") === "true";

  function toggle() {
    const on = !drawing();
    open.setAttribute("aria-expanded", String(on));
    part("window").hidden = frame.hidden = !on;
    stage.classList.toggle("drawing", on);
    if (on) start();
  }

  function at(event) {
    const [across, down] = size();
    const area = stage.getBoundingClientRect();
    return [((event.clientX - area.left) / area.width) * across, ((event.clientY - area.top) / area.height) * down];
  }

  function drag(event) {
    const [x, y] = at(event);
    box = inside({ x: Math.min(x, from[0]), y: Math.min(y, from[1]), width: Math.abs(x - from[0]), height: Math.abs(y - from[1]) });
    show();
  }

  /* before the slider hears of it */
  stage.addEventListener("pointerdown", (event) => {
    if (!drawing() || event.button !== 0) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    from = at(event);
  }, { capture: true });
  stage.addEventListener("pointermove", (event) => {
    if (from === null) return;
    event.stopImmediatePropagation();
    drag(event);
  }, { capture: true });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { from = null; });

  for (const [name, field] of Object.entries(fields)) {
    field.addEventListener("input", () => {
      box = inside({ ...box, [name]: Number(field.value) });
      show();
    });
    field.addEventListener("change", () => { field.value = String(box[name]); });
  }
  part("keep-window").addEventListener("click", () => {
    kept = [...new Set([...kept, word()])];
    start();
  });
  part("no-windows").addEventListener("click", () => {
    kept = [];
    start();
  });
  part("copy").addEventListener("click", async () => {
    const code = select(part("command"), "code");
    let done = false;
    try {
      await navigator.clipboard.writeText(code.textContent);
      done = true;
    } catch { /* not asked, or refused: the older way */
      getSelection().selectAllChildren(code);
      done = document.execCommand("copy");
    }
    part("copied").textContent = done ? "Copied" : "Copy it from the line";
  });
  open.addEventListener("click", toggle);
  return () => { if (drawing()) start(); }; /* another image: another place */
}
