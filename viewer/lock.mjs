// Takes out of package-lock.json what names a host: funding pages and, should npm have written any, download addresses.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  if (/^https?:/.test(entry.resolved ?? "")) delete entry.resolved;
}
writeFileSync(file, JSON.stringify(lock, null, 2) + "\n");
