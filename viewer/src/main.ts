import { PulvinarViewer } from "./element";
import "./style.css";

customElements.define("pulvinar-viewer", PulvinarViewer);
