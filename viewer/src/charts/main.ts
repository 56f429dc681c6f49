/** The bundle of pages that have charts and no viewer. */

import "./element";
