/** What fixes a finding: links to open, commands to copy. */
import type { Schema } from "../../api/client";
import { Copyable, CopyButton, OutLink } from "../../ui/parts";

type Remedy = Schema<"Remedy">;

const BUTTONS: Partial<Record<Remedy["kind"], string>> = { consentUrl: "Open the consent page", portal: "Open in the portal", assets: "Open" };
const COMMANDS: Partial<Record<Remedy["kind"], string>> = { azCli: "Azure CLI", powershell: "PowerShell" };

export function Remedies({ remedies }: { remedies: Remedy[] }) {
  if (remedies.length === 0) return null;
  const commands = remedies.filter((remedy) => COMMANDS[remedy.kind]);
  return (
    <div className="stack">
      {remedies
        .filter((remedy) => !COMMANDS[remedy.kind])
        .map((remedy) => (
          <div className="stack tight" key={remedy.kind + remedy.title}>
            <p>{remedy.title}</p>
            <Target remedy={remedy} />
          </div>
        ))}
      {commands.map((remedy) => (
        <details key={remedy.kind + remedy.title}>
          <summary>{remedy.title}</summary>
          <Copyable label={`Commands for ${COMMANDS[remedy.kind]}`} text={remedy.value} />
        </details>
      ))}
    </div>
  );
}

function Target({ remedy }: { remedy: Remedy }) {
  if (!remedy.value.startsWith("https://")) return remedy.value ? <p className="subtle break">{remedy.value}</p> : null;
  return (
    <div className="row">
      <OutLink to={remedy.value} button>
        {BUTTONS[remedy.kind] ?? "Open"}
      </OutLink>
      <CopyButton text={remedy.value} label={`Copy link: ${remedy.title}`}>
        Copy link
      </CopyButton>
    </div>
  );
}
