/** Whether the server answers, for whoever waits for it. */

const EVERY_MS = 4000;

/** Ask until the server answers again, then call `back`; the answer of this stops asking. */
export function waitForServer(back: () => void): () => void {
  const timer = window.setInterval(() => void ask(), EVERY_MS);
  const stop = () => {
    window.clearInterval(timer);
    window.removeEventListener("online", now);
  };
  const ask = async () => {
    const answer = await fetch("/static/mark.svg", { cache: "no-store" }).catch(() => null);
    if (!answer?.ok) return;
    stop();
    back();
  };
  const now = () => void ask();
  window.addEventListener("online", now);
  return stop;
}
