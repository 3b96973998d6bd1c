/** Forms whose fields show what the service says about them: a fault's pointer names the field. */
import { createContext, type FormEvent, type ReactNode, useContext, useId, useLayoutEffect, useRef, useState } from "react";
import { type Fault, Refused } from "../api/client";
import { Failure, Message } from "./parts";

/** `ownerOf`: the narrowest place around a fault that a field shows. `fixOf`: where a fault is fixed, if not in the form. */
type FormState = { faults: Fault[]; claim: (pointer: string) => () => void; ownerOf: (fault: Fault) => string | undefined; fixOf?: (fault: Fault) => ReactNode };
const FormContext = createContext<FormState>({ faults: [], claim: () => () => {}, ownerOf: () => undefined });

/** `error` is that of the last attempt to send. Faults that no field claims are listed above the buttons. */
export function Form({ onSubmit, error, children, label, fixOf }: { onSubmit: () => void; error: Error | undefined; children: ReactNode; label: string; fixOf?: FormState["fixOf"] }) {
  const claimed = useRef(new Map<string, number>());
  const [, redraw] = useState(0);
  const faults = error instanceof Refused ? (error.problem.errors ?? []) : [];
  const claim = useRef((pointer: string) => {
    const count = (by: number) => {
      claimed.current.set(pointer, (claimed.current.get(pointer) ?? 0) + by);
      redraw((n) => n + 1);
    };
    count(1);
    return () => count(-1);
  }).current;
  const form = useRef<HTMLFormElement>(null);
  useLayoutEffect(() => {
    if (error) reveal(form.current?.querySelector<HTMLElement>('[aria-invalid="true"], p.field.fault'));
  }, [error]);
  const ownerOf = (fault: Fault) => {
    const places = [...claimed.current].flatMap(([pointer, count]) => (count > 0 && belongs(fault, pointer) ? [pointer] : []));
    return places.sort((a, b) => b.length - a.length)[0];
  };
  const left = faults.filter((fault) => ownerOf(fault) === undefined);
  return (
    <FormContext.Provider value={{ faults, claim, ownerOf, fixOf }}>
      <form
        ref={form}
        className="stack"
        noValidate
        aria-label={label}
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          onSubmit();
        }}
      >
        {children}
        {error && faults.length === 0 && <Failure error={error} />}
        {left.length > 0 && (
          <Message tone="danger" live title={error?.message}>
            <ul className="stack tight">
              {left.map((fault) => (
                <li key={fault.pointer + fault.code}>
                  <code>{fault.pointer}</code>: <FaultText fault={fault} />
                </li>
              ))}
            </ul>
          </Message>
        )}
      </form>
    </FormContext.Provider>
  );
}

const belongs = (fault: Fault, pointer: string) => fault.pointer === pointer || fault.pointer.startsWith(`${pointer}/`);

/** Goes to a field, also where it is folded away. */
function reveal(field: HTMLElement | null | undefined): void {
  for (let fold = field?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  field?.focus();
}

/** The faults of one place of the body. */
export function useFaults(pointer: string | undefined): Fault[] {
  const { faults, claim } = useContext(FormContext);
  useLayoutEffect(() => (pointer === undefined ? undefined : claim(pointer)), [pointer, claim]);
  return pointer === undefined ? [] : faults.filter((fault) => belongs(fault, pointer));
}

/** The faults of one place that no field within it shows. */
export function useOtherFaults(pointer: string): Fault[] {
  const { ownerOf } = useContext(FormContext);
  return useFaults(pointer).filter((fault) => ownerOf(fault) === pointer);
}

/** Faults of something that is not one field. */
export const FaultTexts = ({ faults }: { faults: Fault[] }) =>
  faults.map((fault) => (
    <p className="field fault" tabIndex={-1} key={fault.pointer + fault.code}>
      <FaultText fault={fault} />
    </p>
  ));

function FaultText({ fault }: { fault: Fault }) {
  const { fixOf } = useContext(FormContext);
  return (
    <>
      {fault.detail}
      {fault.suggestion && ` Did you mean ${fault.suggestion}?`} {fixOf?.(fault)}
    </>
  );
}

type FieldProps = {
  label: string;
  pointer?: string;
  help?: ReactNode;
  fault?: ReactNode;
  children: (control: { id: string; "aria-describedby": string; "aria-invalid": true | undefined }) => ReactNode;
};

export function Field({ label, pointer, help, fault, children }: FieldProps) {
  const id = useId();
  const faults = useFaults(pointer);
  const isWrong = faults.length > 0 || Boolean(fault);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-help`, "aria-invalid": isWrong || undefined })}
      <div id={`${id}-help`} className="stack tight">
        {faults.map((one) => (
          <p className="fault" key={one.pointer + one.code}>
            <FaultText fault={one} />
          </p>
        ))}
        {fault && <div className="fault">{fault}</div>}
        {help && <div className="help">{help}</div>}
      </div>
    </div>
  );
}

type TextProps = Omit<FieldProps, "children"> & {
  value: string;
  onChange: (value: string) => void;
  type?: "text" | "password" | "date" | "number" | "url" | "email" | "time";
  placeholder?: string;
  autoComplete?: string;
  code?: boolean;
  min?: number;
  max?: number;
};

export function TextField({ value, onChange, type = "text", placeholder, autoComplete = "off", code, min, max, ...field }: TextProps) {
  return (
    <Field {...field}>
      {(control) => (
        <input
          {...control}
          className={`input ${code ? "code" : ""}`}
          type={type}
          value={value}
          min={min}
          max={max}
          placeholder={placeholder}
          autoComplete={autoComplete}
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  );
}

/** `onCaret` is told where the caret is. */
export function TextArea({ value, onChange, onCaret, rows = 4, code, placeholder, ...field }: TextProps & { rows?: number; onCaret?: (place: number) => void }) {
  return (
    <Field {...field}>
      {(control) => (
        <textarea
          {...control}
          className={`input ${code ? "code" : ""}`}
          rows={rows}
          value={value}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          onChange={(event) => {
            onChange(event.target.value);
            onCaret?.(event.target.selectionStart);
          }}
          onSelect={(event) => onCaret?.(event.currentTarget.selectionStart)}
        />
      )}
    </Field>
  );
}

export function Select<T extends string>({ value, onChange, options, ...field }: Omit<FieldProps, "children"> & { value: T; onChange: (value: T) => void; options: [T, string][] }) {
  return (
    <Field {...field}>
      {(control) => (
        <select {...control} className="input" value={value} onChange={(event) => onChange(event.target.value as T)}>
          {options.map(([option, text]) => (
            <option key={option} value={option}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function Checkbox({ label, help, checked, onChange }: { label: ReactNode; help?: ReactNode; checked: boolean; onChange: (checked: boolean) => void }) {
  const id = useId();
  return (
    <div className="choice">
      <input id={id} type="checkbox" checked={checked} aria-describedby={help ? `${id}-help` : undefined} onChange={(event) => onChange(event.target.checked)} />
      <div>
        <label htmlFor={id}>{label}</label>
        {help && (
          <span id={`${id}-help`} className="help">
            {help}
          </span>
        )}
      </div>
    </div>
  );
}

export type RadioOption<T extends string> = { value: T; label: string; help?: ReactNode };

export function Radios<T extends string>({ label, value, onChange, options, pointer, help }: { label: string; value: T | null; onChange: (value: T) => void; options: RadioOption<T>[]; pointer?: string; help?: ReactNode }) {
  const id = useId();
  const faults = useFaults(pointer);
  return (
    <fieldset>
      <legend>{label}</legend>
      {help && <div className="small subtle">{help}</div>}
      {options.map((option) => (
        <div className="choice" key={option.value}>
          <input
            id={`${id}-${option.value}`}
            type="radio"
            name={id}
            checked={value === option.value}
            aria-describedby={option.help ? `${id}-${option.value}-help` : undefined}
            onChange={() => onChange(option.value)}
          />
          <div>
            <label htmlFor={`${id}-${option.value}`}>{option.label}</label>
            {option.help && (
              <span id={`${id}-${option.value}-help`} className="help">
                {option.help}
              </span>
            )}
          </div>
        </div>
      ))}
      <FaultTexts faults={faults} />
    </fieldset>
  );
}
