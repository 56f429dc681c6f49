/** The colours of a statistic, on surfaces and in volumes: blue below zero against orange above, told apart by red-blind and green-blind eyes, too. */

export type Colour = readonly [number, number, number];

/** From what is nearest to zero to what is furthest, each side in three evenly spaced colours. */
export const BELOW: readonly Colour[] = [[24, 70, 160], [40, 140, 220], [150, 225, 255]];
export const ABOVE: readonly Colour[] = [[170, 40, 20], [240, 120, 20], [255, 235, 110]];

/** What a statistic's colours reach to, on both sides of zero. */
export function reach([low, high]: readonly [number, number]): number {
  return Math.max(Math.abs(low), Math.abs(high)) || 1;
}

const colour = ([red, green, blue]: Colour) => `vec3(${[red, green, blue].map((part) => (part / 255).toFixed(4)).join(", ")})`;
const ramp = ([low, middle, high]: readonly Colour[]) => `(v < 1.0 ? mix(${colour(low!)}, ${colour(middle!)}, v) : mix(${colour(middle!)}, ${colour(high!)}, v - 1.0))`;

/** Neuroglancer's shader of a statistic: nothing within the threshold, which is a share of the reach as all is here; changing it compiles nothing. */
export const STATISTIC_SHADER = `#uicontrol invlerp contrast
#uicontrol float threshold slider(min=0, max=1, default=0)
#uicontrol float opacity slider(min=0, max=1, default=1)
void main() {
  float signed = 2.0 * contrast() - 1.0;
  float size = abs(signed);
  // zero is not drawn, nor what is no number
  if (!(size > max(threshold, 1e-4))) {
    emitTransparent();
    return;
  }
  float v = 2.0 * clamp((size - threshold) / max(1.0 - threshold, 1e-4), 0.0, 1.0);
  vec3 shade = signed < 0.0 ? ${ramp(BELOW)} : ${ramp(ABOVE)};
#ifdef ALONG_RAY
  emitIntensity(size);
  emitRGBA(vec4(shade, opacity));
#else
  emitRGBA(vec4(shade, 1.0));
#endif
}
`;
