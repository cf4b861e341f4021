// `make lab` serves this beside JupyterLab: it runs the cells of the quickstart that carry the tag "run-on-open".
// No other notebook is run, and JupyterLab started in another way does not know this file.
(() => {
  const NOTEBOOK = "00_quickstart.ipynb", TAG = "run-on-open", POLL_MS = 100, PATIENCE_MS = 120000;

  async function until(find) {
    for (let waited = 0; waited < PATIENCE_MS; waited += POLL_MS) {
      const found = find();
      if (found) return found;
      await new Promise((go) => setTimeout(go, POLL_MS));
    }
  }

  async function openOnWorkbench(app) {
    const panel = await until(() => {
      const shown = app.shell.currentWidget;
      return shown?.context?.path?.endsWith(NOTEBOOK) && shown.sessionContext?.session?.kernel && shown;
    });
    if (!panel) return;
    await panel.context.ready;
    await panel.sessionContext.ready;
    const cells = panel.content.widgets;
    for (const [index, cell] of cells.entries()) {
      if (!(cell.model.getMetadata("tags") ?? []).includes(TAG) || cell.model.executionCount) continue;
      panel.content.activeCellIndex = index;
      await app.commands.execute("notebook:run-cell");
      const shown = await until(() => cell.node.querySelector(".spex-workbench"));
      shown?.scrollIntoView({ block: "start" });
    }
  }

  const plugin = { id: "spex-first-sight:plugin", autoStart: true, requires: [],
    activate: (app) => { app.restored.then(() => openOnWorkbench(app)); } };
  const known = (window._JUPYTERLAB = window._JUPYTERLAB || {});
  known["spex-first-sight"] = { init: () => {}, get: async () => () => ({ __esModule: true, default: plugin }) };
})();
