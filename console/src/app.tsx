import { transport } from "#transport";
import { type ReactNode, useEffect, useRef } from "react";
import { signOut, useSession } from "./api/session";
import { useReachable } from "./api/use";
import { DestinationPages } from "./pages/destination";
import { FilterPages } from "./pages/filter";
import { HandoverPage } from "./pages/handover";
import { HistoryPages } from "./pages/history";
import { ImportPages } from "./pages/import";
import { ObjectPage } from "./pages/objects/object";
import { Overview } from "./pages/overview";
import { RunPage } from "./pages/run";
import { SettingsPages } from "./pages/settings";
import { SignIn, SignInAgain } from "./pages/sign-in";
import { SourcePages } from "./pages/source";
import { href, useRoute } from "./route";
import { useTheme } from "./theme";
import { Icon, type IconName } from "./ui/icons";
import { Button, Head } from "./ui/parts";

const PLACES: [path: string, name: string, icon: IconName, also?: string][] = [
  ["", "Overview", "home"],
  ["source", "Source", "source"],
  ["filter", "Filter", "filter"],
  ["destination", "Destination", "destination"],
  ["import", "Import", "import", "objects"],
  ["history", "History", "history", "runs"],
  ["settings", "Settings", "settings"],
];

export function App() {
  const { path } = useRoute();
  const session = useSession();
  if (path[0] === "handover") return <HandoverPage secret={path[1] ?? ""} />;
  if (transport.signsIn && session.key === null) return <SignIn />;
  return (
    <>
      <Shell place={path[0] ?? ""}>
        <Page path={path} />
      </Shell>
      {session.lost && <SignInAgain />}
    </>
  );
}

function Page({ path: [place = "", ...rest] }: { path: string[] }) {
  switch (place) {
    case "":
      return <Overview />;
    case "source":
      return <SourcePages path={rest} />;
    case "filter":
      return <FilterPages path={rest} />;
    case "destination":
      return <DestinationPages path={rest} />;
    case "import":
      return <ImportPages path={rest} />;
    case "runs":
      return <RunPage id={rest[0] ?? ""} key={rest[0]} />;
    case "objects":
      return <ObjectPage path={rest} key={rest.join(" ")} />;
    case "history":
      return <HistoryPages path={rest} />;
    case "settings":
      return <SettingsPages path={rest} />;
    default:
      return <Head title="Page not found" intro="No page has this address. Choose one in the navigation." />;
  }
}

function Shell({ place, children }: { place: string; children: ReactNode }) {
  const { path } = useRoute();
  const reachable = useReachable();
  const main = useRef<HTMLElement>(null);
  const route = path.join("/");
  const first = useRef(true);
  useEffect(() => {
    // A screen reader hears of the new page; the first page is where the reader starts anyway.
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [route]);
  return (
    <>
      <header className="top">
        <a
          className="skip"
          href={href(`/${route}`)}
          onClick={(event) => {
            event.preventDefault();
            main.current?.focus();
          }}
        >
          Skip to the content
        </a>
        <a className="brand" href={href("/")}>
          <Mark />
          Entra ID → Assets
        </a>
        <div className="row">
          <ThemeButton />
          {transport.signsIn && (
            <Button kind="quiet" onClick={signOut}>
              Sign out
            </Button>
          )}
        </div>
      </header>
      {!reachable && (
        <div className="away" role="status">
          The service does not answer. Trying again…
        </div>
      )}
      <div className="shell">
        <nav className="side" aria-label="Main">
          <ul>
            {PLACES.map(([path, name, icon, also]) => (
              <li key={path} className={path === "settings" ? "apart" : undefined}>
                <a href={href(`/${path}`)} aria-current={place === path || (also !== undefined && place === also) ? "page" : undefined}>
                  <Icon name={icon} />
                  {name}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main ref={main} tabIndex={-1}>
          <div className="page">{children}</div>
        </main>
      </div>
    </>
  );
}

export function ThemeButton() {
  const [mode, toggle] = useTheme();
  return (
    <button type="button" className="button quiet icon" onClick={toggle} aria-label={mode === "light" ? "Use dark colours" : "Use light colours"}>
      <Icon name={mode === "light" ? "moon" : "sun"} />
    </button>
  );
}

export function Mark() {
  return (
    <svg viewBox="0 0 24 24" aria-hidden="true">
      <rect width="24" height="24" rx="5" fill="var(--ds-background-brand-bold)" />
      <g stroke="var(--ds-icon-inverse)" fill="none" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round">
        <circle cx="8" cy="8.5" r="2.6" />
        <path d="M3.8 17.5a4.2 4.2 0 0 1 8.4 0M14 9h6m0 0-2.4-2.4M20 9l-2.4 2.4M14.5 15.5H20" />
      </g>
    </svg>
  );
}
