/** Words of the panel of analyses. */

export const en = {
  box: "Search in a box",
  boxDraw: "Draw a box",
  boxDrawHint: "Drag over a section. The box is as deep as its shorter side; its corners can be changed below.",
  boxFirst: "One corner",
  boxSecond: "Opposite corner",
  boxHere: "Here",
  boxSearch: "Search what lies in it",
  boxNone: "Draw a box, or give two opposite corners.",
  analyse: "Analyse",
} as const;

export const zh: Record<keyof typeof en, string> = {
  box: "在方框内搜索",
  boxDraw: "画方框",
  boxDrawHint: "在切面上拖动。方框的深度等于其短边；可在下方修改两角。",
  boxFirst: "一角",
  boxSecond: "对角",
  boxHere: "此处",
  boxSearch: "搜索其中的内容",
  boxNone: "请画一个方框，或给出两个对角。",
  analyse: "分析",
};
