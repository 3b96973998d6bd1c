/** The key of this browser tab. It is kept in the tab's session storage: closing the tab forgets it. */
import { useSyncExternalStore } from "react";

const NAME = "entra-assets-key";

export type Session = {
  key: string | null;
  /** The service refused the key that this tab had. */
  lost: boolean;
  /** Rises with each sign-in, so that pages load again. */
  epoch: number;
};

let session: Session = { key: sessionStorage.getItem(NAME), lost: false, epoch: 0 };
const listeners = new Set<() => void>();

function set(next: Session): void {
  session = next;
  listeners.forEach((listener) => listener());
}

export const currentSession = () => session;

export function signIn(key: string): void {
  sessionStorage.setItem(NAME, key);
  set({ key, lost: false, epoch: session.epoch + 1 });
}

export function signOut(): void {
  sessionStorage.removeItem(NAME);
  set({ key: null, lost: false, epoch: session.epoch + 1 });
}

/** The service does not accept the key any more. The page stays, so that nothing typed is lost. */
export function loseSession(key: string): void {
  if (session.key !== key || session.lost) return;
  sessionStorage.removeItem(NAME);
  set({ ...session, lost: true });
}

export function useSession(): Session {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, currentSession);
}
