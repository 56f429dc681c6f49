import { PulvinarCompare } from "./compare/element";
import { PulvinarViewer } from "./element";
import "./style.css";
import "./regions.css";
import "./compare/style.css";

// first what holds panes: it tells them with which view to open
customElements.define("pulvinar-compare", PulvinarCompare);
customElements.define("pulvinar-viewer", PulvinarViewer);
