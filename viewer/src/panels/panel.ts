/** What a side panel is, and what it is given to work with. */

import type { Explorer } from "../facade";
import type { NeuronDisplay } from "../neuronDisplay";
import type { PointDisplay } from "../pointDisplay";
import type { Unit } from "../places";
import type { Scene } from "../scene";
import type { AtlasAddress, RegionDisplay } from "../regionDisplay";
import type { RegionSelection } from "../selection";
import type { View } from "../view";
import type { Language, Say } from "../words";

export interface PanelContext {
  explorer: Explorer;
  scene: Scene;
  say: Say;
  language: Language;
  unit: Unit;
  /** The atlas that is shown; null where what is shown is a dataset. */
  atlas: AtlasAddress | null;
  /** What the picture shows of the chosen regions, with their tree. */
  display: RegionDisplay;
  /** Settled once the names of the regions are there. */
  learned: Promise<void>;
  /** The sets of neurons that are shown. */
  neurons: readonly NeuronDisplay[];
  /** The tables of points that are shown. */
  points: readonly PointDisplay[];
  /** What the pictures are in: a panel may lay a sheet over it while the mouse draws. */
  stage: HTMLElement;
  /** Say something in the line that screen readers follow. */
  tell(text: string): void;
  /** The view as it stands; its `layers` may be changed in place, and `applied` told. */
  view(): View;
  /** Show another view. */
  show(view: View): void;
  /** Call after a change of the view that Neuroglancer does not see, so that the address follows. */
  applied(): void;
  /** What the page asks the scene for, by the name of the parameter. */
  asked(parameter: string): readonly string[];
  /** Ask the scene for something else: the view stays, the address follows. Null when the server refused. */
  ask(parameter: string, values: readonly string[]): Promise<Scene | null>;
  /** The regions that are chosen, for every panel that asks "of what". */
  select: RegionSelection;
}

export interface Panel {
  /** Stands in the identifiers of the tab and the panel, and chooses the icon. */
  readonly name: string;
  readonly title: string;
  readonly element: HTMLElement;
  /** Bring the controls to what the view says; called whenever another view is shown. */
  refresh?(): void;
  dispose?(): void;
}

/** Makes a panel; null where it has nothing to do in this scene. */
export type PanelMaker = (context: PanelContext) => Panel | null;
