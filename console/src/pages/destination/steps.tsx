/** The steps in Assets. */
import { OutLink } from "../../ui/parts";

const HELP = "https://support.atlassian.com/jira-service-management-cloud/docs";

export function AssetsSteps() {
  return (
    <section className="panel stack" aria-label="Steps in Assets">
      <h2>In Assets</h2>
      <ol className="steps">
        <Step title="Create an object schema">
          <p>In Jira open Assets and press «Create schema». A schema of its own is best: the import can then touch nothing else.</p>
          <p className="small subtle">Assets is part of Jira Service Management Premium and Enterprise.</p>
        </Step>
        <Step title="Create the import source">
          <p>Open the schema, then:</p>
          <Path parts={["Schema settings", "Import", "Create import", "External import"]} />
        </Step>
        <Step title="Generate its token">
          <p>In the menu of the import source:</p>
          <Path parts={["…", "Generate new token"]} />
          <p>Copy the token into the form. Assets shows it once, and a new token ends the one before it.</p>
        </Step>
        <Step title="Decide about missing objects">
          <p>After the first import, in the menu of the import source:</p>
          <Path parts={["…", "Edit mapping", "each object type", "Missing objects"]} />
          <p>Until then the form says «I do not know yet». Afterwards choose the same there, because no interface of Assets shows this setting.</p>
          <p>
            <OutLink to={`${HELP}/create-objects-from-data-using-object-type-mapping`}>Atlassian’s help</OutLink>
          </p>
        </Step>
      </ol>
    </section>
  );
}

function Step({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <li>
      <div className="stack tight">
        <h3>{title}</h3>
        {children}
      </div>
    </li>
  );
}

/** What to click, one after the other. */
function Path({ parts }: { parts: string[] }) {
  return (
    <p className="row clicks">
      {parts.map((part, place) => (
        <span key={part} className="row">
          {place > 0 && <span aria-hidden="true">→</span>}
          <span className="click">{part}</span>
        </span>
      ))}
    </p>
  );
}
