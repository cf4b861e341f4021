"""How map and panel lie side by side, what lies on the map, and how both fill the screen."""

from __future__ import annotations

WORKBENCH_STYLE = """<style>
.spex-workbench { background: var(--jp-layout-color0, #fff); color: var(--jp-ui-font-color1, #222) }
.spex-workbench:fullscreen { padding: 6px; overflow: hidden }
.spex-workbench:fullscreen .spex-fit { height: calc(100vh - 48px) !important }
.spex-workbench.spex-drop .spex-map { outline: 3px dashed #0072b2; outline-offset: -6px }
.spex-map { position: relative; overflow: hidden }
.spex-map > .leaflet-container, .spex-map > .jupyter-widgets { margin: 0 }
.spex-map .leaflet-container { background: var(--jp-layout-color2, #eee) }
.spex-map .leaflet-image-layer { transition: opacity .3s }
.spex-gesture { position: absolute; inset: 0; width: 100%; height: 100%; z-index: 650; pointer-events: none }
.spex-on-map { position: absolute !important; z-index: 1000; width: auto !important; overflow: visible !important;
  background: var(--jp-layout-color1, #fff); border-radius: 6px; box-shadow: 0 1px 5px rgba(0, 0, 0, .4) }
.spex-on-map.spex-ask { top: 10px; left: 54px; right: 56px; padding: 4px 6px; max-width: 720px }
.spex-layers .widget-hslider .widget-label, .spex-on-map.spex-ask .widget-text .widget-label { position: absolute;
  width: 1px; height: 1px; min-width: 0; margin: 0; overflow: hidden; clip-path: inset(50%) }
.spex-ask .widget-text input { font-size: 1.05em }
.spex-on-map.spex-ask > * { flex-shrink: 0 }
.spex-on-map.spex-ask .spex-examples { display: none }
.spex-on-map.spex-ask.spex-fresh .spex-examples, .spex-on-map.spex-ask:focus-within .spex-examples { display: flex }
.spex-examples .jupyter-button { border-radius: 12px; height: 24px; line-height: 22px }
.spex-on-map.spex-tools { top: 84px; left: 10px; padding: 2px !important }
.spex-tools .widget-toggle-buttons, .spex-tools .widget-toggle-buttons > * { display: flex; flex-direction: column;
  margin: 0; width: auto; min-width: 0 }
.spex-tools .widget-toggle-button { font-size: 0; height: 27px; line-height: 27px; margin: 0; padding: 0;
  text-align: center }
.spex-tools .widget-toggle-button.mod-active { background: #0072b2; color: #fff }
.spex-tools .widget-toggle-button i, .spex-tools .jupyter-button i { margin: 0; font-size: 14px }
.spex-on-map.spex-layers { right: 10px; top: 10px; padding: 2px !important; z-index: 1001 }
.spex-layers .widget-toggle-button i { margin: 0 }
.spex-layer-list { position: absolute; right: 0; top: 128px; padding: 4px; border-radius: 6px;
  background: var(--jp-layout-color1, #fff); box-shadow: 0 1px 5px rgba(0, 0, 0, .4) }
.spex-layers > .widget-toggle-button { align-self: flex-end }
.spex-legend, .spex-readout { background: var(--jp-layout-color1, #fff); margin: 0; padding: 2px 8px;
  border-radius: 4px; max-width: 320px }
.spex-legend p { margin: 1px 0 }
.spex-readout { font-variant-numeric: tabular-nums; max-width: 460px }
.spex-workbench .leaflet-control { margin-bottom: 6px }
.spex-workbench .leaflet-bar a, .spex-workbench .leaflet-bar a:hover { color: var(--jp-ui-font-color1, #222);
  background-color: var(--jp-layout-color1, #fff) }
.spex-tabs .widget-toggle-button { margin-top: 0 }
.spex [data-region] { cursor: pointer; text-decoration: underline; text-decoration-style: dotted;
  text-underline-offset: 2px }
.spex [data-region]:hover, .spex [data-region]:focus { background: rgba(0, 114, 178, .16) }
</style>"""
