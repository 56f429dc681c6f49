/** Words of the panel of layers. */

export const en = {
  layers: "Layers",
  visible: "Show",
  opacity: "Opacity",
  contrast: "Contrast",
  low: "Black at",
  high: "White at",
  auto: "Auto",
  autoHint: "Set the contrast back to the measured range",
  palette: "Colours",
  tint: "One hue",
  fire: "Fire",
  ice: "Ice",
  cubehelix: "Cubehelix",
  color: "Colour",
  time: "Time point",
} as const;

export const zh: Record<keyof typeof en, string> = {
  layers: "图层",
  visible: "显示",
  opacity: "不透明度",
  contrast: "对比度",
  low: "黑点",
  high: "白点",
  auto: "自动",
  autoHint: "恢复为测得的显示范围",
  palette: "配色",
  tint: "单色",
  fire: "火焰",
  ice: "冰蓝",
  cubehelix: "立方螺旋",
  color: "颜色",
  time: "时间点",
};
