// What only the browser can do at once: cursors, rubber bands, keys, full screen, and names that screen readers say.
const CURSORS = { look: "", spectrum: "crosshair", add: "copy", remove: "not-allowed", box: "crosshair", paint: "none",
  erase: "none", split: "crosshair", merge: "cell", delete: "pointer", measure: "crosshair" };
const BRUSHES = ["paint", "erase"], LINES = ["split", "merge", "measure"];
const EARTH_M = 2 * Math.PI * 6378137, TILE_PX = 256, PATIENCE_MS = 60000, POLL_MS = 100;

async function until(find) {
  for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
    const found = await find();
    if (found) return found;
    await new Promise((go) => setTimeout(go, POLL_MS));
  }
}

async function leafletMap(model, root) {
  const map = await model.widget_manager.get_model(model.get("map_id"));
  const views = await Promise.all(Object.values(map.views ?? {}));
  return views.find((view) => view.obj && root.contains(view.el))?.obj;
}

function shape(parent, kind, attributes) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) drawn.setAttribute(name, value);
  parent.append(drawn);
}

// Draw what a hand is about to do, above the map: nothing here changes a pixel of the result.
function followPointer(map, model, end) {
  const box = map.getContainer();
  const layer = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  layer.setAttribute("class", "spex-gesture");
  layer.setAttribute("aria-hidden", "true");
  box.append(layer);
  let start = null, stroke = [], anchor = null;
  const at = (event) => { const p = map.mouseEventToContainerPoint(event); return [p.x, p.y]; };
  const radius = () => Math.max(1, model.get("brush_m") * TILE_PX * 2 ** map.getZoom() / EARTH_M);
  const line = { fill: "none", stroke: "#fff", "stroke-width": 2, "stroke-dasharray": "6 4" };
  const draw = (x, y) => {
    layer.replaceChildren();
    const tool = model.get("tool"), color = tool === "erase" ? "#d55e00" : "#009e73";
    if (BRUSHES.includes(tool)) {
      const r = radius(), points = stroke.map(String).join(" ");
      const strokes = { points, fill: "none", stroke: color, opacity: 0.5, "stroke-width": 2 * r };
      if (stroke.length > 1) shape(layer, "polyline", { ...strokes, "stroke-linecap": "round", "stroke-linejoin": "round" });
      shape(layer, "circle", { cx: x, cy: y, r, fill: "none", stroke: "#000", "stroke-width": 3 });
      shape(layer, "circle", { cx: x, cy: y, r, fill: "none", stroke: color, "stroke-width": 1.5 });
    } else if (tool === "box" && start) {
      const [a, b] = [Math.min(x, start[0]), Math.min(y, start[1])];
      const size = { width: Math.abs(x - start[0]), height: Math.abs(y - start[1]) };
      shape(layer, "rect", { x: a, y: b, ...size, fill: "rgba(0, 158, 115, .2)", stroke: "#009e73", "stroke-width": 2 });
    } else if (LINES.includes(tool) && anchor) {
      const from = map.latLngToContainerPoint(anchor);
      shape(layer, "line", { x1: from.x, y1: from.y, x2: x, y2: y, ...line });
    }
  };
  const clear = () => { start = anchor = null; stroke = []; layer.replaceChildren(); };
  const onMap = (event) => !event.target.closest(".leaflet-control");
  const listen = (name, hear, to = box) => to.addEventListener(name, hear, { signal: end, capture: true });
  listen("pointerdown", (event) => { if (onMap(event)) { start = at(event); stroke = [start]; draw(...start); } });
  listen("pointermove", (event) => {
    const here = at(event);
    if (start) stroke.push(here);
    draw(...here);
  });
  listen("pointerup", () => { start = null; stroke = []; }, window);
  listen("click", (event) => {
    const tool = model.get("tool");
    if (!LINES.includes(tool) || !onMap(event)) return;
    anchor = tool === "measure" || !anchor ? map.mouseEventToLatLng(event) : null;
  });
  listen("pointerleave", () => layer.replaceChildren());
  const show = () => { clear(); box.style.cursor = CURSORS[model.get("tool")] ?? ""; };
  model.on("change:tool", show);
  show();
  const watch = new ResizeObserver(() => map.invalidateSize());
  watch.observe(box);
  return { clear, close: () => { watch.disconnect(); layer.remove(); model.off("change:tool", show); } };
}

const set = (one, name, value) => { if (one && one.getAttribute(name) !== value) one.setAttribute(name, value); };

// ipywidgets gives its controls neither roles nor all of their names.
function nameControls(root) {
  for (const one of root.querySelectorAll("button[title]")) {
    if (!one.textContent.trim() || one.matches(".widget-toggle-button")) set(one, "aria-label", one.title);
  }
  for (const handle of root.querySelectorAll(".noUi-handle")) {
    const row = handle.closest(".widget-hslider, .widget-slider, .jupyter-widgets");
    set(handle, "aria-label", handle.closest("[title]")?.title || row?.querySelector(".widget-label")?.textContent || "value");
  }
  for (const one of root.querySelectorAll("input, select, textarea")) {
    const label = one.closest(".jupyter-widgets")?.querySelector(".widget-label")?.textContent.trim();
    const hasName = one.hasAttribute("aria-label") || one.labels?.[0]?.textContent.trim();
    if (!hasName) {
      set(one, "aria-label", label || one.title || one.placeholder || one.closest("[title]")?.title || "choice");
    }
  }
  for (const bar of root.querySelectorAll(".progress, .progress-bar")) set(bar, "aria-hidden", "true");
  set(root.querySelector(".leaflet-container"), "aria-label", "Map of the scene");
  set(root.querySelector(".leaflet-container"), "role", "region");
  for (const page of root.querySelectorAll(".spex-page")) set(page, "role", "tabpanel");
  for (const group of root.querySelectorAll(".spex-tabs .widget-toggle-buttons, .spex-tabs.widget-toggle-buttons")) {
    set(group.querySelector(".widget-toggle-button")?.parentElement, "role", "tablist");
    nameChoices(group, "tab", "aria-selected");
  }
  for (const group of root.querySelectorAll(".spex-tools .widget-toggle-buttons")) {
    set(group.querySelector(".widget-toggle-button")?.parentElement, "role", "radiogroup");
    set(group.querySelector(".widget-toggle-button")?.parentElement, "aria-label", "Tools of the map");
    nameChoices(group, "radio", "aria-checked");
  }
}

function nameChoices(group, role, state) {
  const choices = [...group.querySelectorAll(".widget-toggle-button")];
  const chosen = choices.find((one) => one.classList.contains("mod-active")) ?? choices[0];
  for (const one of choices) {
    set(one, "role", role);
    set(one, state, String(one.classList.contains("mod-active")));
    set(one, "tabindex", one === chosen ? "0" : "-1");
    if (role === "tab" && one.textContent.trim()) one.removeAttribute("aria-label");
  }
}

const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

function stepThrough(event) {
  const group = event.target.closest?.("[role=tablist], [role=radiogroup]");
  if (!group || !(event.key in STEPS)) return;
  const choices = [...group.querySelectorAll(".widget-toggle-button")];
  const next = choices[(choices.indexOf(event.target) + STEPS[event.key] + choices.length) % choices.length];
  event.preventDefault();
  event.stopPropagation();
  next.focus();
  next.click();
}

function leadTo(event, model) {
  const place = event.target.closest?.("[data-region]");
  const isPressed = event.type === "click" || event.key === "Enter" || event.key === " ";
  if (place && isPressed) {
    event.preventDefault();
    model.send({ kind: "region", row: Number(place.dataset.region) });
  }
}

function toggleFullScreen(event, root) {
  if (event.target.closest?.(".spex-full")) document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen();
}

const LARGEST_BYTES = 9e6; // servers of notebooks close a connection that sends more than 10 MB at once

// A GeoTIFF that is dropped on the workbench becomes the scene; without this the browser would leave the page.
function dropFiles(listen, model, root) {
  const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  const mark = (is) => root.classList.toggle("spex-drop", is);
  listen("dragover", (event) => { if (holdsFiles(event)) { event.preventDefault(); event.stopPropagation(); mark(true); } });
  listen("dragleave", (event) => { if (!root.contains(event.relatedTarget)) mark(false); });
  listen("drop", async (event) => {
    mark(false);
    const file = event.dataTransfer?.files?.[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    const content = file.size > LARGEST_BYTES ? [] : [await file.arrayBuffer()];
    model.send({ kind: "file", name: file.name, size: file.size }, undefined, content);
  });
}

// Ctrl+Z in a field takes back letters, and everywhere else what a hand did on the map.
function takeBack(event, model) {
  if (!(event.ctrlKey || event.metaKey) || event.target.closest?.("input, textarea, select")) return;
  const key = event.key.toLowerCase(), isRedo = key === "y" || (key === "z" && event.shiftKey);
  if (key !== "z" && !isRedo) return;
  event.preventDefault();
  event.stopPropagation();
  model.send({ kind: isRedo ? "redo" : "undo" });
}

const COMMANDS = ["Enter", "Escape"];

function* withParts(one) {
  yield one;
  for (const part of one.get("children") ?? []) yield* withParts(part);
}

// While the kernel works, ipywidgets holds back what controls change, but neither clicks nor keys. Without this, a
// click would be heard before the tool that it was made with, and Enter before the last letters.
function sendHeldChanges(whole) {
  for (const one of withParts(whole)) {
    if (!one._msg_buffer) continue;
    const sent = one.send_sync_message(one._msg_buffer, one._msg_buffer_callbacks);
    one.rememberLastUpdateFor?.(sent);
    one._msg_buffer = one._msg_buffer_callbacks = null;
  }
}

export default {
  async render({ model, el }) {
    const stop = new AbortController();
    const cleanUps = [() => stop.abort()];
    const start = async () => {
      const root = await until(() => el.isConnected && el.closest(".spex-workbench"));
      if (!root || stop.signal.aborted) return;
      const listen = (name, hear) => root.addEventListener(name, hear, { signal: stop.signal });
      // Else JupyterLab takes the arrows, and "d d" deletes the cell. It looks at what has the focus only.
      listen("focusin", (event) => set(event.target, "data-lm-suppress-shortcuts", "true"));
      nameControls(root);
      let wait = 0;
      const watch = new MutationObserver((changes) => {
        clearTimeout(wait);
        // A map that is dragged changes all the time: it waits. Controls are never without their names.
        if (changes.every((one) => one.target.closest?.(".leaflet-container"))) wait = setTimeout(() => nameControls(root), 60);
        else nameControls(root);
      });
      watch.observe(root, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
      cleanUps.push(() => watch.disconnect());
      const whole = await model.widget_manager?.get_model(model.get("whole_id"));
      const isCommand = (event) => event.type !== "keydown" || event.ctrlKey || event.metaKey || COMMANDS.includes(event.key);
      for (const name of whole ? ["pointerdown", "click", "keydown", "drop"] : []) {
        const send = (event) => { if (isCommand(event)) sendHeldChanges(whole); };
        root.addEventListener(name, send, { signal: stop.signal, capture: true });
      }
      listen("click", (event) => { leadTo(event, model); toggleFullScreen(event, root); });
      dropFiles(listen, model, root);
      const map = await until(() => leafletMap(model, root));
      const hands = map && followPointer(map, model, stop.signal);
      if (hands) cleanUps.push(hands.close);
      listen("keydown", (event) => {
        stepThrough(event);
        takeBack(event, model);
        leadTo(event, model);
        if (event.key === "Escape") { hands?.clear(); model.send({ kind: "escape" }); }
      });
      set(root, "data-ready", "true");
    };
    start();
    return () => cleanUps.forEach((end) => end());
  },
};
