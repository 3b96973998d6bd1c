/** Light or dark: what the system says, until somebody chooses. */
import { useSyncExternalStore } from "react";

type Mode = "light" | "dark";
const NAME = "entra-assets-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function mode(): Mode {
  const chosen = localStorage.getItem(NAME);
  return chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
}

function apply(): void {
  document.documentElement.dataset.colorMode = mode();
  listeners.forEach((listener) => listener());
}

export function startTheme(): void {
  dark.addEventListener("change", apply);
  apply();
}

export function useTheme(): [Mode, () => void] {
  const current = useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, mode);
  const toggle = () => {
    localStorage.setItem(NAME, current === "light" ? "dark" : "light");
    apply();
  };
  return [current, toggle];
}
