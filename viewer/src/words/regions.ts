/** Words of the panel of regions. */

export const en = {
  regions: "Regions",
  regionFind: "Find a region",
  regionOnly: "Show only the chosen",
  regionHint: "Choose regions here, or click one in a section.",
  regionMany: "Type a name to see the others.",
  regionNone: "No region has such a name.",
} as const;

export const zh: Record<keyof typeof en, string> = {
  regions: "脑区",
  regionFind: "查找脑区",
  regionOnly: "只显示所选",
  regionHint: "在此选择脑区，或在切面中点击。",
  regionMany: "输入名称可查看其余脑区。",
  regionNone: "没有此名称的脑区。",
};
