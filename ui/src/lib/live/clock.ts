/** A clock for the eye only: elapsed times and countdowns. Ticks once a second while something on screen reads it. */
import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** Now in ms; reading it in a component redraws every second. */
export function now(): number {
  subscribe();
  return Date.now();
}
