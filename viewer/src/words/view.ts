/** Words of the panel of the view. */

export const en = {
  view: "View",
  show: "Show",
  axes: "Axis lines",
  scaleBar: "Scale bar",
  slices: "Sections in 3D",
  volume: "Volume rendering (layout 3D)",
  keys: "Keys",
  keyMove: "move in the section",
  keyStep: "one section back, one on",
  keyZoom: "nearer, farther",
  keyTurn: "turn the section",
  keyTilt: "tilt the sections",
  mouse: "Drag moves a section and turns the 3D view; the wheel steps through a section and zooms in 3D, with Ctrl it zooms in both, with Shift it takes ten steps; the right button centres.",
} as const;

export const zh: Record<keyof typeof en, string> = {
  view: "视图",
  show: "显示",
  axes: "轴线",
  scaleBar: "比例尺",
  slices: "三维中的切面",
  volume: "体绘制（三维布局）",
  keys: "键盘操作",
  keyMove: "在切面内移动",
  keyStep: "上一层、下一层",
  keyZoom: "放大、缩小",
  keyTurn: "旋转切面",
  keyTilt: "倾斜切面",
  mouse: "拖动可移动切面或旋转三维视图；滚轮在切面中翻层，在三维中缩放；按住 Ctrl 均为缩放，按住 Shift 一次翻十层；右键居中。",
};
