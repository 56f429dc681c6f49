/** Words of the panel of regions. */

export const en = {
  regions: "Regions",
  regionFind: "Find a region",
  regionOnly: "Show only the chosen",
  regionOutline: "Outlines only",
  regionClear: "Choose none",
  regionHint: "Choose regions here, or click one in a section.",
  regionFound: "found",
  regionNone: "No region has such a name.",
  regionPath: "What holds it",
  regionGo: "Go there",
  regionEnds: "Neurons that end here",
  regionEndsCount: "neurons end in",
  regionEndsNone: "No neuron that ends here is known.",
  regionPage: "Its page",
  regionHomologues: "In other species",
  compareWith: "Compare with …",
} as const;

export const zh: Record<keyof typeof en, string> = {
  regions: "脑区",
  regionFind: "查找脑区",
  regionOnly: "只显示所选",
  regionOutline: "仅显示轮廓",
  regionClear: "全部取消",
  regionHint: "在此选择脑区，或在切面中点击。",
  regionFound: "个结果",
  regionNone: "没有此名称的脑区。",
  regionPath: "上级脑区",
  regionGo: "转到该处",
  regionEnds: "终止于此的神经元",
  regionEndsCount: "个神经元终止于",
  regionEndsNone: "尚无已知终止于此的神经元。",
  regionPage: "脑区页面",
  regionHomologues: "其他物种",
  compareWith: "与…对比",
};
