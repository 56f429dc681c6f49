/** The regions that a person has chosen, by the identifiers that the labels hold; shared by all panels. */

export class RegionSelection {
  private chosen: readonly string[] = [];
  private readonly listeners = new Set<() => void>();

  /** Decimal identifiers, in the order in which they were chosen. */
  get ids(): readonly string[] {
    return this.chosen;
  }

  has(id: string): boolean {
    return this.chosen.includes(id);
  }

  set(ids: readonly string[]): void {
    const next = [...new Set(ids)];
    if (next.join() === this.chosen.join()) return;
    this.chosen = next;
    for (const listener of [...this.listeners]) listener();
  }

  toggle(id: string): void {
    this.set(this.has(id) ? this.chosen.filter((one) => one !== id) : [...this.chosen, id]);
  }

  /** Call `listener` after every change; the answer ends that. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
