// A handle over a map that shows some layers left of it and others right of it, or both in turn.
const PATIENCE_MS = 60000, POLL_MS = 100, SEEK_MS = 300, BLINK_MS = 900, STEP = 0.02, FRONT = 10;
const LINE = "position:absolute;top:0;bottom:0;width:28px;margin-left:-14px;cursor:ew-resize;z-index:800;" +
  "touch-action:none;background:linear-gradient(90deg,transparent 12px,#fff 12px,#fff 16px,transparent 16px);" +
  "filter:drop-shadow(0 0 1px #000)";
const KNOB = "position:absolute;top:50%;left:0;width:28px;height:28px;margin-top:-14px;border-radius:50%;" +
  "background:#fff;color:#000;font:16px/28px sans-serif;text-align:center";
const LABEL = "position:absolute;bottom:44px;padding:2px 6px;background:rgba(255,255,255,.85);color:#000;" +
  "font:12px/1.4 sans-serif;white-space:nowrap;pointer-events:none";

const sleep = (ms) => new Promise((go) => setTimeout(go, ms));

async function objectOf(model, id, accepts) {
  if (!id) return undefined;
  const widget = await model.widget_manager.get_model(id);
  const views = await Promise.all(Object.values(widget?.views ?? {}));
  return views.map((view) => view.obj).filter((one) => one && accepts(one)).at(-1);
}

async function untilMap(model, isStopped) {
  for (let waited = 0; waited < PATIENCE_MS && !isStopped(); waited += POLL_MS) {
    const map = await objectOf(model, model.get("map_id"), (one) => one.getContainer?.().isConnected);
    if (map) return map;
    await sleep(POLL_MS);
  }
}

// Pictures and tiles have an element of their own; only those can be cut.
const elementOf = (layer) => layer?.getElement?.() ?? layer?.getContainer?.();

function cut(element, screenX, isLeft) {
  const place = element.getBoundingClientRect(), width = element.offsetWidth;
  if (!width) { // a container of tiles has no size, but corners far outside of it
    const x = screenX - place.left, [from, to] = isLeft ? [-1e5, x] : [x, 1e5];
    element.style.clipPath = `polygon(${from}px -1e5px, ${to}px -1e5px, ${to}px 1e5px, ${from}px 1e5px)`;
    return;
  }
  const scale = width / (place.width || width), x = Math.min(Math.max((screenX - place.left) * scale, 0), width);
  element.style.clipPath = isLeft ? `inset(0 ${width - x}px 0 0)` : `inset(0 0 0 ${x}px)`;
}

function makeHandle(map, model) {
  const box = map.getContainer(), handle = document.createElement("div");
  handle.className = "spex-swipe";
  handle.tabIndex = 0;
  handle.style.cssText = LINE;
  for (const [name, value] of Object.entries({ role: "slider", "aria-label": "Swipe between two layers",
    "aria-orientation": "horizontal", "aria-valuemin": "0", "aria-valuemax": "100" })) handle.setAttribute(name, value);
  const knob = document.createElement("div");
  knob.style.cssText = KNOB;
  knob.textContent = "⇔";
  const labels = ["right:100%;margin-right:-8px", "left:100%;margin-left:-8px"].map((side) => {
    const label = document.createElement("div");
    label.style.cssText = LABEL + ";" + side;
    return label;
  });
  handle.append(knob, ...labels);
  const move = (frac) => { model.set("position", Math.min(Math.max(frac, 0), 1)); model.save_changes(); };
  const still = (event) => event.stopPropagation();
  for (const name of ["mousedown", "touchstart", "dblclick", "click", "wheel"]) handle.addEventListener(name, still);
  handle.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    const drag = (now) => { const place = box.getBoundingClientRect(); move((now.clientX - place.left) / place.width); };
    handle.addEventListener("pointermove", drag);
    handle.addEventListener("pointerup", () => handle.removeEventListener("pointermove", drag), { once: true });
  });
  handle.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    const target = { Home: 0, End: 1 }[event.key] ?? (step ? model.get("position") + step : undefined);
    if (target === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(target);
  });
  box.append(handle);
  return { box, handle, labels };
}

export default {
  async render({ model }) {
    let isStopped = false, elements = { left: [], right: [], front: [] };
    const map = await untilMap(model, () => isStopped);
    if (!map) return;
    const { box, handle, labels } = makeHandle(map, model);
    const seek = async () => {
      while (!isStopped) {
        const sides = {};
        for (const side of ["left", "right", "front"]) {
          const layers = await Promise.all(model.get(side).map((id) => objectOf(model, id, (one) => one._map === map)));
          sides[side] = layers.map(elementOf).filter(Boolean);
        }
        elements = sides;
        await sleep(SEEK_MS);
      }
    };
    const draw = (now) => {
      if (isStopped) return;
      const mode = model.get("mode"), place = box.getBoundingClientRect();
      const x = place.left + model.get("position") * place.width, isRightTurn = Math.floor(now / BLINK_MS) % 2 === 1;
      handle.style.display = mode === "swipe" ? "" : "none";
      handle.style.left = `${100 * model.get("position")}%`;
      handle.setAttribute("aria-valuenow", String(Math.round(100 * model.get("position"))));
      labels.forEach((label, number) => { label.textContent = model.get("labels")[number] ?? ""; });
      box.dataset.spexBlink = mode === "blink" ? (isRightTurn ? "right" : "left") : "";
      [...elements.left, ...elements.right, ...elements.front].forEach((one, number) => { one.style.zIndex = FRONT + number; });
      for (const [side, isLeft] of [["left", true], ["right", false]]) {
        for (const one of elements[side]) {
          if (mode === "swipe") cut(one, x, isLeft); else one.style.clipPath = "";
          one.style.visibility = mode === "off" || (mode === "blink" && isLeft === isRightTurn) ? "hidden" : "";
        }
      }
      requestAnimationFrame(draw);
    };
    seek();
    requestAnimationFrame(draw);
    return () => {
      isStopped = true;
      handle.remove();
      for (const one of [...elements.left, ...elements.right]) { one.style.clipPath = ""; one.style.visibility = ""; }
    };
  },
};
