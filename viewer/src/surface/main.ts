import { PulvinarSurface } from "./element";
import "./style.css";

customElements.define("pulvinar-surface", PulvinarSurface);
