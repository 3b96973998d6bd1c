/** The small parts of every page. */
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Refused, Unreachable } from "../api/client";
import { href } from "../route";
import { Icon, type IconName } from "./icons";

export type Tone = "neutral" | "success" | "warning" | "danger" | "information";

export function Lozenge({ tone = "neutral", children }: { tone?: Tone; children: ReactNode }) {
  return <span className={`lozenge ${tone}`}>{children}</span>;
}

type ButtonProps = {
  children: ReactNode;
  onClick?: () => void;
  kind?: "default" | "primary" | "danger" | "quiet";
  type?: "button" | "submit";
  pending?: boolean;
  disabled?: boolean;
  icon?: IconName;
  label?: string;
};

/** A button that is waiting keeps the focus: it is only said to be disabled. */
export function Button({ children, onClick, kind = "default", type = "button", pending, disabled, icon, label }: ButtonProps) {
  const off = pending || disabled;
  return (
    <button
      type={type}
      className={`button ${kind}`}
      aria-disabled={off || undefined}
      aria-label={label}
      onClick={(event) => {
        if (off) event.preventDefault();
        else onClick?.();
      }}
    >
      {pending ? <span className="spinner" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function LinkButton({ to, children, kind = "default", icon }: { to: string; children: ReactNode; kind?: "default" | "primary"; icon?: IconName }) {
  return (
    <a className={`button ${kind}`} href={href(to)}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

/** A link to another site, in a new tab. */
export function OutLink({ to, children, button }: { to: string; children: ReactNode; button?: boolean }) {
  return (
    <a className={button ? "button" : undefined} href={to} target="_blank" rel="noreferrer">
      {children} <Icon name="link" size={12} />
      <span className="hidden"> (opens in a new tab)</span>
    </a>
  );
}

export function Message({ tone, title, children, live }: { tone: Exclude<Tone, "neutral">; title?: ReactNode; children?: ReactNode; live?: boolean }) {
  return (
    <div className={`message ${tone}`} role={live ? (tone === "danger" ? "alert" : "status") : undefined}>
      <Icon name={tone} size={24} />
      <div className="body">
        {title && <p className="title">{title}</p>}
        {children}
      </div>
    </div>
  );
}

/** What went wrong, with what the service says about it. */
export function Failure({ error, title }: { error: Error | undefined; title?: string }) {
  if (!error) return null;
  const problem = error instanceof Refused ? error.problem : undefined;
  return (
    <Message tone="danger" live title={title ?? problem?.title ?? (error instanceof Unreachable ? "No answer" : "Something is missing")}>
      <p>{error.message}</p>
      {problem?.errors?.map((fault) => (
        <p key={fault.pointer + fault.code}>
          <code>{fault.pointer}</code>: {fault.detail}
        </p>
      ))}
      {problem && <p className="small subtle">Request {problem.requestId}</p>}
    </Message>
  );
}

export function Loading({ what = "Loading" }: { what?: string }) {
  return (
    <p className="row subtle" role="status">
      <span className="spinner" aria-hidden="true" /> {what}…
    </p>
  );
}

export function Head({ title, crumbs, children, intro }: { title: ReactNode; crumbs?: { to: string; text: string }; children?: ReactNode; intro?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (typeof title === "string") document.title = `${title} – entra-assets`;
  }, [title]);
  return (
    <div className="page-head">
      <div>
        {crumbs && (
          <nav className="crumbs" aria-label="Breadcrumb">
            <a href={href(crumbs.to)}>{crumbs.text}</a> /
          </nav>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {intro && <p>{intro}</p>}
      </div>
      {children && <div className="row">{children}</div>}
    </div>
  );
}

export function Card({ title, children, aside }: { title?: ReactNode; children: ReactNode; aside?: ReactNode }) {
  const id = useId();
  return (
    <section className="card" aria-labelledby={title ? id : undefined}>
      {title && (
        <div className="row apart">
          <h2 id={id}>{title}</h2>
          {aside}
        </div>
      )}
      {children}
    </section>
  );
}

export function Empty({ icon, title, children, action }: { icon: IconName; title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <div className="card empty">
      <Icon name={icon} size={40} />
      <h2>{title}</h2>
      <p>{children}</p>
      {action}
    </div>
  );
}

export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {items.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A table that scrolls sideways by itself; `label` names it for screen readers. */
export function Table({ label, head, children }: { label: string; head: (string | { text: string; number: true })[]; children: ReactNode }) {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={label}>
      <table>
        <thead>
          <tr>
            {head.map((one) =>
              typeof one === "string" ? (
                <th key={one} scope="col">
                  {one}
                </th>
              ) : (
                <th key={one.text} scope="col" className="number">
                  {one.text}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <div className="copyable">
      <pre tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <CopyButton text={text} label={`Copy: ${label}`} />
    </div>
  );
}

export function CopyButton({ text, label, children = "Copy" }: { text: string; label?: string; children?: ReactNode }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <Button
      icon={done ? "success" : "copy"}
      label={done ? undefined : label}
      onClick={() => void navigator.clipboard.writeText(text).then(() => setDone(true))}
    >
      {done ? "Copied" : children}
    </Button>
  );
}

/** A part that can be folded away. `shown`: whether it is open at first. Afterwards only the reader opens and closes it. */
export function Fold({ summary, shown, className, children }: { summary: ReactNode; shown: boolean; className?: string; children: ReactNode }) {
  const [open, setOpen] = useState(shown);
  return (
    <details className={className} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{summary}</summary>
      <div className="stack">{children}</div>
    </details>
  );
}

/** Loads the next page of a list, if there is one. */
export function More({ pages, children = "Show more" }: { pages: { hasMore: boolean; more: () => void; pending: boolean }; children?: ReactNode }) {
  if (!pages.hasMore) return null;
  return (
    <div>
      <Button pending={pages.pending} onClick={pages.more}>
        {children}
      </Button>
    </div>
  );
}

/** A question before something that cannot be undone. */
export function Confirm(props: {
  button: ReactNode;
  kind?: "danger" | "default" | "primary" | "quiet";
  title: string;
  children: ReactNode;
  confirm: string;
  onConfirm: () => Promise<void>;
  error?: Error;
  pending: boolean;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const [done, setDone] = useState(false);
  // What went wrong before it was opened again is no matter any more.
  const [tried, setTried] = useState(false);
  const open = () => {
    setTried(false);
    dialog.current?.showModal();
  };
  const confirm = async () => {
    setTried(true);
    await props.onConfirm();
    setDone(true);
  };
  useEffect(() => {
    // What went wrong is said in the dialog.
    if (done && !props.error) dialog.current?.close();
    setDone(false);
  }, [done, props.error]);
  return (
    <>
      <Button kind={props.kind ?? "default"} onClick={open}>
        {props.button}
      </Button>
      <dialog ref={dialog} aria-labelledby={id}>
        <div className="stack">
          <h2 id={id}>{props.title}</h2>
          {props.children}
          {tried && <Failure error={props.error} />}
          <div className="row">
            <Button kind={props.kind === "primary" ? "primary" : "danger"} pending={props.pending} onClick={() => void confirm()}>
              {props.confirm}
            </Button>
            <Button onClick={() => dialog.current?.close()}>Keep as it is</Button>
          </div>
        </div>
      </dialog>
    </>
  );
}

export function Progress({ done, total, label }: { done: number; total: number | null | undefined; label: string }) {
  const known = total !== null && total !== undefined && total > 0;
  const percent = known ? Math.min(100, Math.round((done / total) * 100)) : undefined;
  return (
    <div className={`progress ${known ? "" : "unknown"}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
      <div style={known ? { width: `${percent}%` } : undefined} />
    </div>
  );
}

/** Tabs within a page. */
export function Tabs<T extends string>({ label, tabs, value, onChange }: { label: string; tabs: [T, string][]; value: T; onChange: (tab: T) => void }) {
  return (
    <div className="tabs" role="tablist" aria-label={label}>
      {tabs.map(([tab, text], place) => (
        <button
          key={tab}
          type="button"
          role="tab"
          aria-selected={tab === value}
          tabIndex={tab === value ? 0 : -1}
          onClick={() => onChange(tab)}
          onKeyDown={(event) => {
            const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            const next = tabs[(place + step + tabs.length) % tabs.length];
            if (step === 0 || !next) return;
            onChange(next[0]);
            (event.currentTarget.parentElement?.children[(place + step + tabs.length) % tabs.length] as HTMLElement).focus();
          }}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
