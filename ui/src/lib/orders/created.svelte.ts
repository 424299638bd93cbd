/** Tells the open list that the owner made an order himself, so that it is shown at once. */
const listeners = new Set<() => void>();

/** Call while a component starts. */
export function onCreated(call: () => void): void {
  $effect(() => {
    listeners.add(call);
    return () => listeners.delete(call);
  });
}

export function sayCreated(): void {
  for (const call of listeners) call();
}
