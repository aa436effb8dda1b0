/** What a rule found. The advice says what to do instead, so that nobody has to read the rule. */
export interface Violation {
  readonly file: string;
  readonly line?: number;
  readonly rule: string;
  readonly advice: string;
}

export function describeViolation(violation: Violation): string {
  const place = violation.line === undefined ? violation.file : `${violation.file}:${violation.line}`;
  return `${place}: ${violation.rule}. ${violation.advice}`;
}
