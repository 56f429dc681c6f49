// Writes icons/*.svg: line icons on a 24 x 24 grid, drawn for Pulvinar. Run `node draw.mjs` after a change.
import { mkdirSync, writeFileSync } from "node:fs";

const EYE = '<path d="M2.5 12c2.4-4.2 5.6-6.3 9.5-6.3s7.1 2.100 9.500 6.300c-2.400 4.200-5.600 6.300-9.500 6.300S4.900 16.200 2.500 12z"/><circle cx="12" cy="12" r="2.800"/>';
const ICONS = {
  "arrow-left": '<path d="M20 12H4.500M11 5.500 4.500 12l6.500 6.500"/>',
  "arrow-right": '<path d="M4 12h15.500M13 5.500l6.500 6.500-6.500 6.500"/>',
  "arrow-up": '<path d="M12 20V4.500M5.500 11 12 4.500l6.500 6.500"/>',
  bin: '<path d="M4 6.500h16M9.500 6.500V4h5v2.500M6 6.500 7 20.500h10l1-14M10.300 10.500v6M13.700 10.500v6"/>',
  camera: '<path d="M3 7.500h4.500L9 5h6l1.500 2.500H21v11.500H3z"/><circle cx="12" cy="13" r="3.500"/>',
  close: '<path d="M5.500 5.500l13 13M18.500 5.500l-13 13"/>',
  "code-alt": '<path d="M8 7l-5 5 5 5M16 7l5 5-5 5M13.500 5l-3 14"/>',
  "controls-alt": '<path d="M6 3.500v8M6 16v4.500M12 3.500V6M12 10.500v10M18 3.500v9M18 17v3.500"/><circle cx="6" cy="13.700" r="2.200"/><circle cx="12" cy="8.200" r="2.200"/><circle cx="18" cy="14.700" r="2.200"/>',
  copy: '<path d="M8.500 8.500h11.500v11.500H8.500zM15.500 8.500V4H4v11.500h4.500"/>',
  cursor: '<path d="M5.500 4l13.500 7.200-6 1.600-2.800 5.700z"/>',
  eye: EYE,
  "eye-crossed": EYE + '<path d="M4 20 20 4"/>',
  filter: '<path d="M3.500 5h17l-6.500 8v6.500l-4-2V13z"/>',
  help: '<path d="M8.500 8.700a3.500 3.500 0 1 1 5 3.100c-1.100.500-1.500 1.200-1.500 2.400v.600M12 18.500v.600"/>',
  layers: '<path d="M12 3.500l9 4.800-9 4.800-9-4.800zM3 12.200l9 4.800 9-4.800M3 16l9 4.800 9-4.800"/>',
  list: '<path d="M8.500 6h12M8.500 12h12M8.500 18h12M4 6h.600M4 12h.600M4 18h.600"/>',
  maximise: '<path d="M9.500 4H4v5.500M14.500 4H20v5.500M9.500 20H4v-5.500M14.500 20H20v-5.500"/>',
  pause: '<path d="M8.500 5v14M15.500 5v14"/>',
  play: '<path d="M7.500 4.500 19 12 7.500 19.500z"/>',
  plus: '<path d="M12 4.500v15M4.500 12h15"/>',
  rotate: '<path d="M19.500 12a7.500 7.500 0 1 1-2.600-5.700L19.500 8.500M19.500 3.500v5h-5"/>',
  search: '<circle cx="10.500" cy="10.500" r="6"/><path d="M15 15l5.500 5.500"/>',
  settings: '<circle cx="12" cy="12" r="3"/><path d="M12 3v3.500M12 17.500V21M3 12h3.500M17.500 12H21M5.600 5.600l2.500 2.500M15.900 15.900l2.500 2.500M18.400 5.600l-2.500 2.500M8.100 15.900l-2.500 2.500"/>',
  star: '<path d="M12 3.500l2.600 5.500 6 .800-4.400 4.200 1.100 6L12 17.100 6.700 20l1.100-6-4.400-4.200 6-.800z"/>',
  tool: '<path d="M14 9.500a4.300 4.300 0 0 1 5.700-5.100L17 7.100l.600 2.300 2.300.600 2.700-2.700"/><path d="M14 9.500 4.500 19l1.800 1.800 9.500-9.500"/>',
  video: '<path d="M3 6.500h12.500v11H3zM15.500 10.500l5.500-3v9l-5.500-3"/>',
};

const folder = new URL("icons/", import.meta.url);
mkdirSync(folder, { recursive: true });
for (const [name, shapes] of Object.entries(ICONS)) {
  const drawing = shapes.replace(/(\.\d*?)0+(?=\D)/g, "$1");
  writeFileSync(
    new URL(`${name}.svg`, folder),
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="currentColor" ' +
      `stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round">${drawing}</svg>\n`,
  );
}
