/** The panel of analyses: tools that measure what is shown, where it is shown. */

import { make } from "../dom";
import { BoxTool } from "./analyseBox";
import { FigureTool } from "./analyseFigure";
import { LineTool } from "./analyseLine";
import { RegionTool } from "./analyseRegions";
import { traceTool } from "./analyseTrace";
import type { Panel, PanelContext } from "./panel";

export function analysePanel(context: PanelContext): Panel {
  const atlas = context.atlas?.api;
  const trace = traceTool(context);
  const line = new LineTool(context);
  const tools = [...(trace ? [trace] : []), line, new BoxTool(context), ...(atlas ? [new RegionTool(context, atlas)] : []), new FigureTool(context)];
  const element = make("div", {}, ...tools.map((tool) => tool.section));
  return { name: "analyse", title: context.say("analyse"), element, refresh: () => line.settle(), dispose: () => tools.forEach((tool) => tool.dispose()) };
}
