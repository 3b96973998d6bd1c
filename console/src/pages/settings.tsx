/** Settings: keys, webhooks, and what the operator sees. */
import type { ComponentType } from "react";
import { transport } from "#transport";
import { href } from "../route";
import { Head } from "../ui/parts";
import { AuditLog } from "./settings/audit";
import { Keys } from "./settings/keys";
import { Organizations } from "./settings/organizations";
import { Webhooks } from "./settings/webhooks";
import { Workers } from "./settings/workers";

type Tab = { path: string; name: string; page: ComponentType; admin?: true };

const TABS: Tab[] = [
  { path: "keys", name: "API keys", page: Keys, admin: true },
  { path: "webhooks", name: "Webhooks", page: Webhooks },
  { path: "audit", name: "Audit log", page: AuditLog, admin: true },
  { path: "workers", name: "Workers", page: Workers, admin: true },
  { path: "organizations", name: "Organizations", page: Organizations, admin: true },
];

/** Forge's callers never have the scope `admin`. */
const offered = TABS.filter((tab) => transport.signsIn || !tab.admin);

export function SettingsPages({ path: [path] }: { path: string[] }) {
  const tab = offered.find((tab) => tab.path === path) ?? offered[0];
  if (!tab) return null;
  const Page = tab.page;
  return (
    <>
      <Head title="Settings" />
      <nav className="tabs" aria-label="Settings">
        {offered.map((one) => (
          <a key={one.path} href={href(`/settings/${one.path}`)} aria-current={one === tab ? "page" : undefined}>
            {one.name}
          </a>
        ))}
      </nav>
      <Page />
    </>
  );
}
