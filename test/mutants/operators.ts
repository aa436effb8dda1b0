/** Small changes of a program that know nothing of its meaning, found on its syntax tree. */

/** What the parser gives, as far as it is looked at here. Fields below the line are those of some types only. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  // ----
  readonly alternate: SyntaxNode | null;
  readonly argument: SyntaxNode | null;
  readonly callee: SyntaxNode;
  readonly expression: SyntaxNode;
  readonly id?: SyntaxNode | null;
  readonly key?: SyntaxNode;
  readonly kind: string;
  readonly left: SyntaxNode;
  readonly name: string;
  readonly operator: string;
  readonly returnType?: SyntaxNode | null;
  readonly right: SyntaxNode;
  readonly test: SyntaxNode;
  readonly typeAnnotation: SyntaxNode;
  readonly types: readonly SyntaxNode[];
}

export interface Change {
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** What happened to the text there. */
  readonly words: string;
}

const TURNED: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
};

/** Variables and functions whose value goes into log lines and texts only. */
const SPOKEN: readonly string[] = ['verb', 'name', 'text', 'describe', 'countVotes', 'messageKindName'];

/** True for what is no behaviour: types, log lines, texts, assertions. */
export function skipped(node: SyntaxNode, text: string): boolean {
  const { type } = node;
  if (type.startsWith('TS')) {
    return type !== 'TSAsExpression' && type !== 'TSNonNullExpression' && type !== 'TSSatisfiesExpression';
  }
  if (type === 'TemplateLiteral' || type === 'ThrowStatement' || type === 'ImportDeclaration') return true;
  if (type === 'VariableDeclarator' || type === 'FunctionDeclaration')
    return SPOKEN.includes(node.id?.name ?? '');
  if (type === 'MethodDefinition') return SPOKEN.includes(node.key?.name ?? '');
  if (type !== 'CallExpression') return false;
  const callee = text.slice(node.callee.start, node.callee.end);
  return callee === 'assert' || callee === 'must' || /logger\??\.log$/.test(callee);
}

/** All changes of this node itself; `around` are the nodes that it is in. Only what functions do is changed. */
export function changesOf(node: SyntaxNode, around: readonly SyntaxNode[], text: string): readonly Change[] {
  const inner = around.findLast(({ type }) => type.includes('Function'));
  if (inner === undefined) return [];
  const source = (part: SyntaxNode): string => text.slice(part.start, part.end);
  const becomes = (replacement: string, part: SyntaxNode = node): Change => {
    const words = `becomes ${replacement.replaceAll(/\s+/g, ' ')}`;
    return { start: part.start, end: part.end, replacement, words };
  };
  switch (node.type) {
    case 'BinaryExpression': {
      const { operator, right } = node;
      const left = source(node.left);
      const turned = (TURNED[operator] ?? []).map((other) => becomes(`${left} ${other} ${source(right)}`));
      const isStep = (operator === '+' || operator === '-') && right.type === 'Literal';
      return isStep ? [becomes(left)] : turned;
    }
    case 'LogicalExpression': {
      if (node.operator === '??') return [];
      const other = node.operator === '&&' ? '||' : '&&';
      return [becomes(`(${source(node.left)}) ${other} (${source(node.right)})`)];
    }
    case 'IfStatement': {
      const fixed = [becomes('true', node.test), becomes('false', node.test)];
      return node.alternate === null ? fixed : [...fixed, becomes(`!(${source(node.test)})`, node.test)];
    }
    case 'ConditionalExpression':
      return [becomes('true', node.test), becomes('false', node.test)];
    case 'WhileStatement':
      return [becomes('false', node.test)];
    case 'CallExpression': {
      const rest = text.slice(node.callee.end, node.end);
      if (source(node.callee) === 'Math.max') return [becomes(`Math.min${rest}`)];
      return source(node.callee) === 'Math.min' ? [becomes(`Math.max${rest}`)] : [];
    }
    case 'ExpressionStatement':
      return isDroppable(node, around, text) ? [{ ...becomes(';'), words: 'is dropped' }] : [];
    case 'ReturnStatement': {
      const { argument } = node;
      const other = argument === null ? undefined : otherValue(source(argument), inner);
      return argument === null || other === undefined ? [] : [becomes(other, argument)];
    }
    default:
      return [];
  }
}

/** Calls and assignments; those of constructors do not count, because nothing works without them. */
function isDroppable({ expression }: SyntaxNode, around: readonly SyntaxNode[], text: string): boolean {
  const inner = expression.type === 'ChainExpression' ? expression.expression : expression;
  if (inner.type === 'CallExpression') return !skipped(inner, text);
  if (inner.type !== 'AssignmentExpression' && inner.type !== 'UpdateExpression') return false;
  return !around.some(({ type, kind }) => type === 'MethodDefinition' && kind === 'constructor');
}

/** Another value that a function may return, by its declared type. */
function otherValue(value: string, from: SyntaxNode): string | undefined {
  const type = from.returnType?.typeAnnotation;
  if (type?.type === 'TSBooleanKeyword') return `!(${value})`;
  if (type?.type === 'TSNumberKeyword') return `(${value}) + 1`;
  if (type?.type !== 'TSUnionType' || value === 'undefined') return undefined;
  return type.types.some((one) => one.type === 'TSUndefinedKeyword') ? 'undefined' : undefined;
}
