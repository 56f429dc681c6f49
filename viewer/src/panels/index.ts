/** The panels beside the picture, in the order of their tabs. */

import { analysePanel } from "./analyse";
import { layersPanel } from "./layers";
import { marksPanel } from "./marks";
import type { PanelMaker } from "./panel";
import { regionsPanel } from "./regions";
import { viewPanel } from "./view";

export const PANELS: readonly PanelMaker[] = [layersPanel, regionsPanel, analysePanel, marksPanel, viewPanel];
